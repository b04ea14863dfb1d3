/**
 * Finds tags by what is typed: their beginning, the beginning of one of their words, other words for them, Chinese, or
 * anything inside. Made for lists of a hundred thousand: the list is one text that the engine searches.
 */
import { tagKey } from "../dataset/tag-names.ts";

export interface IndexedTag {
  readonly tag: string;
  /** Pictures or posts that have it; only shown. */
  readonly count?: number | undefined;
  readonly aliases?: readonly string[] | undefined;
  readonly translation?: string | undefined;
}

/** How well something fits, best first. */
const matchKinds = ["exact", "prefix", "alias", "word", "inside"] as const;
type MatchKind = (typeof matchKinds)[number];

export interface TagMatch extends IndexedTag {
  readonly key: string;
  readonly match: MatchKind;
  /** The other word that was found, where it was not the tag itself. */
  readonly alias?: string;
}

/** Names begin behind this, and other words behind the next; neither is ever typed. */
const NAME = "\u0001";
const ALIAS = "\u0002";

export class TagIndex {
  readonly #tags: readonly IndexedTag[];
  /** NAME key ALIAS alias ALIAS alias … for each tag, and NAME behind the last. */
  readonly #text: string;
  /** Where each tag begins in the text, and the text's last NAME. */
  readonly #starts: Uint32Array;
  readonly #exact = new Map<string, number>();

  /** @param tags the ones to be found first in front */
  constructor(tags: readonly IndexedTag[]) {
    this.#tags = tags;
    this.#starts = new Uint32Array(tags.length + 1);
    let length = 0;
    const parts = tags.map(({ tag, aliases = [], translation }, index) => {
      const key = tagKey(tag);
      if (!this.#exact.has(key)) this.#exact.set(key, index);
      const others = translation === undefined ? aliases : [...aliases, translation];
      const part = NAME + key + others.map((other) => ALIAS + tagKey(other)).join("");
      this.#starts[index] = length;
      length += part.length;
      return part;
    });
    this.#starts[tags.length] = length;
    this.#text = parts.join("") + NAME;
  }

  /** At most `limit` tags, the best first; of equal ones the one further in front of the list. */
  find(typed: string, limit: number): TagMatch[] {
    const query = tagKey(typed.replaceAll(NAME, "").replaceAll(ALIAS, ""));
    if (query === "" || limit <= 0) return [];
    const exact = this.#exact.get(query);
    const found: Record<MatchKind, TagMatch[]> = { exact: [], prefix: [], alias: [], word: [], inside: [] };
    if (exact !== undefined) found.exact.push(this.#matchOf(exact, "exact", this.#starts[exact]! + 1));
    // One walk through the text. Nothing further back is better than what begins with the query.
    let at = this.#text.indexOf(query);
    while (at >= 0 && found.prefix.length < limit) {
      const index = this.#indexAt(at);
      const end = this.#starts[index + 1]!;
      let best: { rank: number; at: number } | undefined;
      for (; at >= 0 && at < end; at = this.#text.indexOf(query, at + 1)) {
        const rank = this.#rankAt(at);
        if (best === undefined || rank < best.rank) best = { rank, at };
      }
      const kind = matchKinds[best?.rank ?? 0]!;
      if (best !== undefined && index !== exact && found[kind].length < limit) found[kind].push(this.#matchOf(index, kind, best.at));
    }
    return matchKinds.flatMap((kind) => found[kind]).slice(0, limit);
  }

  /** How good a find is, by what stands before it. */
  #rankAt(at: number): number {
    const before = this.#text[at - 1];
    const kind: MatchKind = before === NAME ? "prefix" : before === ALIAS ? "alias" : before === " " ? "word" : "inside";
    return matchKinds.indexOf(kind);
  }

  #indexAt(at: number): number {
    let [low, high] = [0, this.#tags.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#starts[middle]! <= at) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #matchOf(index: number, match: MatchKind, at: number): TagMatch {
    const tag = this.#tags[index]!;
    const key = tagKey(tag.tag);
    if (at <= this.#starts[index]! + key.length) return { ...tag, key, match };
    const [alias = ""] = this.#text.slice(this.#text.lastIndexOf(ALIAS, at) + 1, this.#starts[index + 1]).split(ALIAS, 1);
    return { ...tag, key, match, alias };
  }
}

/** What several lists find, each tag once: better matches first, then the lists in their order. */
export function findInAll(indexes: readonly TagIndex[], typed: string, limit: number): TagMatch[] {
  const rank = ({ match }: TagMatch): number => matchKinds.indexOf(match);
  const found = new Map<string, TagMatch>();
  for (const match of indexes.flatMap((index) => index.find(typed, limit)).sort((a, b) => rank(a) - rank(b))) {
    const known = found.get(match.key);
    // One list knows how often there is such a tag, another one its translation.
    const both = { count: known?.count ?? match.count, translation: known?.translation ?? match.translation };
    found.set(match.key, { ...(known ?? match), ...both });
  }
  return [...found.values()].slice(0, limit);
}
