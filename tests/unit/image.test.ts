import { describe, expect, it } from "vitest";
import { decodeNodeImage } from "../../src/cli/node-images.ts";
import { readImageSize } from "../../src/dataset/image-size.ts";
import { crop, preparePicture } from "../../src/dataset/prepare-image.ts";
import { dropAlpha, resize } from "../../src/dataset/resize.ts";
import { blobSource } from "../../src/formats/byte-source.ts";
import { InputError } from "../../src/errors.ts";
// From OpenCV and Pillow: tests/reference/make_images.py.
import fixture from "./fixtures/images.json" with { type: "json" };
// … by sd-scripts' own resize_image: tests/reference/make_resizes.py.
import resizes from "./fixtures/resizes.json" with { type: "json" };

const plainRules = {
  resize_interpolation: null, alpha_mask: false, color_aug: false, random_crop: false, face_crop_aug_range: "", enable_bucket: true,
} as const;
const bytesOf = (base64: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(base64, "base64"));
const source = (bytes: Uint8Array<ArrayBuffer>, name = "picture") => blobSource(new Blob([bytes]), name);

/** Largest difference in levels, and how many values differ at all. */
function difference(actual: ArrayLike<number>, expected: ArrayLike<number>): { worst: number; share: number } {
  expect(actual.length).toBe(expected.length);
  const steps = Array.from(expected, (value, i) => Math.abs(value - actual[i]!));
  return { worst: Math.max(...steps), share: steps.filter((step) => step > 0).length / steps.length };
}

async function failure(promise: Promise<unknown>): Promise<InputError> {
  const error = await promise.then(() => undefined, (reason: unknown) => reason);
  if (error instanceof InputError) return error;
  throw new Error("expected an InputError");
}

describe("resize", () => {
  it.each(fixture.resized)("gives the bytes of the reference: $kernel from $from to $to", (example) => {
    const [width, height] = example.from as [number, number];
    const image = { width, height, data: bytesOf(example.source) };
    const resized = resize(image, example.to[0]!, example.to[1]!);
    const { worst, share } = difference(resized.data, bytesOf(example.resized));
    expect(worst).toBeLessThanOrEqual(1);
    expect(share).toBeLessThan(0.002);
  });

  const kernels = ["lanczos", "nearest", "bilinear", "linear", "bicubic", "cubic", "area"] as const;
  it.each(kernels)("gives the bytes of the reference for resize_interpolation %s", (kernel) => {
    for (const example of resizes.resized) {
      const [width, height] = example.from as [number, number];
      const resized = resize({ width, height, data: bytesOf(example.source) }, example.to[0]!, example.to[1]!, kernel);
      const { worst, share } = difference(resized.data, bytesOf(example.resized[kernel]));
      expect({ kernel, to: example.to, worst: Math.max(1, worst) }).toEqual({ kernel, to: example.to, worst: 1 });
      // OpenCV has several ways for cubic, depending on the processor, which differ in the last bit.
      expect(share).toBeLessThan(kernel.endsWith("cubic") ? 0.05 : 0.01);
    }
  });

  it("leaves a picture of the right size alone", () => {
    const image = { width: 1, height: 1, data: Uint8Array.of(1, 2, 3) };
    expect(resize(image, 1, 1)).toBe(image);
  });

  it("keeps a flat colour flat", () => {
    const flat = { width: 31, height: 17, data: new Uint8Array(31 * 17 * 3).fill(77) };
    for (const [width, height] of [[13, 9], [50, 40], [20, 30]] as const) {
      expect(new Set(resize(flat, width, height).data)).toEqual(new Set([77]));
    }
  });
});

describe("preparePicture", () => {
  it("crops the middle and brings levels to −1…1", () => {
    const data = Uint8Array.from({ length: 4 * 2 * 4 }, (_, i) => (i % 4 === 3 ? 0 : Math.floor(i / 4) * 10));
    const placement = { bucket: [2, 1], resized: [4, 2], ratioError: 0 } as const;
    const { image: prepared } = preparePicture({ path: "a.png", image: { width: 4, height: 2, data }, placement }, plainRules);
    const expected = [10, 20].flatMap((level) => [level, level, level]).map((level) => (level / 255) * 2 - 1);
    expect(prepared.length).toBe(6);
    for (const [i, value] of expected.entries()) expect(prepared[i]).toBeCloseTo(value, 6);
  });

  it.each(resizes.masked)("makes a mask of alpha as sd-scripts does: from $from to $to, $kernel", ({ kernel, source: pixels, rgb, mask, ...sizes }) => {
    const [width = 0, height = 0] = sizes.from;
    const [toWidth = 0, toHeight = 0] = sizes.to;
    const placement = { bucket: [toWidth, toHeight], resized: [toWidth, toHeight], ratioError: 0 } as const;
    const picture = { width, height, data: bytesOf(pixels) };
    const settings = { ...plainRules, resize_interpolation: kernel as "bilinear" | null, alpha_mask: true };
    const prepared = preparePicture({ path: "a.png", image: picture, placement }, settings);
    const { worst, share } = difference(prepared.image.map((value) => Math.round((value + 1) * 127.5)), bytesOf(rgb));
    expect(worst).toBeLessThanOrEqual(1);
    expect(share).toBeLessThan(0.01);
    expect(prepared.mask!.length).toBe(mask.length);
    for (const [i, value] of mask.entries()) expect(Math.abs(prepared.mask![i]! - value)).toBeLessThan(1e-4);
    expect(preparePicture({ path: "a.png", image: picture, placement }, { ...settings, alpha_mask: false }).mask).toBeUndefined();
  });

  it("crops by rows", () => {
    const image = { width: 3, height: 3, data: Uint8Array.from({ length: 27 }, (_, i) => i) };
    expect(Array.from(crop(image, 1, 1, 2, 2).data)).toEqual([12, 13, 14, 15, 16, 17, 21, 22, 23, 24, 25, 26]);
  });
});

describe("decoding in Node", () => {
  it.each(fixture.pictures)("reads $name as Pillow does", async ({ name, size, file, rgb }) => {
    const bytes = bytesOf(file);
    expect(await readImageSize(source(bytes, name))).toEqual(size);
    const image = await decodeNodeImage(bytes, name);
    expect([image.width, image.height]).toEqual(size);
    const lossy = name.endsWith(".jpg") || name === "lossy.webp";
    expect(difference(dropAlpha(image).data, bytesOf(rgb)).worst).toBeLessThanOrEqual(lossy ? 1 : 0);
  });

  const png = bytesOf(fixture.pictures.find((picture) => picture.name === "rgb.png")!.file);
  const jpeg = bytesOf(fixture.pictures.find((picture) => picture.name === "turned.jpg")!.file);
  const bmp = bytesOf(fixture.pictures.find((picture) => picture.name === "rgb.bmp")!.file);
  const text = new TextEncoder().encode("This is not a picture, whatever its name says.");

  it.each([
    ["nothing", new Uint8Array(0)], ["text", text], ["half a PNG", png.slice(0, png.length / 2)],
    ["half a JPEG", jpeg.slice(0, jpeg.length - 100)], ["half a BMP", bmp.slice(0, bmp.length / 2)],
  ])("refuses %s by name", async (_, bytes) => {
    const error = await failure(decodeNodeImage(bytes, "photo.png"));
    expect(error.code).toBe("image.undecodable");
    expect(error.message).toContain("photo.png");
    expect(error.message).not.toContain("\n");
  });

  it.each([["nothing", new Uint8Array(0)], ["text", text], ["a JPEG without a frame", jpeg.slice(0, 3000)]])(
    "finds no size in %s", async (_, bytes) => {
      expect((await failure(readImageSize(source(bytes)))).code).toBe("image.undecodable");
    },
  );

  it("refuses a huge picture from its header, before decoding", async () => {
    const huge = png.slice();
    new DataView(huge.buffer).setUint32(16, 20_000);
    const error = await failure(readImageSize(source(huge, "huge.png")));
    expect(error).toMatchObject({ code: "image.tooLarge", data: { file: "huge.png", width: 20_000 } });
  });

  it("finds the size of an upside-down BMP", async () => {
    const flipped = bmp.slice();
    const view = new DataView(flipped.buffer);
    view.setInt32(22, -view.getInt32(22, true), true);
    expect(await readImageSize(source(flipped))).toEqual([23, 14]);
    const normal = await decodeNodeImage(bmp, "a.bmp");
    const turned = await decodeNodeImage(flipped, "a.bmp");
    expect(turned.data.slice(0, 23 * 4)).toEqual(normal.data.slice(13 * 23 * 4));
  });
});
