import type { RgbaImage } from "../dataset/image.ts";
import { resizeWithAlpha } from "../dataset/resize-alpha.ts";
import { dropAlpha, resize } from "../dataset/resize.ts";
import type { Crop } from "./picture.ts";

/**
 * The picture that is made of another: cut out, resized to the crop's target as sd-scripts resizes (averaging areas where
 * it shrinks, Lanczos where it grows), then mirrored.
 */
export function renderCrop(image: RgbaImage, crop: Crop | null, isMirrored: boolean): RgbaImage {
  const part = crop === null ? image : cutOut(image, crop);
  const target = crop?.target;
  const sized = target === undefined ? part : resized(part, target.width, target.height);
  return isMirrored ? mirrored(sized) : sized;
}

function cutOut(image: RgbaImage, { x, y, width, height }: Crop): RgbaImage {
  const data = new Uint8Array(width * height * 4);
  for (let row = 0; row < height; row++) {
    const start = ((y + row) * image.width + x) * 4;
    data.set(image.data.subarray(start, start + width * 4), row * width * 4);
  }
  return { width, height, data };
}

function resized(image: RgbaImage, width: number, height: number): RgbaImage {
  if (image.width === width && image.height === height) return image;
  if (isOpaque(image)) return withAlpha(resize(dropAlpha(image), width, height).data, undefined, width, height);
  const { rgb, alpha } = resizeWithAlpha(image, width, height, null);
  return withAlpha(rgb.data, alpha.data, width, height);
}

function isOpaque({ data }: RgbaImage): boolean {
  for (let at = 3; at < data.length; at += 4) if (data[at] !== 255) return false;
  return true;
}

/** @param alpha three times in each pixel; undefined: opaque */
function withAlpha(rgb: Uint8Array, alpha: Uint8Array | undefined, width: number, height: number): RgbaImage {
  const data = new Uint8Array(width * height * 4);
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let channel = 0; channel < 3; channel++) data[pixel * 4 + channel] = rgb[pixel * 3 + channel]!;
    data[pixel * 4 + 3] = alpha === undefined ? 255 : alpha[pixel * 3]!;
  }
  return { width, height, data };
}

function mirrored({ width, height, data }: RgbaImage): RgbaImage {
  const flipped = new Uint8Array(data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (y * width + x) * 4;
      const to = (y * width + width - 1 - x) * 4;
      for (let channel = 0; channel < 4; channel++) flipped[to + channel] = data[from + channel]!;
    }
  }
  return { width, height, data: flipped };
}
