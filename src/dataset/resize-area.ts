import type { RgbImage } from "./image.ts";

/** Source positions that make one target position, with their shares, which add up to 1. */
interface Span {
  readonly first: number;
  readonly shares: Float32Array;
}

/**
 * Shrinks a picture by averaging the area of each target pixel, with fractions at its rim: OpenCV's `INTER_AREA`.
 * Neither side may grow. Every operation is exact IEEE arithmetic, so the bytes are the same in every engine.
 */
export function resizeArea(image: RgbImage, width: number, height: number): RgbImage {
  const columns = spans(image.width, width);
  const rows = spans(image.height, height);
  const data = new Uint8Array(width * height * 3);
  const narrow = new Float32Array(width * 3);
  const sum = new Float32Array(width * 3);
  // OpenCV has a shortcut for exact halves that rounds .5 up; elsewhere it goes to the even number.
  const halves = image.width === 2 * width && image.height === 2 * height;
  const round = halves ? (value: number): number => Math.floor(value + 0.5) : roundToEven;
  for (const [y, row] of rows.entries()) {
    sum.fill(0);
    for (const [i, share] of row.shares.entries()) {
      averageRow(image, row.first + i, columns, narrow);
      for (let x = 0; x < sum.length; x++) sum[x] = sum[x]! + share * narrow[x]!;
    }
    const start = y * sum.length;
    for (let x = 0; x < sum.length; x++) data[start + x] = round(sum[x]!);
  }
  return { width, height, data };
}

function averageRow(image: RgbImage, y: number, columns: readonly Span[], out: Float32Array): void {
  const start = y * image.width * 3;
  for (const [x, { first, shares }] of columns.entries()) {
    let red = 0;
    let green = 0;
    let blue = 0;
    for (let i = 0; i < shares.length; i++) {
      const share = shares[i]!;
      const pixel = start + (first + i) * 3;
      red += share * image.data[pixel]!;
      green += share * image.data[pixel + 1]!;
      blue += share * image.data[pixel + 2]!;
    }
    out[x * 3] = red;
    out[x * 3 + 1] = green;
    out[x * 3 + 2] = blue;
  }
}

/** Rims thinner than a thousandth of a pixel are dropped, as OpenCV drops them. */
const THINNEST = 1e-3;

function spans(from: number, to: number): Span[] {
  const scale = from / to;
  return Array.from({ length: to }, (_, target) => {
    const begin = target * scale;
    const end = begin + scale;
    const extent = Math.min(scale, from - begin);
    const lastFull = Math.min(Math.floor(end), from - 1);
    const firstFull = Math.min(Math.ceil(begin), lastFull);
    const shares: number[] = [];
    const leading = firstFull - begin > THINNEST;
    if (leading) shares.push((firstFull - begin) / extent);
    for (let source = firstFull; source < lastFull; source++) shares.push(1 / extent);
    if (end - lastFull > THINNEST) shares.push(Math.min(end - lastFull, 1, extent) / extent);
    return { first: leading ? firstFull - 1 : firstFull, shares: Float32Array.from(shares) };
  });
}

function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}
