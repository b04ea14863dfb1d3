/** What to merge, suggested from how often tags occur, and what stands out afterwards. */
import { typedTags } from "./caption-tags.ts";
import { merger } from "./merge-rule.ts";
import type { MergeRule } from "./merge-rule.ts";
import { pictureTags } from "./picture-tags.ts";
import type { StudioPicture } from "./picture.ts";
import { sameTag } from "./same-tag.ts";
import { countTags } from "./tag-statistics.ts";
import { aspectOf, commonTags } from "./tag-aspect.ts";
import type { TagAspect } from "./tag-aspect.ts";

export interface AbsorbSuggestion {
  readonly tag: string;
  readonly key: string;
  readonly count: number;
  /** Of the pictures, 0 to 1. */
  readonly share: number;
  /** What the tag describes; undefined where that is not known. */
  readonly aspect: TagAspect | undefined;
  /** Whether it is worth ticking beforehand: it belongs to the subject, and most pictures have it. */
  readonly isSuggested: boolean;
}

/** What the subject always carries with it. Clothes may be changed, so they need to be there nearly always. */
const subjectAspects: ReadonlySet<TagAspect> = new Set(["people", "hair", "eyes", "face", "body"]);
const clothingShare = 0.9;

/**
 * Tags of the pictures, the most frequent first.
 * @param minShare from which share of the pictures on a tag of the subject is suggested
 */
export function suggestAbsorbed(pictures: readonly StudioPicture[], minShare = 0.5): AbsorbSuggestion[] {
  return countTags(pictures).map(({ tag, key, count }) => {
    const share = count / pictures.length;
    const aspect = aspectOf(key);
    const isSubject = aspect !== undefined && subjectAspects.has(aspect);
    const isSuggested = isSubject ? share >= minShare : aspect === "clothes" && share >= Math.max(minShare, clothingShare);
    return { tag, key, count, share, aspect, isSuggested: isSuggested && pictures.length > 1 };
  });
}

export interface SynonymSuggestion {
  readonly from: readonly string[];
  readonly to: string;
}

/**
 * Tags of the pictures that are spellings of one another, plurals or aliases; the more frequent one stays.
 * @param aliasOf the usual name of a tag, by its key; the key itself where there is none
 */
export function suggestSynonyms(pictures: readonly StudioPicture[], aliasOf: (key: string) => string): SynonymSuggestion[] {
  const together = new Map<string, string[]>();
  const isCommon = (key: string): boolean => commonTags().has(key);
  // Of equally frequent ones the one that is known anyway stays.
  const counts = countTags(pictures).sort((a, b) => b.count - a.count || Number(isCommon(b.key)) - Number(isCommon(a.key)));
  for (const { tag, key } of counts) {
    const root = singular(aliasOf(key));
    const known = together.get(root);
    if (known === undefined) together.set(root, [tag]);
    else known.push(tag);
  }
  return [...together.values()].filter((tags) => tags.length > 1).map(([to, ...from]) => ({ from, to: to! }));
}

/** Words without what makes a plural, and hyphens as spaces. Only compared, never shown. */
function singular(key: string): string {
  return key.replaceAll("-", " ").replaceAll(/(?<=\p{L}{3})(?<![sui])s\b/gu, "");
}

export interface MergeOutliers {
  /** Captions that lack a tag which would be absorbed and most others have: has the subject another look there? */
  readonly incomplete: readonly { readonly picture: StudioPicture; readonly missing: readonly string[] }[];
  /** Captions that are left with the trigger alone: everything in these pictures becomes the subject. */
  readonly bare: readonly StudioPicture[];
  /** Pictures that the rule does not act on. */
  readonly untouched: readonly StudioPicture[];
}

/** From this share of the pictures on, a tag is missed where it is not. */
const missedShare = 0.5;

/** @param pictures as they are before the rule acts, of the subsets that it is for */
export function mergeOutliers(rule: MergeRule, pictures: readonly StudioPicture[]): MergeOutliers {
  const merge = merger(rule);
  const absorbed = new Set(rule.absorbed.map(sameTag));
  const expected = countTags(pictures).filter(({ key, count }) => absorbed.has(key) && count >= missedShare * pictures.length);
  const triggers = new Set(typedTags(rule.trigger).map(sameTag));
  const incomplete: MergeOutliers["incomplete"][number][] = [];
  const bare: StudioPicture[] = [];
  const untouched: StudioPicture[] = [];
  for (const picture of pictures) {
    const after = merge(picture.caption);
    const { keys } = pictureTags(picture);
    const isMerged = keys.length > 0 && [...triggers].every((key) => keys.includes(key));
    const missing = expected.filter(({ key }) => !keys.includes(key)).map(({ tag }) => tag);
    // Where the trigger stands already, its tags went into it before.
    if (missing.length > 0 && !isMerged) incomplete.push({ picture, missing });
    const left = pictureTags({ ...picture, caption: after }).keys;
    if (left.length > 0 && left.every((key) => triggers.has(key))) bare.push(picture);
    if (after === picture.caption && !isMerged) untouched.push(picture);
  }
  return { incomplete, bare, untouched };
}
