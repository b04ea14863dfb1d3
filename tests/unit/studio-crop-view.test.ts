import { describe, expect, it } from "vitest";
import { parseConfig } from "../../src/config/config.ts";
import type { Size } from "../../src/config/parameter.ts";
import { bucketOptions, placeImage, predefinedBuckets } from "../../src/dataset/buckets.ts";
import type { RgbaImage } from "../../src/dataset/image.ts";
import { preparePicture } from "../../src/dataset/prepare-image.ts";
import { proposeCrops } from "../../src/studio/crop-method.ts";
import { renderCrop } from "../../src/studio/crop-render.ts";
import { trainingViews } from "../../src/studio/crop-view.ts";
import type { SeenPicture } from "../../src/studio/crop-view.ts";
import type { Crop } from "../../src/studio/picture.ts";

const configOf = (values: Record<string, unknown>) => parseConfig({ resolution: 256, min_bucket_reso: 128, max_bucket_reso: 512, ...values }).config;
const picture = (width: number, height: number, more: Partial<SeenPicture> = {}): SeenPicture => ({
  name: "a.png", width, height, crop: null, isMirrored: false, ...more,
});

/** Red grows from left to right, green from top to bottom: a colour tells its place. */
function placed(width: number, height: number): RgbaImage {
  const data = new Uint8Array(width * height * 4).fill(255);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      data[(y * width + x) * 4] = Math.round(((x + 0.5) * 255) / width);
      data[(y * width + x) * 4 + 1] = Math.round(((y + 0.5) * 255) / height);
    }
  }
  return { width, height, data };
}

/** The same pictures in the same order, every time. */
function dice(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

describe("what training will see", () => {
  const below = dice(7);
  const cases = Array.from({ length: 24 }, () => {
    const [width, height] = [150 + below(400), 150 + below(400)];
    const size = { width: 128 + below(width - 128), height: 128 + below(height - 128) };
    const target = below(2) === 0 ? {} : { target: { width: 128 + below(200), height: 128 + below(200) } };
    const crop: Crop = { x: below(width - size.width + 1), y: below(height - size.height + 1), ...size, ...target };
    const rules = { enable_bucket: below(3) > 0, bucket_no_upscale: below(2) === 0, bucket_reso_steps: [64, 128][below(2)] };
    return { view: picture(width, height, { crop: below(3) === 0 ? null : crop, isMirrored: below(3) === 0 }), rules };
  });

  it.each(cases)("is the part of the picture that comes out of its preparation: $view, $rules", ({ view, rules }) => {
    const config = configOf(rules);
    const seen = trainingViews(config)(view)!;
    const image = renderCrop(placed(view.width, view.height), view.crop, view.isMirrored);
    const size: Size = [image.width, image.height];
    const options = bucketOptions(config);
    const placement = placeImage(size, options, predefinedBuckets(options));
    const { image: pixels } = preparePicture({ path: view.name, image, placement }, config);
    const [width, height] = seen.bucket;
    expect(pixels).toHaveLength(width * height * 3);
    const level = (x: number, y: number, channel: number): number => ((pixels[(y * width + x) * 3 + channel]! + 1) / 2);
    // Away from the rim, where Lanczos sees the end of the gradient.
    for (const at of [0.25, 0.5, 0.75]) {
      const [column, row] = [Math.floor(width * at), Math.floor(height * at)];
      const [along, down] = [(column + 0.5) / width, (row + 0.5) / height];
      const x = view.isMirrored ? seen.seen.x + (1 - along) * seen.seen.width : seen.seen.x + along * seen.seen.width;
      expect(Math.abs(level(column, row, 0) * view.width - x)).toBeLessThan(view.width / 255 + 0.6);
      expect(Math.abs(level(column, row, 1) * view.height - (seen.seen.y + down * seen.seen.height))).toBeLessThan(view.height / 255 + 0.6);
    }
  });

  it("tells what is cut off at each side", () => {
    // 1024×768 goes into 576×448: resized to 597×448, of which 21 columns are cut.
    const view = trainingViews(parseConfig({ resolution: 512, enable_bucket: true }).config)(picture(1024, 768))!;
    expect(view).toMatchObject({ bucket: [576, 448], cut: { left: 17, right: 19, top: 0, bottom: 0 }, varies: undefined });
    expect(view.scale).toBeCloseTo(448 / 768);
  });

  it("follows a crop and its target", () => {
    const views = trainingViews(parseConfig({ resolution: 512, enable_bucket: true }).config);
    const crop = { x: 100, y: 20, width: 600, height: 600, target: { width: 512, height: 512 } };
    expect(views(picture(1024, 768, { crop }))).toMatchObject({
      bucket: [512, 512], seen: { x: 100, y: 20, width: 600, height: 600 }, cut: { left: 0, right: 0, top: 0, bottom: 0 },
    });
  });

  it("says where showings differ", () => {
    const views = (values: Record<string, unknown>) => trainingViews(configOf(values));
    expect(views({ random_crop: true, enable_bucket: true })(picture(200, 100))?.varies).toBe("anywhere");
    const faces = views({ face_crop_aug_range: "2.0,4.0", enable_bucket: false });
    expect(faces(picture(800, 400))?.varies).toBeUndefined();
    const face = faces(picture(800, 400, { name: "a_600_160_80_80.png" }));
    expect(face?.varies).toBe("aroundFace");
    expect(face!.seen.x + face!.seen.width / 2).toBeGreaterThan(520);
  });

  it("has nothing to show of a picture that a run would refuse", () => {
    expect(trainingViews(parseConfig({ resolution: 512, enable_bucket: true, bucket_no_upscale: true }).config)(picture(40, 300))).toBeUndefined();
  });
});

describe("a rendered crop", () => {
  const image = placed(12, 10);
  it("is the pixels themselves where nothing is resized", () => {
    const part = renderCrop(image, { x: 3, y: 2, width: 4, height: 5 }, false);
    expect([part.width, part.height]).toEqual([4, 5]);
    expect([...part.data.subarray(0, 4)]).toEqual([...image.data.subarray((2 * 12 + 3) * 4, (2 * 12 + 3) * 4 + 4)]);
    expect(renderCrop(image, null, false)).toBe(image);
  });

  it("is mirrored after it was cut out, and twice mirrored as before", () => {
    const crop = { x: 3, y: 2, width: 4, height: 5 };
    const [plain, flipped] = [renderCrop(image, crop, false), renderCrop(image, crop, true)];
    expect([...flipped.data.subarray(0, 4)]).toEqual([...plain.data.subarray(12, 16)]);
    expect(renderCrop(flipped, null, true).data).toEqual(plain.data);
  });

  it("has its target's size, with transparency", () => {
    const glass = { ...image, data: image.data.map((level, at) => (at % 4 === 3 ? 100 : level)) };
    const made = renderCrop(glass, { x: 0, y: 0, width: 8, height: 8, target: { width: 4, height: 16 } }, false);
    expect([made.width, made.height, made.data.length, made.data[3]]).toEqual([4, 16, 256, 100]);
    expect(renderCrop(image, { x: 0, y: 0, width: 8, height: 8, target: { width: 4, height: 4 } }, false).data[3]).toBe(255);
  });
});

describe("a way to crop many", () => {
  it("leaves alone what has the size, has no size near it, or is not long", () => {
    expect(proposeCrops([512, 512], { kind: "middle", target: [512, 512] })).toEqual({ none: "fits" });
    const rules = { least: 384, most: 768, leastArea: 4096, mostArea: 409600, threshold: 0.1, objective: "area" } as const;
    expect(proposeCrops([3000, 500], { kind: "autoSize", rules })).toEqual({ none: "noSize" });
    expect(proposeCrops([600, 500], { kind: "split", rules: { target: [512, 512], threshold: 0.5, overlap: 0.2 } })).toEqual({ none: "notLong" });
  });

  it("crops around the focus", () => {
    expect(proposeCrops([200, 100], { kind: "middle", target: [50, 50] }, { x: 190, y: 0 })).toEqual({
      crops: [{ x: 100, y: 0, width: 100, height: 100, target: { width: 50, height: 50 } }],
    });
  });
});
