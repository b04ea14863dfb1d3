import type { RgbaImage } from "../dataset/image.ts";
import type { Size } from "../config/parameter.ts";

/** A picture in grey: rows from the top, levels 0…255, which need not be whole. */
export interface Luma {
  readonly width: number;
  readonly height: number;
  readonly data: Float32Array;
}

/**
 * A picture in grey, shrunk by averaging areas. Colours count as they are stored, whatever the alpha, because training
 * sees them so.
 * @param size neither side larger than the picture's
 */
export function reducedLuma(image: RgbaImage, [width, height]: Size): Luma {
  const data = new Float32Array(width * height);
  const sums = new Float64Array(width);
  const column = columnShares(image.width, width);
  const scale = image.height / height;
  for (let y = 0; y < height; y++) {
    const begin = y * scale;
    const end = Math.min(image.height, begin + scale);
    sums.fill(0);
    for (let row = Math.floor(begin); row < end; row++) {
      addRow(image, row, Math.min(end, row + 1) - Math.max(begin, row), column, sums);
    }
    const area = (end - begin) * (image.width / width) * 1000;
    for (let x = 0; x < width; x++) data[y * width + x] = sums[x]! / area;
  }
  return { width, height, data };
}

/** For each source column, the target that gets its first share, and that share; what is left goes to the next. */
function columnShares(from: number, to: number): { readonly target: Int32Array; readonly share: Float64Array } {
  const target = new Int32Array(from);
  const share = new Float64Array(from);
  const scale = from / to;
  for (let x = 0; x < from; x++) {
    const first = Math.min(to - 1, Math.floor(x / scale));
    target[x] = first;
    share[x] = first === to - 1 ? 1 : Math.min(1, (first + 1) * scale - x);
  }
  return { target, share };
}

function addRow(
  { width, data }: RgbaImage, row: number, weight: number, column: ReturnType<typeof columnShares>, sums: Float64Array,
): void {
  const { target, share } = column;
  for (let x = 0, at = row * width * 4; x < width; x++, at += 4) {
    // ITU-R 601, in thousandths.
    const level = (data[at]! * 299 + data[at + 1]! * 587 + data[at + 2]! * 114) * weight;
    const to = target[x]!;
    const part = share[x]!;
    sums[to] = sums[to]! + level * part;
    if (part < 1) sums[to + 1] = sums[to + 1]! + level * (1 - part);
  }
}
