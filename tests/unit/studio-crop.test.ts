import { describe, expect, it } from "vitest";
import { decodeNodeImage } from "../../src/cli/node-images.ts";
import type { Size } from "../../src/config/parameter.ts";
import type { RgbaImage } from "../../src/dataset/image.ts";
import { autoSize, usualAutoSize } from "../../src/studio/crop-auto-size.ts";
import type { AutoSizeRules } from "../../src/studio/crop-auto-size.ts";
import { findCorners } from "../../src/studio/crop-corners.ts";
import { coverCrop, isCropOf } from "../../src/studio/crop-cover.ts";
import { unevenestWindow } from "../../src/studio/crop-entropy.ts";
import { focalPoint, usualFocusWeights } from "../../src/studio/crop-focus.ts";
import { reducedLuma } from "../../src/studio/crop-luma.ts";
import { splitOversized, usualSplit } from "../../src/studio/crop-split.ts";
// By the webui's rules, with OpenCV and Pillow: tests/reference/make_crops.py.
import fixture from "./fixtures/crops.json" with { type: "json" };

const pair = (numbers: readonly number[]): Size => [numbers[0]!, numbers[1]!];
const open = (scene: { png: string }): Promise<RgbaImage> => decodeNodeImage(Uint8Array.from(Buffer.from(scene.png, "base64")), "scene.png");
const faceBox = ([x, y, width, height]: readonly number[]) => ({ centre: [x! + width! / 2, y! + height! / 2], size: [width!, height!] }) as const;
const flat = (width: number, height: number): RgbaImage => ({ width, height, data: new Uint8Array(width * height * 4).fill(90) });

describe("focal point", () => {
  it.each(fixture.scenes)("finds OpenCV's corners, strongest first: $name", async (scene) => {
    const image = await open(scene);
    const luma = reducedLuma(image, [image.width, image.height]);
    const grey = { ...luma, data: luma.data.map(Math.round).fill(0x99, Math.floor(luma.height * 0.9) * luma.width) };
    const found = findCorners(grey, { count: 100, quality: 0.04, distance: Math.min(image.width, image.height) * 0.06 });
    expect(found.map(({ x, y }) => [x, y])).toEqual(scene.corners);
  });

  const slidable = fixture.scenes.filter(({ windows }) => windows.length > 0);
  it.each(slidable)("finds the most uneven window of the dithered picture: $name", async (scene) => {
    const image = await open(scene);
    const length = image.width > image.height ? scene.target[0]! : scene.target[1]!;
    const expected = 4 * scene.windows.indexOf(Math.max(...scene.windows));
    expect(unevenestWindow(reducedLuma(image, [image.width, image.height]), length, 4)).toBe(expected);
  });

  const crops = fixture.scenes.flatMap((scene) => scene.crops.map((crop) => ({ scene, ...crop })));
  it.each(crops)("crops where the webui does, within two pixels of its result: $scene.name, $weights", async ({ scene, weights, scale, start }) => {
    const image = await open(scene);
    const size: Size = [image.width, image.height];
    const target = pair(scene.target);
    const crop = coverCrop(size, target, focalPoint(image, target, weights, scene.faces.map(faceBox)));
    expect(isCropOf(crop, size)).toBe(true);
    expect(Math.max(Math.abs(crop.x * scale - start[0]!), Math.abs(crop.y * scale - start[1]!))).toBeLessThanOrEqual(2);
  });

  it.each(crops.filter(({ windows }) => windows.length > 0))("by entropy, takes a window that is as good as the webui's: $scene.name", async ({ scene, scale, windows }) => {
    const image = await open(scene);
    const target = pair(scene.target);
    const focus = focalPoint(image, target, { face: 0, entropy: 1, corners: 0 })!;
    const start = image.width > image.height ? focus.x * scale - target[0] / 2 : focus.y * scale - target[1] / 2;
    // The webui dithers each window for itself, which is worth some thousandths.
    expect(windows[Math.min(windows.length - 1, Math.round(start / 4))]).toBeGreaterThan(Math.max(...windows) - 0.02);
    expect(Math.max(...windows) - Math.min(...windows)).toBeGreaterThan(0.1);
  });

  it("is nowhere in a flat picture, which is then cropped in its middle", () => {
    expect(focalPoint(flat(120, 80), [64, 64], usualFocusWeights)).toBeUndefined();
    expect(coverCrop([120, 80], [64, 64])).toEqual({ x: 20, y: 0, width: 80, height: 80, target: { width: 64, height: 64 } });
  });

  it("is the face alone where only faces count", () => {
    const face = { centre: [30, 40], size: [20, 20] } as const;
    const focus = focalPoint(flat(200, 80), [64, 64], { face: 0.9, entropy: 0, corners: 0 }, [face]);
    expect(focus?.x).toBeCloseTo(30);
    expect(focus?.y).toBeCloseTo(40 - 10 + 0.33 * 20);
  });

  it("takes pictures of any size down to a pixel", () => {
    for (const [width, height] of [[1, 1], [2, 9], [300, 2], [3, 3], [5, 4]] as const) {
      const image = flat(width, height);
      image.data.fill(255, 0, 4);
      expect(isCropOf(coverCrop([width, height], [64, 96], focalPoint(image, [64, 96], usualFocusWeights)), [width, height])).toBe(true);
    }
  });
});

describe("coverCrop", () => {
  it("keeps the shape wanted, as large as it fits, and stays in the picture wherever the focus is", () => {
    for (const size of [[1920, 1080], [300, 1000], [77, 78]] as const) {
      for (const target of [[512, 512], [512, 768], [100, 30]] as const) {
        for (const focus of [undefined, { x: -50, y: 1e6 }, { x: size[0] * 0.4, y: size[1] * 0.9 }]) {
          const crop = coverCrop(size, target, focus);
          expect(isCropOf(crop, size)).toBe(true);
          expect(crop.width === size[0] || crop.height === size[1]).toBe(true);
          expect(Math.abs(crop.width - (crop.height * target[0]) / target[1])).toBeLessThanOrEqual(0.5 + target[0] / target[1] / 2);
        }
      }
    }
  });
});

describe("auto-sized crop", () => {
  it.each(fixture.autoSizes)("chooses the webui's size and part: $size", ({ size, rules, expected }) => {
    const chosen = autoSize(pair(size), rules as AutoSizeRules);
    expect(chosen ?? null).toEqual(expected?.size ?? null);
    if (chosen === undefined || expected === null) return;
    const { x, y, width, height } = coverCrop(pair(size), chosen);
    for (const [i, edge] of [x, y, x + width, y + height].entries()) expect(Math.abs(edge - expected.box[i]!)).toBeLessThanOrEqual(1);
  });

  it("has nothing for a picture that no allowed size comes near", () => {
    expect(autoSize([3000, 500], usualAutoSize)).toBeUndefined();
  });
});

describe("split oversized", () => {
  it.each(fixture.splits)("cuts at the webui's places: $size to $target, $threshold, $overlap", (example) => {
    const size = pair(example.size);
    const target = pair(example.target);
    const parts = splitOversized(size, { ...example, target }) ?? [];
    expect(parts).toHaveLength(example.starts.length);
    for (const [i, part] of parts.entries()) {
      expect(isCropOf(part, size)).toBe(true);
      const start = (size[1] > size[0] ? part.y : part.x) * example.scale;
      expect(Math.abs(start - example.starts[i]!)).toBeLessThanOrEqual(1 + example.scale);
    }
  });

  it("never makes one part of a picture, and covers it from end to end", () => {
    for (let height = 400; height < 800; height += 37) expect(splitOversized([400, height], { target: [512, 512], ...usualSplit })).toBeUndefined();
    for (let height = 800; height < 2600; height += 37) {
      const parts = splitOversized([400, height], { target: [512, 512], ...usualSplit })!;
      expect(parts.length).toBeGreaterThanOrEqual(2);
      expect(parts[0]!.y).toBe(0);
      expect(parts.at(-1)!.y + parts.at(-1)!.height).toBe(height);
      const steps = parts.slice(1).map((part, i) => part.y - parts[i]!.y);
      expect(Math.max(...steps)).toBeLessThanOrEqual(400 * 0.8 + 1);
    }
  });
});
