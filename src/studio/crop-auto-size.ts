/** A size chosen for each picture, near its own shape: the webui's "auto-sized crop". */
import type { Size } from "../config/parameter.ts";

export interface AutoSizeRules {
  /** Of each side: the first size tried. Others follow in steps of 64 pixels. */
  readonly least: number;
  /** Of each side. */
  readonly most: number;
  /** Width × height. */
  readonly leastArea: number;
  readonly mostArea: number;
  /** How far the shape may be from the picture's: 1 less the ratio of both ratios, in 0…1. */
  readonly threshold: number;
  /** What to look for first; the other decides between equal ones. */
  readonly objective: "area" | "shape";
}

/** The webui's. */
export const usualAutoSize: AutoSizeRules = {
  least: 384, most: 768, leastArea: 64 * 64, mostArea: 640 * 640, threshold: 0.1, objective: "area",
};

const STEP = 64;

/** The size to crop a picture to; undefined where none that is allowed comes near its shape. */
export function autoSize([width, height]: Size, rules: AutoSizeRules): Size | undefined {
  let best: { readonly size: Size; readonly ranks: readonly [number, number] } | undefined;
  for (let w = rules.least; w <= rules.most; w += STEP) {
    for (let h = rules.least; h <= rules.most; h += STEP) {
      const area = w * h;
      const ratio = width / height / (w / h);
      const error = 1 - Math.min(ratio, 1 / ratio);
      if (area < rules.leastArea || area > rules.mostArea || error > rules.threshold) continue;
      const ranks = rules.objective === "area" ? ([area, -error] as const) : ([-error, area] as const);
      const isBetter = best === undefined || ranks[0] > best.ranks[0] || (ranks[0] === best.ranks[0] && ranks[1] > best.ranks[1]);
      if (isBetter) best = { size: [w, h], ranks };
    }
  }
  return best?.size;
}
