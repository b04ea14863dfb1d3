/** When two tags of captions are the same tag. */
import { tagKey } from "../dataset/tag-names.ts";
import { closingBracket } from "./caption-tags.ts";

/** Sets hold some thousand different tags, again and again. */
const maxRemembered = 100_000;
const remembered = new Map<string, string>();

/**
 * Equal for tags that mean the same: case, underscores, escaped brackets and a weight around the whole make no
 * difference (`Long_Hair`, `(long hair:1.2)`).
 */
export function sameTag(tag: string): string {
  const known = remembered.get(tag);
  if (known !== undefined) return known;
  const key = tagKey(bareTag(tag)) || tagKey(tag);
  if (remembered.size >= maxRemembered) remembered.clear();
  remembered.set(tag, key);
  return key;
}

/** Deeper brackets than anybody writes are letters. */
const maxDepth = 8;

/** Without brackets around the whole, their weight, and backslashes. Faces such as `(o)_(o)` are no brackets. */
function bareTag(tag: string): string {
  let bare = tag.trim();
  for (let depth = 0; depth < maxDepth && /^[([]/.test(bare); depth++) {
    if (closingBracket(bare, 0) !== bare.length - 1) break;
    bare = bare.slice(1, -1).replace(/:\s*[+-]?(?:\d+\.?\d*|\.\d+)\s*$/, "").trim();
  }
  return bare.replaceAll(/\\([()[\]{}\\])/g, "$1");
}

/** Leaves out what is the same tag as an earlier one. */
export function distinctTags(tags: readonly string[]): string[] {
  const seen = new Set<string>();
  return tags.filter((tag) => {
    const key = sameTag(tag);
    return !seen.has(key) && seen.add(key);
  });
}
