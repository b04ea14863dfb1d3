import type { TrainingConfig } from "../config/parameters.ts";
import type { Placement } from "./buckets.ts";
import { cropOffset } from "./buckets.ts";
import type { RgbImage, RgbaImage } from "./image.ts";
import { resizeArea } from "./resize-area.ts";
import { resizeCv } from "./resize-cv.ts";
import { resizeLanczos } from "./resize-lanczos.ts";

/**
 * A picture as the VAE takes it: resized, cropped in the middle, brought to −1…1.
 * @param kernel `resize_interpolation`
 * @returns [height, width, 3] of the bucket
 */
export function prepareImage(image: RgbaImage, placement: Placement, kernel: ResizeKernel | null = null): Float32Array<ArrayBuffer> {
  const [width, height] = placement.resized;
  const resized = resize(dropAlpha(image), width, height, kernel);
  const [left, top] = cropOffset(placement);
  return toFloat(crop(resized, left, top, placement.bucket[0], placement.bucket[1]));
}

/** Colours as they are stored under the alpha channel; nothing is composited, as in PIL's `convert("RGB")`. */
export function dropAlpha(image: RgbaImage): RgbImage {
  const pixels = image.width * image.height;
  const data = new Uint8Array(pixels * 3);
  for (let i = 0; i < pixels; i++) {
    data[i * 3] = image.data[i * 4]!;
    data[i * 3 + 1] = image.data[i * 4 + 1]!;
    data[i * 3 + 2] = image.data[i * 4 + 2]!;
  }
  return { width: image.width, height: image.height, data };
}

export type ResizeKernel = NonNullable<TrainingConfig["resize_interpolation"]>;

/** @param kernel where null, sd-scripts' choice: area averaging where no side grows, Lanczos otherwise */
export function resize(image: RgbImage, width: number, height: number, kernel: ResizeKernel | null = null): RgbImage {
  if (width === image.width && height === image.height) return image;
  const shrinks = width <= image.width && height <= image.height;
  switch (kernel ?? (shrinks ? "area" : "lanczos")) {
    case "area":
      return shrinks ? resizeArea(image, width, height) : resizeCv(image, width, height, "area");
    case "lanczos":
      return resizeLanczos(image, width, height);
    case "nearest":
      return resizeCv(image, width, height, "nearest");
    case "bilinear":
    case "linear":
      // OpenCV takes the mean of four pixels where both sides are halved.
      return image.width === 2 * width && image.height === 2 * height ? resizeArea(image, width, height) : resizeCv(image, width, height, "linear");
    case "bicubic":
    case "cubic":
      return resizeCv(image, width, height, "cubic");
  }
}

export function crop(image: RgbImage, left: number, top: number, width: number, height: number): RgbImage {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const start = ((top + y) * image.width + left) * 3;
    data.set(image.data.subarray(start, start + width * 3), y * width * 3);
  }
  return { width, height, data };
}

function toFloat(image: RgbImage): Float32Array<ArrayBuffer> {
  return Float32Array.from(image.data, (byte) => Math.fround(byte / 255) * 2 - 1);
}
