import type { RgbImage } from "./image.ts";

export type PilKernel = "lanczos" | "bicubic" | "bilinear";

interface Filter {
  /** Source pixels on each side that count where nothing shrinks. */
  readonly reach: number;
  readonly weight: (distance: number) => number;
}

const filters: Readonly<Record<PilKernel, Filter>> = {
  lanczos: { reach: 3, weight: (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0) },
  bicubic: { reach: 2, weight: cubic },
  bilinear: { reach: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
};

/** Where OpenCV has −0.75. */
const CUBIC_A = -0.5;
/** Weights are whole numbers of 2^-22: sums stay within 32 bits and are the same in every engine. */
const WEIGHT_BITS = 22;

/** Source positions that make one target position, with fixed-point weights that add up to about 2^22. */
interface Tap {
  readonly first: number;
  readonly weights: Int32Array;
}

/**
 * Resizes with a kernel that widens when shrinking: Pillow's `LANCZOS`, `BICUBIC`, `BILINEAR`. Rows first, then columns,
 * with 8 bits in between; a side that keeps its length is left alone.
 */
export function resizePil(image: RgbImage, width: number, height: number, kernel: PilKernel): RgbImage {
  const narrow = width === image.width ? image : resizeRows(image, width, filters[kernel]);
  return height === image.height ? narrow : resizeColumns(narrow, height, filters[kernel]);
}

function resizeRows(image: RgbImage, width: number, filter: Filter): RgbImage {
  const targets = taps(image.width, width, filter);
  const data = new Uint8Array(width * image.height * 3);
  for (let y = 0; y < image.height; y++) {
    const row = y * image.width * 3;
    for (const [x, { first, weights }] of targets.entries()) {
      for (let channel = 0; channel < 3; channel++) {
        const target = (y * width + x) * 3 + channel;
        data[target] = weighted(image.data, row + first * 3 + channel, 3, weights);
      }
    }
  }
  return { width, height: image.height, data };
}

function resizeColumns(image: RgbImage, height: number, filter: Filter): RgbImage {
  const stride = image.width * 3;
  const data = new Uint8Array(stride * height);
  for (const [y, { first, weights }] of taps(image.height, height, filter).entries()) {
    for (let x = 0; x < stride; x++) data[y * stride + x] = weighted(image.data, first * stride + x, stride, weights);
  }
  return { width: image.width, height, data };
}

function weighted(data: Uint8Array, start: number, stride: number, weights: Int32Array): number {
  let sum = 1 << (WEIGHT_BITS - 1);
  for (let i = 0; i < weights.length; i++) sum += data[start + i * stride]! * weights[i]!;
  return Math.min(255, Math.max(0, sum >> WEIGHT_BITS));
}

function taps(from: number, to: number, filter: Filter): Tap[] {
  const scale = from / to;
  const widening = Math.max(scale, 1);
  const reach = filter.reach * widening;
  return Array.from({ length: to }, (_, target) => {
    const center = (target + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - reach + 0.5));
    const end = Math.min(from, Math.trunc(center + reach + 0.5));
    const raw = Array.from({ length: end - first }, (_, i) => filter.weight((first + i + 0.5 - center) / widening));
    const total = raw.reduce((sum, weight) => sum + weight, 0);
    const weights = Int32Array.from(raw, (weight) => awayFromZero((weight / total) * (1 << WEIGHT_BITS)));
    return { first, weights };
  });
}

function cubic(distance: number): number {
  const x = Math.abs(distance);
  if (x < 1) return ((CUBIC_A + 2) * x - (CUBIC_A + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * CUBIC_A : 0;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

function awayFromZero(value: number): number {
  return Math.trunc(value < 0 ? value - 0.5 : value + 0.5);
}
