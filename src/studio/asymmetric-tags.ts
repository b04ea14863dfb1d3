/** Tags after which a picture and its mirror image are not the same thing: text, and what is on one side only. */

const written = /\b(?:text|logo|signature|watermark|artist name|web address|username|speech bubble|translation|copyright name|character name|sign|number|letter|kanji|map|clock)\b/;
const oneSided = /\b(?:heterochromia|asymmetr\w*|left|right|eye ?patch|hair over one eye|one side up|side (?:ponytail|braid|bun)|one eye (?:closed|covered)|missing limb|amputee|prosthe\w*|bandage over one eye|scar|mole|uneven \w+|mismatched \w+)\b/;
/** "single braid" is on one side, and flipping moves it. */
const single = /^single (?!person|character|subject)/;
/** Words that only look like it. */
const harmless = /\b(?:bright|copyright|upright|sign language|no text|textless|looking)\b/;

/** Those of a caption's tags that mirroring makes wrong, or that say that there is something to read. */
export function asymmetricTags(caption: string | null): string[] {
  return (caption ?? "").split(",").map((tag) => tag.trim()).filter((tag) => {
    const plain = tag.toLowerCase().replaceAll("_", " ").replaceAll("\\", "");
    if (plain === "" || harmless.test(plain)) return false;
    return written.test(plain) || oneSided.test(plain) || single.test(plain);
  });
}
