/** Faces made of characters: their underscores are mouths and noses. */
const faces = new Set([
  "0_0", "(o)_(o)", "+_+", "+_-", "._.", "<o>_<o>", "<|>_<|>", "=_=", ">_<", "3_3", "6_9", ">_o", "@_@", "^_^", "o_o",
  "u_u", "x_x", "|_|", "||_||",
]);

/** A tag in words: underscores become spaces, except in faces such as `^_^`. */
export function inWords(tag: string): string {
  return faces.has(tag) ? tag : tag.replaceAll("_", " ");
}

/** Two tags are the same where this is: case, and underscore or space, make no difference. */
export function tagKey(tag: string): string {
  return inWords(tag.trim()).toLowerCase();
}

/** Brackets that a prompt must not read as emphasis. Captions for training do not need this. */
export function escapeBrackets(tag: string): string {
  return tag.replaceAll(/[\\()]/g, "\\$&");
}

/** Tags separated by commas, trimmed, empty ones left out. */
export function splitTags(text: string): string[] {
  return text.split(",").map((tag) => tag.trim()).filter((tag) => tag !== "");
}

/** Leaves out what is the same tag as an earlier one. */
export function uniqueTags(tags: readonly string[]): string[] {
  const seen = new Set<string>();
  return tags.filter((tag) => {
    const key = tagKey(tag);
    return !seen.has(key) && seen.add(key);
  });
}
