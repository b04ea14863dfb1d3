/** A set of pictures in the making, and how it is divided. The pictures themselves are records of their own. */
import type { MergeRule } from "./merge-rule.ts";

/** What becomes one of kohya's folders, `10_sls 1girl`. */
export interface StudioSubset {
  readonly id: string;
  /** Regularization: pictures of the class, without the subject. */
  readonly isReg: boolean;
  /** At least 1. */
  readonly repeats: number;
  /** The word that stands for the subject, "sls"; "" where there is none. */
  readonly identifier: string;
  /** What kind of thing the subject is, "1girl"; "" where there is none. */
  readonly className: string;
}

/** Pictures that belong together inside a set: the same view, the same outfit. */
export interface PictureGroup {
  readonly id: string;
  readonly name: string;
  /** A tag that all of them share; "" where there is none. */
  readonly keyword: string;
}

export interface StudioSet {
  readonly id: string;
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Ending of caption files, with its dot. */
  readonly captionExtension: string;
  /** At least one. */
  readonly subsets: readonly StudioSubset[];
  readonly groups: readonly PictureGroup[];
  /** Rules of keyword merging that were used here, in the order in which they act. */
  readonly mergeRules: readonly MergeRule[];
}

/** What stands behind the number in a folder's name: sd-scripts' class tokens. */
export function classTokensOf({ identifier, className }: Pick<StudioSubset, "identifier" | "className">): string {
  return [identifier, className].filter((word) => word !== "").join(" ");
}

/** The folder's name in kohya's layout. */
export function folderNameOf(subset: StudioSubset): string {
  return `${subset.repeats}_${classTokensOf(subset)}`;
}
