/**
 * OpenCV's `INTER_NEAREST_EXACT`, `INTER_LINEAR`, `INTER_CUBIC`, and `INTER_AREA` where a side grows. Weights are whole numbers of 2^-11, as
 * OpenCV has them for bytes.
 */
import type { RgbImage } from "./image.ts";

const WEIGHT_BITS = 11;
const WEIGHT_ONE = 1 << WEIGHT_BITS;
/** OpenCV's, where others have −0.5. */
const CUBIC_A = -0.75;

export type CvKernel = "nearest" | "linear" | "cubic" | "area";

/** Source positions that make one target position, inside of the picture, and their weights. */
interface Tap {
  readonly positions: readonly number[];
  readonly weights: readonly number[];
}

export function resizeCv(image: RgbImage, width: number, height: number, kernel: CvKernel): RgbImage {
  const columns = taps(image.width, width, kernel);
  const rows = taps(image.height, height, kernel);
  const data = new Uint8Array(width * height * 3);
  const narrow = Array.from({ length: image.height }, (_, y) => narrowRow(image, y, columns));
  for (const [y, { positions, weights }] of rows.entries()) {
    for (let i = 0; i < width * 3; i++) {
      const parts = positions.map((position) => narrow[position]![i]!);
      data[y * width * 3 + i] = kernel === "cubic" ? rounded(parts, weights) : inSteps(parts, weights);
    }
  }
  return { width, height, data };
}

/** Sums of one row, times 2^11. */
function narrowRow(image: RgbImage, y: number, columns: readonly Tap[]): Int32Array {
  const row = new Int32Array(columns.length * 3);
  const start = y * image.width * 3;
  for (const [x, { positions, weights }] of columns.entries()) {
    for (let channel = 0; channel < 3; channel++) {
      let sum = 0;
      for (const [i, position] of positions.entries()) sum += image.data[start + position * 3 + channel]! * weights[i]!;
      row[x * 3 + channel] = sum;
    }
  }
  return row;
}

/** OpenCV's short way for two rows, which drops bits on the way. */
function inSteps(parts: readonly number[], weights: readonly number[]): number {
  const sum = parts.reduce((total, part, i) => total + ((weights[i]! * (part >> 4)) >> 16), 0);
  return clamp((sum + 2) >> 2);
}

function rounded(parts: readonly number[], weights: readonly number[]): number {
  const sum = parts.reduce((total, part, i) => total + part * weights[i]!, 0);
  return clamp(Math.round(sum / (WEIGHT_ONE * WEIGHT_ONE)));
}

function clamp(value: number): number {
  return Math.min(255, Math.max(0, value));
}

function taps(source: number, target: number, kernel: CvKernel): Tap[] {
  const scale = source / target;
  return Array.from({ length: target }, (_, x) => {
    if (kernel === "nearest") return { positions: [nearestPosition(x, source, target)], weights: [WEIGHT_ONE] };
    if (kernel === "cubic") return cubicTap((x + 0.5) * scale - 0.5, source);
    return linearTap(kernel === "area" ? areaPlace(x, scale) : (x + 0.5) * scale - 0.5, source);
  });
}

/** The source pixel under the middle of a target pixel, in 16 bits behind the point as OpenCV has it. */
function nearestPosition(x: number, source: number, target: number): number {
  const scale = Math.floor((source * 65_536 + Math.floor(target / 2)) / target);
  const offset = Math.floor(scale / 2) - (source % 2);
  return Math.min(source - 1, Math.floor((scale * x + offset) / 65_536));
}

/** Where a pixel lies that a growing side puts across the rim of two source pixels. */
function areaPlace(x: number, scale: number): number {
  const first = Math.floor(x * scale);
  const share = x + 1 - (first + 1) / scale;
  return first + (share <= 0 ? 0 : share - Math.floor(share));
}

function linearTap(place: number, source: number): Tap {
  const first = Math.floor(place);
  const share = Math.fround(Math.fround(place) - first);
  // At a rim it is the same pixel twice: in the short way of two rows that is not the same as once.
  return { positions: [first, first + 1].map((position) => inside(position, source)), weights: [whole(1 - share), whole(share)] };
}

function cubicTap(place: number, source: number): Tap {
  const first = Math.floor(place);
  const x = Math.fround(Math.fround(place) - first);
  const near = (t: number): number => ((CUBIC_A + 2) * t - (CUBIC_A + 3)) * t * t + 1;
  const far = (t: number): number => ((CUBIC_A * t - 5 * CUBIC_A) * t + 8 * CUBIC_A) * t - 4 * CUBIC_A;
  const shares = [far(x + 1), near(x), near(1 - x)];
  const weights = [...shares, 1 - shares.reduce((sum, share) => sum + share, 0)].map(whole);
  const positions = [-1, 0, 1, 2].map((offset) => inside(first + offset, source));
  return { positions, weights };
}

function inside(position: number, source: number): number {
  return Math.min(source - 1, Math.max(0, position));
}

function whole(share: number): number {
  return Math.round(share * WEIGHT_ONE);
}
