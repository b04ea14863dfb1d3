import type { RgbImage } from "./image.ts";

/** Levels that are no whole numbers: 3 to a pixel, rows from the top. */
export interface RgbLevels {
  readonly width: number;
  readonly height: number;
  readonly data: Float32Array<ArrayBuffer>;
}

/**
 * The mean of what lies below each target pixel, whether sides grow or shrink, without rounding: TensorFlow's `AREA`.
 * OpenCV's, which rounds and interpolates where a side grows, is in `resize-area.ts` and `resize-cv.ts`.
 */
export function areaMean(image: RgbImage, width: number, height: number): RgbLevels {
  const columns = shares(image.width, width);
  const data = new Float32Array(width * height * 3);
  const rows = shares(image.height, height);
  for (const [y, row] of rows.entries()) {
    for (const { at: from, share } of row) {
      for (const [x, column] of columns.entries()) {
        for (const { at, share: part } of column) {
          const source = (from * image.width + at) * 3;
          const target = (y * width + x) * 3;
          for (let channel = 0; channel < 3; channel++) {
            data[target + channel] = data[target + channel]! + share * part * image.data[source + channel]!;
          }
        }
      }
    }
  }
  return { width, height, data };
}

/** For each target pixel, the source pixels below it and their shares, which add up to 1. */
function shares(from: number, to: number): { readonly at: number; readonly share: number }[][] {
  const scale = from / to;
  return Array.from({ length: to }, (_, target) => {
    const [begin, end] = [target * scale, (target + 1) * scale];
    const below = [];
    for (let at = Math.floor(begin); at < Math.min(from, Math.ceil(end)); at++) {
      const share = (Math.min(end, at + 1) - Math.max(begin, at)) / scale;
      if (share > 0) below.push({ at, share });
    }
    return below;
  });
}
