/** Ways to crop many pictures, and what each comes to for one of them. */
import type { Size } from "../config/parameter.ts";
import { autoSize, type AutoSizeRules } from "./crop-auto-size.ts";
import { coverCrop, type Point } from "./crop-cover.ts";
import type { FocusWeights } from "./crop-focus.ts";
import { splitOversized, type SplitRules } from "./crop-split.ts";
import type { Crop } from "./picture.ts";

export type CropMethod =
  /** All to one size, around the middle. */
  | { readonly kind: "middle"; readonly target: Size }
  /** All to one size, around what each is about. */
  | { readonly kind: "focus"; readonly target: Size; readonly weights: FocusWeights }
  | { readonly kind: "autoSize"; readonly rules: AutoSizeRules }
  | { readonly kind: "split"; readonly rules: SplitRules };

/** Why a method leaves a picture alone: it has the size already, no size comes near it, it is not long enough. */
export type NoCrop = "fits" | "noSize" | "notLong";

/** One crop, several for a picture that is split, or why there is none. */
export type CropProposal = { readonly crops: readonly Crop[] } | { readonly none: NoCrop };

/**
 * What a method makes of a picture.
 * @param focus from `focalPoint`, for the method "focus"
 */
export function proposeCrops(size: Size, method: CropMethod, focus?: Point): CropProposal {
  if (method.kind === "split") {
    const crops = splitOversized(size, method.rules);
    return crops === undefined ? { none: "notLong" } : { crops };
  }
  const target = method.kind === "autoSize" ? autoSize(size, method.rules) : method.target;
  if (target === undefined) return { none: "noSize" };
  if (target[0] === size[0] && target[1] === size[1]) return { none: "fits" };
  return { crops: [coverCrop(size, target, focus)] };
}
