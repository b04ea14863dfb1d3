/** The tags that are known without any list being loaded: what they describe, in Chinese, and other words for them. */
import { tagKey } from "../dataset/tag-names.ts";
import lines from "./tags/common-tags.txt?raw";

/** What a tag describes. `scene`: place, time, light and background; `framing`: what is seen of it and from where. */
export const tagAspects = [
  "people", "hair", "eyes", "face", "body", "clothes", "expression", "pose", "action", "scene", "object", "animal",
  "framing", "style",
] as const;

export type TagAspect = (typeof tagAspects)[number];

export interface CommonTag {
  readonly tag: string;
  readonly aspect: TagAspect;
  readonly chinese: string;
  readonly aliases: readonly string[];
}

let loaded: ReadonlyMap<string, CommonTag> | undefined;

/** By key, in the order of the list. */
export function commonTags(): ReadonlyMap<string, CommonTag> {
  loaded ??= load();
  return loaded;
}

function load(): ReadonlyMap<string, CommonTag> {
  const tags = new Map<string, CommonTag>();
  let aspect: TagAspect = "people";
  for (const line of lines.split(/\r?\n/)) {
    const heading = tagAspects.find((name) => line === `# ${name}`);
    if (heading !== undefined) aspect = heading;
    const [tag = "", chinese = "", ...aliases] = line.split("|");
    if (chinese !== "") tags.set(tagKey(tag), { tag, aspect, chinese, aliases });
  }
  return tags;
}

/** By their last words; the first pattern that fits counts. */
const patterns: readonly (readonly [pattern: RegExp, aspect: TagAspect])[] = [
  [/\b(?:hair (?:ornament|ribbon|bow|flower|bobbles|tie|stick)|hairband|hairclip|hat|cap|helmet|eyewear|glasses)$/, "clothes"],
  [/ background$/, "scene"],
  [/\b(?:hair|bangs|braids?|ponytail|twintails|updo|bun|ahoge)$/, "hair"],
  [/\b(?:eyes|pupils|eyelashes|sclera)$/, "eyes"],
  [/\b(?:beard|mustache|freckles|eyebrows|facial hair|scar|mole)$/, "face"],
  [/\b(?:ears|tail|tails|horns?|wings|skin|skinned (?:male|female)|breasts|halo|fur)$/, "body"],
  [/^\d+\+?(?:girls?|boys?|others?)$/, "people"],
  [/\b(?:girl|boy|man|woman|male|female)$/, "people"],
  [
    /\b(?:shirt|dress|skirt|pants|shorts|jacket|coat|sweater|uniform|shoes|boots|footwear|socks|thighhighs|pantyhose|gloves|sleeves|clothes|bikini|swimsuit|kimono|necktie|bowtie|scarf|belt|earrings|necklace|choker|headwear|legwear|apron|armor)$/,
    "clothes",
  ],
  [/\b(?:smile|expression|blush|tears|mouth|frown)$/, "expression"],
  [/^(?:looking|facing) /, "expression"],
  [/^holding /, "action"],
  [/^(?:arms?|hands?|legs?) /, "pose"],
  [/^from (?:above|below|behind|side)$/, "framing"],
  [/\((?:medium|style)\)$/, "style"],
];

/** What a tag describes, by its key; undefined where nothing is known. */
export function aspectOf(key: string): TagAspect | undefined {
  return commonTags().get(key)?.aspect ?? patterns.find(([pattern]) => pattern.test(key))?.[1];
}
