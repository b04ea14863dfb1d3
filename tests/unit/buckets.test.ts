import { describe, expect, it } from "vitest";
import { parseConfig } from "../../src/config/config.ts";
import type { Size } from "../../src/config/parameter.ts";
import {
  bucketInfo, bucketOptions, cropOffset, placeImage, planBuckets, predefinedBuckets,
} from "../../src/dataset/buckets.ts";
// From sd-scripts: tests/reference/make_buckets.py.
import fixture from "./fixtures/buckets.json" with { type: "json" };

const pair = (numbers: readonly number[]): Size => [numbers[0]!, numbers[1]!];
const options = (values: Record<string, unknown> = {}) =>
  bucketOptions(parseConfig({ enable_bucket: true, resolution: 512, ...values }).config);
const place = (size: Size, values: Record<string, unknown> = {}) =>
  placeImage(size, options(values), predefinedBuckets(options(values)));

describe("predefinedBuckets", () => {
  it("lists sd-scripts' 17 shapes for 512²", () => {
    const narrow: Size[] = [
      [256, 832], [256, 896], [256, 960], [256, 1024], [320, 704], [320, 768], [384, 640], [448, 576],
    ];
    const wide = narrow.map(([width, height]): Size => [height, width]);
    const expected = [...narrow, [512, 512] as const, ...wide].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    expect(predefinedBuckets(options())).toEqual(expected);
    expect(predefinedBuckets(options({ max_bucket_reso: 2048 }))).toHaveLength(17);
  });

  it("is the resolution alone without buckets", () => {
    expect(predefinedBuckets(options({ enable_bucket: false, resolution: "512,768" }))).toEqual([[512, 768]]);
  });
});

describe("placeImage", () => {
  // What sd-scripts' rules give, worked out apart from this code.
  it.each<[Size, Size, Size, Size, Size]>([
    [[1024, 768], [576, 448], [597, 448], [512, 384], [512, 384]],
    [[600, 900], [384, 640], [427, 640], [384, 576], [384, 576]],
    [[1920, 1080], [640, 384], [683, 384], [640, 384], [683, 384]],
    [[700, 500], [576, 448], [627, 448], [512, 384], [538, 384]],
    [[300, 300], [512, 512], [512, 512], [256, 256], [300, 300]],
  ])("puts %j into %j (resized %j), or %j (resized %j) without enlarging", (size, bucket, resized, keptBucket, kept) => {
    expect(place(size)).toMatchObject({ bucket, resized });
    expect(place(size, { bucket_no_upscale: true })).toMatchObject({ bucket: keptBucket, resized: kept });
  });

  it.each(fixture)("chooses as sd-scripts' BucketManager does: $options", ({ options, pictures }) => {
    const given = { ...options, resolution: pair(options.resolution), enabled: true };
    const shapes = predefinedBuckets(given);
    for (const { size, ...expected } of pictures) expect(placeImage(pair(size), given, shapes)).toEqual(expected);
  });

  it("takes a shape that fits exactly, whatever is nearest", () => {
    expect(place([320, 768])).toMatchObject({ bucket: [320, 768], resized: [320, 768], ratioError: 0 });
  });

  it("covers the one shape without buckets", () => {
    expect(place([1000, 500], { enable_bucket: false })).toMatchObject({ bucket: [512, 512], resized: [1024, 512] });
  });

  it("refuses a picture of which nothing would be left", () => {
    expect(() => place([40, 300], { bucket_no_upscale: true })).toThrow(/40×300/);
    expect(() => place([30_000, 10], { bucket_no_upscale: true })).toThrow(/too small or too narrow/);
  });

  it("always covers the bucket, so that cropping is enough", () => {
    for (const noUpscale of [false, true]) {
      const given = options({ bucket_no_upscale: noUpscale });
      const shapes = predefinedBuckets(given);
      for (let width = 70; width < 1500; width += 37) {
        for (let height = 70; height < 1500; height += 41) {
          const { bucket, resized } = placeImage([width, height], given, shapes);
          expect(resized[0] >= bucket[0] && resized[1] >= bucket[1], `${width}×${height}`).toBe(true);
        }
      }
    }
  });
});

describe("cropOffset", () => {
  it("halves the excess, rounding down", () => {
    expect(cropOffset({ bucket: [576, 448], resized: [597, 448], ratioError: 0 })).toEqual([10, 0]);
  });
});

describe("planBuckets", () => {
  const pictures = [
    { path: "a.png", size: [300, 300], repeats: 2 }, { path: "b.png", size: [1024, 768], repeats: 1 },
    { path: "c.png", size: [512, 512], repeats: 3 },
  ] as const;

  it("lists each picture as often as it is repeated, by resolution", () => {
    const { buckets } = planBuckets(pictures, options());
    expect(buckets).toEqual([
      { resolution: [512, 512], items: [0, 0, 2, 2, 2] }, { resolution: [576, 448], items: [1] },
    ]);
  });

  it("describes itself for the file's metadata", () => {
    const info = bucketInfo(planBuckets(pictures, options()));
    expect(info).toEqual({
      buckets: { 0: { resolution: [512, 512], count: 5 }, 1: { resolution: [576, 448], count: 1 } },
      mean_img_ar_error: Math.abs(576 / 448 - 1024 / 768) / 3,
    });
    expect(bucketInfo(planBuckets(pictures, options({ enable_bucket: false })))).toBeNull();
  });

  it("names the picture that does not fit", () => {
    const narrow = [{ path: "dir/thin.png", size: [20, 400], repeats: 1 }] as const;
    expect(() => planBuckets(narrow, options({ bucket_no_upscale: true }))).toThrow(
      expect.objectContaining({ code: "image.tooSmall", data: expect.objectContaining({ file: "dir/thin.png" }) }),
    );
  });
});
