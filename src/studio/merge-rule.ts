/** A rule of keyword merging (关键词合并): which words of captions become the trigger. */
export interface MergeRule {
  /** The word that stands for the subject; it is put first. */
  readonly trigger: string;
  /** Tags that describe the subject itself, and so disappear into the trigger. */
  readonly absorbed: readonly string[];
  /** Tags that mean the same: each of `from` becomes `to`. */
  readonly synonyms: readonly { readonly from: readonly string[]; readonly to: string }[];
  /** Which captions the rule acts on: all, or those that hold any or all of the absorbed tags. */
  readonly when: "always" | "any" | "all";
  /** Subsets that it acts on; null: all that are no regularization pictures. */
  readonly subsets: readonly string[] | null;
}
