import type { RgbImage, RgbaImage } from "./image.ts";
import { dropAlpha, resize, resizesByLanczos, type ResizeKernel } from "./resize.ts";

/**
 * A picture and its alpha channel, resized alike. OpenCV, of the other kernels, takes the four channels apart; Pillow, of
 * Lanczos, multiplies the colours by alpha first and divides them afterwards, so that what is transparent does not bleed.
 * @returns alpha three times in each pixel, as a grey picture
 */
export function resizeWithAlpha(
  image: RgbaImage, width: number, height: number, kernel: ResizeKernel | null,
): { readonly rgb: RgbImage; readonly alpha: RgbImage } {
  const rgb = dropAlpha(image);
  const alpha: RgbImage = { ...rgb, data: rgb.data.map((_, i) => image.data[Math.floor(i / 3) * 4 + 3]!) };
  const resizedAlpha = resize(alpha, width, height, kernel);
  if (resizedAlpha === alpha || !resizesByLanczos(image, width, height, kernel)) {
    return { rgb: resize(rgb, width, height, kernel), alpha: resizedAlpha };
  }
  const multiplied = resize({ ...rgb, data: rgb.data.map((level, i) => times(level, alpha.data[i]!)) }, width, height, kernel);
  const data = multiplied.data.map((level, i) => divided(level, resizedAlpha.data[i]!));
  return { rgb: { ...multiplied, data }, alpha: resizedAlpha };
}

/** level · alpha / 255, rounded as Pillow rounds it. */
function times(level: number, alpha: number): number {
  const product = level * alpha + 128;
  return ((product >> 8) + product) >> 8;
}

function divided(level: number, alpha: number): number {
  return alpha === 0 || alpha === 255 ? level : Math.min(255, Math.floor((255 * level) / alpha));
}
