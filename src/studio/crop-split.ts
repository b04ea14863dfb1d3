/** Long pictures in several parts that overlap: the webui's "split oversized images". */
import type { Size } from "../config/parameter.ts";
import type { Crop } from "./picture.ts";

export interface SplitRules {
  readonly target: Size;
  /** Pictures of which one crop would keep no more than this share are split; 0…1. */
  readonly threshold: number;
  /** Share of a part that it has in common with the next, at least; below 1. */
  readonly overlap: number;
}

/** The webui's, apart from the size. */
export const usualSplit = { threshold: 0.5, overlap: 0.2 } as const;

/**
 * Parts of the target's shape along the longer side, evenly spaced from end to end.
 * @returns undefined where one crop keeps more than the threshold
 */
export function splitOversized([width, height]: Size, { target, threshold, overlap }: SplitRules): Crop[] | undefined {
  const isTall = height > width;
  const [long, short] = isTall ? [height, width] : [width, height];
  const [targetLong, targetShort] = isTall ? [target[1], target[0]] : target;
  const part = (targetLong * short) / targetShort;
  // The webui lets pictures through that are a little long, and then divides by no gaps at all.
  if (part >= long || part / long > threshold) return undefined;
  const count = Math.max(2, Math.ceil((long / part - overlap) / (1 - overlap)));
  const length = Math.max(1, Math.round(part));
  return Array.from({ length: count }, (_, i): Crop => {
    const start = Math.min(long - length, Math.round(((long - part) * i) / (count - 1)));
    return {
      x: isTall ? 0 : start,
      y: isTall ? start : 0,
      width: isTall ? width : length,
      height: isTall ? length : height,
      target: { width: target[0], height: target[1] },
    };
  });
}
