/**
 * Corners that are good to track (Shi and Tomasi 1994), as OpenCV's `goodFeaturesToTrack` finds them: where brightness
 * changes in two directions, strongest first, none too near a stronger one.
 */
import type { Point } from "./crop-cover.ts";
import type { Luma } from "./crop-luma.ts";

export interface CornerRules {
  /** At most so many. */
  readonly count: number;
  /** Weaker ones than this share of the strongest are none. */
  readonly quality: number;
  /** In pixels. */
  readonly distance: number;
}

/** Levels of `luma` must be whole numbers. Strongest first; no corner lies on the rim. */
export function findCorners(luma: Luma, { count, quality, distance }: CornerRules): Point[] {
  const { width, height } = luma;
  if (width < 3 || height < 3) return [];
  const strength = cornerStrength(luma);
  let strongest = 0;
  for (const value of strength) if (value > strongest) strongest = value;
  const found = peaks(strength, width, height, strongest * quality);
  found.sort((a, b) => strength[b]! - strength[a]! || b - a);
  return thinned(found, width, count, distance);
}

/** The smaller eigenvalue of the 3×3 sum of gradients' products, times a constant: only its order counts here. */
function cornerStrength(luma: Luma): Float32Array {
  const { width, height } = luma;
  const { xx, xy, yy } = gradientProducts(luma);
  for (const plane of [xx, xy, yy]) sumAcross(plane, width, height);
  const strength = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    const [above, here, below] = [mirrored(y - 1, height) * width, y * width, mirrored(y + 1, height) * width];
    for (let x = 0; x < width; x++) {
      const a = (xx[above + x]! + xx[here + x]! + xx[below + x]!) / 2;
      const b = xy[above + x]! + xy[here + x]! + xy[below + x]!;
      const c = (yy[above + x]! + yy[here + x]! + yy[below + x]!) / 2;
      strength[here + x] = a + c - Math.sqrt((a - c) * (a - c) + b * b);
    }
  }
  return strength;
}

/** Products of Sobel's gradients. */
function gradientProducts({ width, height, data }: Luma): { xx: Int32Array; xy: Int32Array; yy: Int32Array } {
  const pixels = width * height;
  const [xx, xy, yy] = [new Int32Array(pixels), new Int32Array(pixels), new Int32Array(pixels)];
  for (let y = 0; y < height; y++) {
    const [above, here, below] = [mirrored(y - 1, height) * width, y * width, mirrored(y + 1, height) * width];
    for (let x = 0; x < width; x++) {
      const left = mirrored(x - 1, width);
      const right = mirrored(x + 1, width);
      const falling = data[below + right]! - data[above + left]!;
      const rising = data[above + right]! - data[below + left]!;
      const dx = falling + rising + 2 * (data[here + right]! - data[here + left]!);
      const dy = falling - rising + 2 * (data[below + x]! - data[above + x]!);
      xx[here + x] = dx * dx;
      xy[here + x] = dx * dy;
      yy[here + x] = dy * dy;
    }
  }
  return { xx, xy, yy };
}

/** Beyond the rim the picture goes on as in a mirror that stands on its outermost pixels. */
function mirrored(at: number, length: number): number {
  if (at < 0) return -at;
  return at >= length ? 2 * length - 2 - at : at;
}

/** Each value becomes the sum of itself and those left and right of it. */
function sumAcross(plane: Int32Array, width: number, height: number): void {
  for (let start = 0; start < width * height; start += width) {
    let left = plane[start + 1]!;
    for (let x = 0; x < width; x++) {
      const here = plane[start + x]!;
      const right = x === width - 1 ? left : plane[start + x + 1]!;
      plane[start + x] = left + here + right;
      left = here;
    }
  }
}

/** Places off the rim that no neighbour exceeds, and that are above `least`. */
function peaks(strength: Float32Array, width: number, height: number, least: number): number[] {
  const found: number[] = [];
  const threshold = Math.fround(least);
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1; x < width - 1; x++) {
      const at = y * width + x;
      const value = strength[at]!;
      if (value > threshold && isPeak(strength, at, value, width)) found.push(at);
    }
  }
  return found;
}

function isPeak(strength: Float32Array, at: number, value: number, width: number): boolean {
  for (let row = at - width; row <= at + width; row += width) {
    if (strength[row - 1]! > value || strength[row]! > value || strength[row + 1]! > value) return false;
  }
  return true;
}

function thinned(found: readonly number[], width: number, count: number, distance: number): Point[] {
  const kept: Point[] = [];
  for (const at of found) {
    if (kept.length >= count) break;
    const [x, y] = [at % width, Math.floor(at / width)];
    if (kept.every((other) => (other.x - x) ** 2 + (other.y - y) ** 2 >= distance ** 2)) kept.push({ x, y });
  }
  return kept;
}
