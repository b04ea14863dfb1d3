/**
 * Where black and white are shared out most unevenly: the webui's "entropy", by its formula. The picture is dithered to
 * two levels; of all windows along its longer way, the one with the highest −Σ log2 p over the levels' shares counts.
 * The webui dithers each window anew; once for all differs by some pixels at the windows' rims, and takes a hundredth of
 * the time.
 */
import type { Luma } from "./crop-luma.ts";

/** In bits. What is less comes from the dithering. */
const LEAST_DIFFERENCE = 0.01;

/**
 * Start of the best window along the longer side; of equal ones the first.
 * @param luma levels in 0…255
 * @param length of a window, at most the longer side
 * @param step between windows
 * @returns undefined where all windows are alike
 */
export function unevenestWindow(luma: Luma, length: number, step: number): number | undefined {
  const [long, short] = [Math.max(luma.width, luma.height), Math.min(luma.width, luma.height)];
  const before = whitesBefore(luma, luma.width >= luma.height);
  let best: number | undefined;
  let most = 0;
  let least = Number.POSITIVE_INFINITY;
  // The webui leaves out the window that would end at the very rim.
  for (let start = 0; start + length < long; start += step) {
    const white = (before[start + length]! - before[start]!) / (length * short);
    const entropy = white === 0 || white === 1 ? 0 : -Math.log2(white) - Math.log2(1 - white);
    least = Math.min(least, entropy);
    if (entropy > most) {
      most = entropy;
      best = start;
    }
  }
  return most - least > LEAST_DIFFERENCE ? best : undefined;
}

/** White pixels in the columns (or rows) before each, after Floyd–Steinberg dithering with Pillow's whole numbers. */
function whitesBefore({ width, height, data }: Luma, byColumn: boolean): Float64Array {
  const before = new Float64Array((byColumn ? width : height) + 1);
  // Sixteenths of a level that the row above hands down; place 0 stands left of the picture.
  let handed = new Int32Array(width + 2);
  let next = new Int32Array(width + 2);
  for (let y = 0; y < height; y++) {
    let onward = 0;
    for (let x = 0; x < width; x++) {
      const wanted = Math.trunc(data[y * width + x]!) + Math.trunc((onward + handed[x + 1]!) / 16);
      const level = Math.max(0, Math.min(255, wanted));
      const isWhite = level > 128;
      const place = (byColumn ? x : y) + 1;
      if (isWhite) before[place] = before[place]! + 1;
      const error = isWhite ? level - 255 : level;
      onward = 7 * error;
      next[x] = next[x]! + 3 * error;
      next[x + 1] = next[x + 1]! + 5 * error;
      next[x + 2] = error;
    }
    [handed, next] = [next, handed];
    next.fill(0);
  }
  for (let at = 1; at < before.length; at++) before[at] = before[at]! + before[at - 1]!;
  return before;
}
