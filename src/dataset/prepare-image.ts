import type { Size } from "../config/parameter.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import { InputError } from "../errors.ts";
import type { Placement } from "./buckets.ts";
import { shiftColours } from "./colour-shift.ts";
import { cropWindow, type CropRules } from "./crop-window.ts";
import type { RgbImage, RgbaImage } from "./image.ts";
import { resizeWithAlpha } from "./resize-alpha.ts";
import { dropAlpha, resize } from "./resize.ts";
import type { Chance } from "./vary-caption.ts";

export interface PreparedPicture {
  /** [height, width, 3] of the bucket, in −1…1 */
  readonly image: Float32Array<ArrayBuffer>;
  /** [height / 8, width / 8]: how much each pixel of the latents counts, in 0…1 */
  readonly mask: Float32Array<ArrayBuffer> | undefined;
}

export type PictureRules = CropRules & Pick<TrainingConfig, "resize_interpolation" | "alpha_mask">;

export interface PictureToPrepare {
  readonly path: string;
  readonly image: RgbaImage;
  /** A picture of the same size whose red channel is the mask, in place of the alpha channel. */
  readonly mask?: RgbaImage | undefined;
  readonly placement: Placement;
  /** Of this showing; undefined prepares what does not vary. */
  readonly chance?: Chance | undefined;
}

/**
 * A picture and its mask, if it has one, prepared alike.
 * @throws InputError `image.maskSize`
 */
export function preparePicture({ path, image, mask, placement, chance }: PictureToPrepare, rules: PictureRules): PreparedPicture {
  const kernel = rules.resize_interpolation;
  const { resized: [width, height], left, top, size } = cropWindow(path, [image.width, image.height], placement, rules, chance);
  const cut = (part: RgbImage): RgbImage => crop(part, left, top, size[0], size[1]);
  const coloured = (rgb: RgbImage): Float32Array<ArrayBuffer> => toFloat(chance !== undefined && rules.color_aug ? shiftColours(rgb, chance) : rgb);
  if (mask !== undefined) {
    checkMaskSize(path, image, mask);
    const rgb = cut(resize(dropAlpha(image), width, height, kernel));
    return { image: coloured(rgb), mask: latentMask(cut(resize(dropAlpha(mask), width, height, kernel))) };
  }
  if (!rules.alpha_mask) return { image: coloured(cut(resize(dropAlpha(image), width, height, kernel))), mask: undefined };
  const { rgb, alpha } = resizeWithAlpha(image, width, height, kernel);
  return { image: coloured(cut(rgb)), mask: latentMask(cut(alpha)) };
}

function checkMaskSize(path: string, image: RgbaImage, mask: RgbaImage): void {
  if (image.width === mask.width && image.height === mask.height) return;
  const [size, other] = [`${image.width}×${image.height}`, `${mask.width}×${mask.height}`];
  throw new InputError("image.maskSize", `${path} is ${size} pixels and its mask ${other}; both must have the same size.`, { file: path, size, other });
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
