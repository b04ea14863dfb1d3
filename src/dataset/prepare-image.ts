import type { Size } from "../config/parameter.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import type { Placement } from "./buckets.ts";
import { cropOffset } from "./buckets.ts";
import type { RgbImage, RgbaImage } from "./image.ts";
import { resizeWithAlpha } from "./resize-alpha.ts";
import { dropAlpha, resize, type ResizeKernel } from "./resize.ts";

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

export interface PreparedPicture {
  /** [height, width, 3] of the bucket, in −1…1 */
  readonly image: Float32Array<ArrayBuffer>;
  /** [height / 8, width / 8]: how much each pixel of the latents counts, in 0…1 */
  readonly mask: Float32Array<ArrayBuffer> | undefined;
}

/** A picture and, with `alpha_mask`, its alpha channel as a mask, prepared alike. */
export function preparePicture(
  image: RgbaImage, placement: Placement, config: Pick<TrainingConfig, "resize_interpolation" | "alpha_mask">,
): PreparedPicture {
  const kernel = config.resize_interpolation;
  if (!config.alpha_mask) return { image: prepareImage(image, placement, kernel), mask: undefined };
  const [width, height] = placement.resized;
  const resized = resizeWithAlpha(image, width, height, kernel);
  const [left, top] = cropOffset(placement);
  const [rgb, alpha] = [resized.rgb, resized.alpha].map((part) => crop(part, left, top, placement.bucket[0], placement.bucket[1]));
  return { image: toFloat(rgb!), mask: latentMask(alpha!) };
}

/** A picture without a mask beside others that have one counts whole. */
export function withMask({ image, mask }: PreparedPicture, [width, height]: Size): PreparedPicture {
  return { image, mask: mask ?? new Float32Array((width / CELL) * (height / CELL)).fill(1) };
}

/** Pixels per latent cell. */
const CELL = 8;

/** Mean of alpha over each latent cell, as torch's area interpolation. */
function latentMask({ width, height, data }: RgbImage): Float32Array<ArrayBuffer> {
  const columns = width / CELL;
  const sums = new Float64Array((height / CELL) * columns);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const cell = Math.floor(y / CELL) * columns + Math.floor(x / CELL);
      sums[cell] = sums[cell]! + data[(y * width + x) * 3]!;
    }
  }
  return Float32Array.from(sums, (sum) => sum / (255 * CELL * CELL));
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
