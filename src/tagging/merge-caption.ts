import { splitTags, tagKey, uniqueTags } from "../dataset/tag-names.ts";

/** What is written beside a picture already. `unreadable`: a file that is no UTF-8 text. */
export type ExistingCaption =
  | { readonly kind: "none" }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "unreadable" };

/** What happens to a caption that is there. `keep`: only pictures without one get tags. */
export type CaptionMode = "keep" | "append" | "prepend" | "overwrite";

export const captionModes: readonly CaptionMode[] = ["keep", "append", "prepend", "overwrite"];

/** A blank caption is none. */
function hasCaption(existing: ExistingCaption): boolean {
  return existing.kind === "unreadable" || (existing.kind === "text" && existing.text.trim() !== "");
}

/** Whether a tagger could change this caption at all. */
export function mayChange(existing: ExistingCaption, mode: CaptionMode): boolean {
  if (!hasCaption(existing) || mode === "overwrite") return true;
  return mode !== "keep" && existing.kind === "text";
}

/**
 * The caption that a picture gets, or undefined where it keeps what it has: nothing was found, it may not change, or
 * it can't be read. Tags that are there already are not added again; of a caption in several lines, the first changes.
 */
export function mergeCaption(existing: ExistingCaption, tags: readonly string[], mode: CaptionMode): string | undefined {
  if (tags.length === 0 || !mayChange(existing, mode)) return undefined;
  if (existing.kind !== "text" || !hasCaption(existing) || mode === "overwrite") return tags.join(", ");
  const [line = "", rest = ""] = existing.text.split(/(?=[\r\n])(.*)/su);
  const present = new Set(splitTags(line).map(tagKey));
  const added = uniqueTags(tags).filter((tag) => !present.has(tagKey(tag)));
  if (added.length === 0) return undefined;
  const parts = mode === "append" ? [line.replace(/[\s,]+$/, ""), ...added] : [...added, line.trimStart()];
  return parts.filter((part) => part !== "").join(", ") + rest.trimEnd();
}
