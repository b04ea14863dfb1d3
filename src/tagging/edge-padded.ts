import { areaMean } from "../dataset/area-mean.ts";
import type { RgbImage } from "../dataset/image.ts";

/**
 * DeepDanbooru's way to a square: the picture resized to fit, put into the middle, its outermost pixels repeated up to the
 * rim. Where the middle lies between two pixels, it is half of each.
 * @returns [size, size, 3] levels, not rounded
 */
export function edgePadded(image: RgbImage, size: number): Float32Array<ArrayBuffer> {
  const scale = Math.min(Math.fround(size / image.width), Math.fround(size / image.height));
  const sideOf = (side: number): number => Math.max(1, roundToEven(Math.fround(scale * side)));
  const { width, height, data } = areaMean(image, sideOf(image.width), sideOf(image.height));
  const columns = places(width, size);
  const rows = places(height, size);
  const square = new Float32Array(size * size * 3);
  for (const [y, [top, bottom]] of rows.entries()) {
    for (const [x, [left, right]] of columns.entries()) {
      for (let channel = 0; channel < 3; channel++) {
        const level = (row: number, column: number): number => data[(row * width + column) * 3 + channel]!;
        const sum = level(top, left) + level(top, right) + level(bottom, left) + level(bottom, right);
        square[(y * size + x) * 3 + channel] = sum / 4;
      }
    }
  }
  return square;
}

/** For each place of a side, the two source pixels whose mean it is: mostly one and the same. */
function places(length: number, size: number): (readonly [number, number])[] {
  const shift = (size - length) / 2;
  const inside = (at: number): number => Math.min(length - 1, Math.max(0, at));
  return Array.from({ length: size }, (_, at) => [inside(Math.floor(at - shift)), inside(Math.ceil(at - shift))] as const);
}

function roundToEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
