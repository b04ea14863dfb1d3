/** How often tags occur in a set, and which go together. */
import { pictureTags } from "./picture-tags.ts";
import type { StudioPicture } from "./picture.ts";
import { sameTag } from "./same-tag.ts";

export interface TagCount {
  /** In the spelling that is the most frequent one. */
  readonly tag: string;
  readonly key: string;
  /** Pictures that have it. */
  readonly count: number;
}

/** All tags of the pictures, the most frequent first, equally frequent ones by name. */
export function countTags(pictures: readonly StudioPicture[]): TagCount[] {
  const found = new Map<string, { count: number; spellings: Map<string, number> }>();
  for (const picture of pictures) {
    const { tags, keys } = pictureTags(picture);
    keys.forEach((key, index) => {
      const entry = found.get(key) ?? { count: 0, spellings: new Map<string, number>() };
      if (entry.count === 0) found.set(key, entry);
      const tag = tags[index]!;
      entry.spellings.set(tag, (entry.spellings.get(tag) ?? 0) + 1);
      // Twice in one caption is one picture.
      if (keys.indexOf(key) === index) entry.count++;
    });
  }
  return [...found]
    .map(([key, { count, spellings }]) => ({ tag: mostFrequent(spellings), key, count }))
    .sort((a, b) => b.count - a.count || compareText(a.tag, b.tag));
}

function mostFrequent(spellings: ReadonlyMap<string, number>): string {
  let best: [tag: string, count: number] = ["", 0];
  for (const entry of spellings) if (entry[1] > best[1]) best = entry;
  return best[0];
}

/** The same order in every language of the browser. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/** Tags that every one of the pictures has, and those that only some have; both in the order of the captions. */
export function sharedTags(pictures: readonly StudioPicture[]): { readonly common: string[]; readonly partial: TagCount[] } {
  const counts = new Map(countTags(pictures).map((entry) => [entry.key, entry]));
  const [first] = pictures;
  const isCommon = (key: string): boolean => counts.get(key)?.count === pictures.length;
  const own = first === undefined ? { tags: [], keys: [] } : pictureTags(first);
  const common = own.tags.filter((_, index) => isCommon(own.keys[index]!) && own.keys.indexOf(own.keys[index]!) === index);
  return { common, partial: [...counts.values()].filter(({ key }) => !isCommon(key)) };
}

/**
 * What goes with these tags: tags of pictures that have most of them, by how much more frequent they are there than
 * in the set.
 * @param tags of the caption that is being written
 */
export function relatedTags(pictures: readonly StudioPicture[], tags: readonly string[], limit: number): string[] {
  const wanted = new Set(tags.map(sameTag));
  if (wanted.size === 0) return [];
  const together = new Map<string, number>();
  const alone = new Map<string, number>();
  const spelling = new Map<string, string>();
  for (const picture of pictures) {
    const { tags: own, keys } = pictureTags(picture);
    const shared = keys.reduce((sum, key) => sum + Number(wanted.has(key)), 0);
    keys.forEach((key, index) => {
      if (wanted.has(key)) return;
      spelling.set(key, own[index]!);
      alone.set(key, (alone.get(key) ?? 0) + 1);
      if (shared > 0) together.set(key, (together.get(key) ?? 0) + shared / wanted.size);
    });
  }
  // A tag that occurs once goes with anything; two more of each keep it behind those that are known better.
  const scores = [...together].map(([key, weight]) => [key, weight * (weight / (alone.get(key)! + 2))] as const);
  return scores.sort((a, b) => b[1] - a[1] || compareText(a[0], b[0])).slice(0, limit).map(([key]) => spelling.get(key)!);
}
