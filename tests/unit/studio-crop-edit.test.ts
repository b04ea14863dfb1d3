import { describe, expect, it } from "vitest";
import type { Size } from "../../src/config/parameter.ts";
import { asymmetricTags } from "../../src/studio/asymmetric-tags.ts";
import { isCropOf } from "../../src/studio/crop-cover.ts";
import { areaBetween, cropEdges, isWhole, moveArea, pullEdge, SHORTEST, typedArea, wholePicture, withRatio } from "../../src/studio/crop-edit.ts";
import type { CropArea } from "../../src/studio/crop-edit.ts";
import { applyCrops, flippedCopies } from "../../src/studio/derive-pictures.ts";
import { applyEdit, invert } from "../../src/studio/edit.ts";
import type { Change } from "../../src/studio/edit.ts";
import type { StudioPicture } from "../../src/studio/picture.ts";

let state = 11;
/** The same numbers every time, below `limit`. */
function below(limit: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
}

/** Wild pulls on a picture, one after the other. */
function* pulls(ratio: number | undefined): Generator<{ before: CropArea; after: CropArea; size: Size }> {
  for (let round = 0; round < 30; round++) {
    const size: Size = [1 + below(900), 1 + below(900)];
    let before = wholePicture(size);
    for (let step = 0; step < 20; step++) {
      const [dx, dy] = [below(1200) - 600, below(1200) - 600];
      const edge = cropEdges[below(8)]!;
      const ways = [
        () => moveArea(before, dx, dy, size),
        () => pullEdge(before, edge, dx, dy, size, ratio),
        () => areaBetween([below(size[0]), below(size[1])], [below(1500) - 300, below(1500) - 300], size, ratio),
        () => typedArea({ x: dx, y: dy, width: below(2000), height: below(2000) }, size, ratio, "height"),
        () => withRatio(before, ratio ?? 1.3, size),
      ];
      const after = ways[below(ways.length)]!();
      yield { before, after, size };
      before = after;
    }
  }
}

describe("a crop changed by hand", () => {
  it.each([undefined, 1, 2 / 3, 16 / 9])("stays in its picture and no splinter, whatever is pulled (ratio %s)", (ratio) => {
    for (const { after, size } of pulls(ratio)) {
      expect(isCropOf(after, size)).toBe(true);
      expect(after.width).toBeGreaterThanOrEqual(Math.min(SHORTEST, size[0]));
      expect(after.height).toBeGreaterThanOrEqual(Math.min(SHORTEST, size[1]));
    }
  });

  it("keeps a locked ratio to the pixel, where there is room for it", () => {
    const size: Size = [800, 600];
    for (const ratio of [1, 2 / 3, 1.5]) {
      const area = withRatio(wholePicture(size), ratio, size);
      for (const edge of cropEdges) {
        for (const [dx, dy] of [[-90, 40], [70, -130], [-200, -200], [300, 300]] as const) {
          const { width, height } = pullEdge(area, edge, dx, dy, size, ratio);
          expect(Math.abs(width - height * ratio)).toBeLessThanOrEqual(0.5 + ratio / 2);
        }
      }
    }
  });

  it("leaves what lies opposite where it is", () => {
    const area = { x: 100, y: 100, width: 200, height: 100 };
    expect(pullEdge(area, "nw", -30, 20, [800, 600])).toEqual({ x: 70, y: 120, width: 230, height: 80 });
    expect(pullEdge(area, "e", 30, 20, [800, 600])).toEqual({ x: 100, y: 100, width: 230, height: 100 });
    expect(pullEdge(area, "se", 100, 0, [800, 600], 2)).toEqual({ x: 100, y: 100, width: 300, height: 150 });
  });

  it("is drawn from where the pointer went down, in any direction", () => {
    expect(areaBetween([300, 200], [100, 50], [800, 600])).toEqual({ x: 100, y: 50, width: 200, height: 150 });
    expect(isWhole(areaBetween([0, 0], [9999, 9999], [800, 600]), [800, 600])).toBe(true);
  });
});

const picture = (id: string, name: string, more: Partial<StudioPicture> = {}): StudioPicture => ({
  id, subset: "s", name, original: "0".repeat(64), bytes: 10, width: 100, height: 300, caption: "1girl", crop: null,
  isMirrored: false, group: null, likeness: "0".repeat(16), origin: null, ...more,
});
const ids = () => {
  let next = 0;
  return () => `new${next++}`;
};
const part = (y: number) => ({ x: 0, y, width: 100, height: 100 });

describe("pictures made of others", () => {
  const all = [picture("a", "long.png"), picture("b", "LONG-2.png"), picture("c", "long-2.png", { subset: "other" })];
  const stateOf = (pictures: readonly StudioPicture[]) => ({
    set: { id: "set", name: "", createdAt: 0, captionExtension: ".txt", subsets: [], groups: [], mergeRules: [] },
    pictures: new Map(pictures.map((each) => [each.id, each])),
  });

  it("are the parts of a long one, with names that nobody has, all gone when taken back", () => {
    const changes = applyCrops(all, [{ picture: all[0]!, crops: [part(0), part(100), part(200)] }], ids());
    const after = applyEdit(stateOf(all), changes);
    expect(after.pictures.get("a")).toMatchObject({ name: "long.png", crop: part(0) });
    expect(after.pictures.get("new0")).toMatchObject({ name: "long-2-2.png", crop: part(100), caption: "1girl", origin: { kind: "derived", from: "a" } });
    expect(after.pictures.get("new1")).toMatchObject({ name: "long-3.png", crop: part(200) });
    expect(applyEdit(after, invert(changes)).pictures).toEqual(stateOf(all).pictures);
  });

  it("are no change where a crop is there already", () => {
    const cropped = picture("d", "d.png", { crop: part(0) });
    expect(applyCrops([cropped], [{ picture: cropped, crops: [part(0)] }], ids())).toEqual([]);
  });

  it("are flipped copies beside the pictures", () => {
    const [first, second] = flippedCopies(all, [all[0]!, { ...all[1]!, isMirrored: true }], ids()) as Extract<Change, { kind: "add" }>[];
    expect(first!.picture).toMatchObject({ name: "long-flipped.png", isMirrored: true, origin: { kind: "derived", from: "a" } });
    expect(second!.picture).toMatchObject({ name: "LONG-2-flipped.png", isMirrored: false });
  });
});

it("knows tags that a mirror makes wrong", () => {
  const caption = "1girl, Heterochromia, single_braid, english text, bright pupils, right-handed, looking_left, side ponytail, smile, upright, signature, single person";
  expect(asymmetricTags(caption)).toEqual(["Heterochromia", "single_braid", "english text", "right-handed", "side ponytail", "signature"]);
  expect([asymmetricTags(null), asymmetricTags("1girl, design, clockwork bird")]).toEqual([[], []]);
});
