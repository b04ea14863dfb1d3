/** What makes pictures look different at each showing, against sd-scripts with the same draws. */
import { describe, expect, it } from "vitest";
import { defaultConfig } from "../../src/config/parameters.ts";
import { ConfigError } from "../../src/config/errors.ts";
import { parseConfig } from "../../src/config/config.ts";
import { shiftColours } from "../../src/dataset/colour-shift.ts";
import { cropWindow, faceBoxOf, variesPictures } from "../../src/dataset/crop-window.ts";
import { preparePicture } from "../../src/dataset/prepare-image.ts";
import type { Chance } from "../../src/dataset/vary-caption.ts";
// By sd-scripts' own color_aug and crop_target: tests/reference/make_augmentations.py.
import fixture from "./fixtures/augmentations.json" with { type: "json" };

type Draw = { readonly uniform?: number | undefined; readonly below?: number | undefined; readonly limit?: number | undefined };

/** Gives the listed draws, and holds their kinds and limits. */
function listed(draws: readonly Draw[]): Chance & { readonly left: () => number } {
  let next = 0;
  return {
    uniform() {
      const draw = draws[next++];
      expect(draw?.uniform).toBeTypeOf("number");
      return draw!.uniform!;
    },
    below(limit) {
      const draw = draws[next++];
      expect(draw?.limit).toBe(limit);
      return draw!.below!;
    },
    left: () => draws.length - next,
  };
}

const bytesOf = (base64: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(base64, "base64"));
const none: Chance = { uniform: () => 0.999, below: () => 0 };
const rules = { ...defaultConfig(), enable_bucket: false, resolution: [512, 512] as const };

describe("colours", () => {
  const [{ width, height, source, cases }] = fixture.colours as [(typeof fixture.colours)[number]];
  it.each(cases.map((example, number) => ({ number, ...example })))("change as in sd-scripts: draws $number", ({ draws, result }) => {
    const chance = listed(draws);
    const { data } = shiftColours({ width, height, data: bytesOf(source) }, chance);
    expect(chance.left()).toBe(0);
    const expected = bytesOf(result);
    const worst = Math.max(...data.map((level, i) => Math.abs(level - expected[i]!)));
    const share = data.filter((level, i) => level !== expected[i]).length / data.length;
    expect(worst).toBeLessThanOrEqual(1);
    expect(share).toBeLessThan(0.01);
  });

  it("change in all three ways", () => {
    expect(new Set(cases.map(({ draws }) => draws.length))).toEqual(new Set([1, 3]));
  });
});

describe("crops around a face", () => {
  it.each(fixture.crops.map((example, number) => ({ number, ...example })))("lie where sd-scripts' lie: picture $number", (example) => {
    const { size, picture, face, range, draws } = example;
    const path = `some/name_${face.join("_")}.png`;
    const bucket = [size[0]!, size[1]!] as const;
    const placement = { bucket, resized: bucket, ratioError: 0 };
    const chance = listed(draws);
    const own = { ...rules, random_crop: example.random_crop, face_crop_aug_range: range.join(",") };
    const { resized, left, top } = cropWindow(path, [picture[0]!, picture[1]!], placement, own, chance);
    expect([resized, left, top]).toEqual([example.resized, example.left, example.top]);
    expect(chance.left()).toBe(0);
  });

  it("are read off the file's name, and left out where buckets or the name do not allow them", () => {
    expect(faceBoxOf("a/b_c_100_120_30_40.webp")).toEqual({ centre: [100, 120], size: [30, 40] });
    expect(faceBoxOf("a/100_120_30_40.webp")).toBeUndefined();
    expect(faceBoxOf("a/b_x_120_30_40.webp")).toBeUndefined();
    const placement = { bucket: [512, 512], resized: [600, 512], ratioError: 0 } as const;
    const own = { ...rules, face_crop_aug_range: "2,4" };
    expect(cropWindow("b.png", [1200, 1024], placement, own, none)).toEqual({ resized: [600, 512], left: 44, top: 0, size: [512, 512] });
    expect(variesPictures(own)).toBe(true);
    expect(variesPictures({ ...own, enable_bucket: true })).toBe(false);
  });

  it("want two numbers", () => {
    for (const text of ["2", "2,3,4", "a,b", "-1,2", "0,", "1e9999,2"]) {
      expect(() => parseConfig({ face_crop_aug_range: text })).toThrow(ConfigError);
    }
    expect(parseConfig({ face_crop_aug_range: "2.0, 4" }).config.face_crop_aug_range).toBe("2.0, 4");
  });
});

describe("random crops", () => {
  const placement = { bucket: [512, 512], resized: [600, 512], ratioError: 0 } as const;
  const own = { ...rules, random_crop: true };

  it("reach every place of what is cut off, and no further", () => {
    const limits: number[] = [];
    const window = cropWindow("a.png", [1200, 1024], placement, { ...own, enable_bucket: true }, {
      uniform: () => 0, below: (limit) => limits.push(limit) && limit - 1,
    });
    expect(limits).toEqual([89, 1]);
    expect(window).toEqual({ resized: [600, 512], left: 88, top: 0, size: [512, 512] });
  });

  it("without buckets cut larger pictures out at their own size, and bring smaller ones to it", () => {
    expect(cropWindow("a.png", [1200, 1024], placement, own, none).resized).toEqual([1200, 1024]);
    expect(cropWindow("a.png", [300, 256], placement, own, none).resized).toEqual([600, 512]);
  });
});

describe("masks beside pictures", () => {
  const picture = (levels: readonly number[]) => ({ width: 16, height: 8, data: Uint8Array.from({ length: 16 * 8 * 4 }, (_, i) => levels[i % 4]!) });
  const placement = { bucket: [16, 8], resized: [16, 8], ratioError: 0 } as const;

  it("count by their red channel, as a mean over each latent", () => {
    const mask = picture([255, 7, 9, 0]);
    for (let i = 0; i < mask.data.length; i += 64) mask.data.fill(0, i, i + 32);
    const prepared = preparePicture({ path: "a.png", image: picture([10, 20, 30, 0]), mask, placement }, { ...rules, alpha_mask: true });
    expect([...prepared.mask!]).toEqual([0, 1]);
  });

  it("must have the picture's size", () => {
    const mask = { width: 8, height: 8, data: new Uint8Array(256) };
    expect(() => preparePicture({ path: "a.png", image: picture([1, 2, 3, 4]), mask, placement }, rules)).toThrow(/a\.png is 16×8 pixels and its mask 8×8/);
  });
});
