import sharp from "sharp";
import { expect, test } from "vitest";
import { decodeNodeImage } from "../../src/cli/node-images.ts";
import { usualFocusWeights } from "../../src/studio/crop-focus.ts";
import type { StoredPicture } from "../../src/workers/crop-protocol.ts";
import { CropSession } from "../../src/workers/crop-session.ts";

/** Grey, with a small busy patch at the right: four tiles of different levels. */
async function scene(): Promise<Blob> {
  const tile = (left: number, top: number, level: number) => ({
    input: { create: { width: 8, height: 8, channels: 3 as const, background: { r: level, g: level, b: level } } }, left, top,
  });
  const base = sharp({ create: { width: 160, height: 80, channels: 3, background: { r: 120, g: 120, b: 120 } } });
  const png = await base.composite([tile(120, 30, 250), tile(128, 30, 10), tile(120, 38, 30), tile(128, 38, 220)]).png().toBuffer();
  return new Blob([new Uint8Array(png)]);
}

const file = await scene();
const session = new CropSession({
  originalOf: async (hash) => (hash === "known" ? file : undefined),
  decode: async (blob, { name }) => decodeNodeImage(new Uint8Array(await blob.arrayBuffer()), name),
});
const picture: StoredPicture = { name: "a.png", original: "known", width: 160, height: 80 };
const focus = { kind: "focus", target: [64, 64], weights: { ...usualFocusWeights, entropy: 0 } } as const;

test("a crop goes to where something is", async () => {
  expect(await session.propose(picture, focus)).toEqual({ crops: [{ x: 80, y: 0, width: 80, height: 80, target: { width: 64, height: 64 } }] });
  expect(await session.propose(picture, { kind: "middle", target: [64, 64] })).toMatchObject({ crops: [{ x: 40 }] });
});

test("a face that the file's name tells is worth more than anything else", async () => {
  const faces = { ...focus, weights: { face: 0.9, entropy: 0, corners: 0.01 } };
  expect(await session.propose({ ...picture, name: "a_45_40_20_20.png" }, faces)).toMatchObject({ crops: [{ x: 6 }] });
});

test("a file that is gone from storage is an error that says so", async () => {
  await expect(session.propose({ ...picture, original: "gone" }, focus)).rejects.toMatchObject({ name: "InputError", code: "crop.noOriginal" });
});
