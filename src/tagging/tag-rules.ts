/** From a tagger's scores to the tags of a caption. Pure, so that a threshold can move without the tagger. */
import { InputError } from "../errors.ts";
import type { LabelKind, TagLabel } from "./labels.ts";
import type { TagScores } from "./scores.ts";
import { escapeBrackets, inWords, tagKey, uniqueTags } from "../dataset/tag-names.ts";

/** Where the rating, or the quality, of a picture goes: the likeliest of its kind, whatever its score. */
export type RatingPlace = "none" | "first" | "last";

export interface TagRules {
  /** A tag is taken from this score on; above 1 none is. */
  readonly generalThreshold: number;
  readonly characterThreshold: number;
  /** Of other kinds of tags; those that are not named here have the general one. */
  readonly kindThresholds: Readonly<Partial<Record<"copyright" | "artist" | "meta" | "model", number>>>;
  /** Thresholds for general tags and characters where the scores have their widest gap, instead of those above. */
  readonly isMcut: boolean;
  /**
   * `score`: surest first. `list`: as in the tagger's list, general tags before characters, as sd-scripts does. `name`: by
   * alphabet.
   */
  readonly order: "score" | "list" | "name";
  readonly charactersFirst: boolean;
  /** `saber_(fate)` becomes two tags, saber and fate. */
  readonly expandsCharacters: boolean;
  readonly rating: RatingPlace;
  readonly quality: RatingPlace;
  /** Underscores become spaces, except in faces such as `^_^`. */
  readonly inWords: boolean;
  /** `saber (fate)` becomes `saber \(fate\)`, for prompts. */
  readonly escapeBrackets: boolean;
  /** Put in front of every caption, whatever the tagger says: a trigger word. */
  readonly added: readonly string[];
  /** Moved to the front where they are found, in this order. */
  readonly first: readonly string[];
  readonly undesired: readonly string[];
  /** Whole tags that are renamed; an empty name removes. Runs after `expandsCharacters` and `inWords`, before `undesired`. */
  readonly replacements: readonly (readonly [from: string, to: string])[];
}

/** Thresholds of the WD14 authors' own demonstration. */
export const defaultTagRules: TagRules = {
  generalThreshold: 0.35,
  characterThreshold: 0.85,
  kindThresholds: {},
  isMcut: false,
  order: "score",
  charactersFirst: false,
  expandsCharacters: false,
  rating: "none",
  quality: "none",
  inWords: true,
  escapeBrackets: false,
  added: [],
  first: [],
  undesired: [],
  replacements: [],
};

interface Found {
  readonly name: string;
  readonly kind: LabelKind;
  readonly score: number;
}

/** The tags of a picture in the order of its caption; no tag comes twice. */
export function chooseTags(labels: readonly TagLabel[], scores: TagScores, rules: TagRules): string[] {
  const replacements = new Map(rules.replacements.map(([from, to]) => [tagKey(from), to]));
  const undesired = new Set(rules.undesired.map(tagKey));
  const all = [...scores.indices].map((label, i): Found => ({ ...labels[label]!, score: scores.values[i]! }));
  const found = withRatings(all, ordered(above(all, rules), rules), rules)
    .flatMap(({ name, kind }) => (rules.expandsCharacters && kind === "character" ? expanded(name) : [name]))
    .map((name) => (rules.inWords ? inWords(name) : name))
    .map((tag) => replacements.get(tagKey(tag)) ?? tag)
    .filter((tag) => tag !== "" && !undesired.has(tagKey(tag)));
  const first = rules.first.flatMap((wanted) => found.find((tag) => tagKey(tag) === tagKey(wanted)) ?? []);
  const tags = uniqueTags([...rules.added, ...first, ...found]);
  return rules.escapeBrackets ? tags.map(escapeBrackets) : tags;
}

function isChosenOnce(kind: LabelKind): kind is "rating" | "quality" {
  return kind === "rating" || kind === "quality";
}

function above(all: readonly Found[], rules: TagRules): Found[] {
  // Scores are 32-bit floats; one that equals the threshold as such counts.
  const general = Math.fround(rules.isMcut ? mcut(all, "general") : rules.generalThreshold);
  const character = Math.fround(rules.isMcut ? Math.max(surestCharacters, mcut(all, "character")) : rules.characterThreshold);
  return all.filter(({ kind, score }) => {
    if (isChosenOnce(kind)) return false;
    if (kind === "general") return score >= general;
    return score >= (kind === "character" ? character : Math.fround(rules.kindThresholds[kind] ?? rules.generalThreshold));
  });
}

/** MCut may not go below this for characters. */
const surestCharacters = 0.15;

/**
 * The middle of the widest gap between two scores that follow each other. What was too small to be kept counts as 0, which
 * matters only where two gaps differ by less than that.
 */
function mcut(all: readonly Found[], wanted: LabelKind): number {
  const scores = all.filter(({ kind }) => kind === wanted).map(({ score }) => score).toSorted((a, b) => b - a);
  let [widest, threshold] = [-1, 1];
  for (const [i, score] of scores.entries()) {
    const next = scores[i + 1] ?? 0;
    if (score - next <= widest) continue;
    [widest, threshold] = [score - next, (score + next) / 2];
  }
  return threshold;
}

function ordered(found: readonly Found[], { order, charactersFirst }: TagRules): Found[] {
  const isCharacter = ({ kind }: Found): number => Number(kind === "character");
  const byOrder = {
    score: (a: Found, b: Found) => b.score - a.score,
    list: (a: Found, b: Found) => isCharacter(a) - isCharacter(b),
    name: (a: Found, b: Found) => (a.name < b.name ? -1 : Number(a.name > b.name)),
  }[order];
  const sorted = found.toSorted(byOrder);
  return charactersFirst ? sorted.toSorted((a, b) => isCharacter(b) - isCharacter(a)) : sorted;
}

function withRatings(all: readonly Found[], found: readonly Found[], rules: TagRules): Found[] {
  const at = (place: RatingPlace): Found[] =>
    (["rating", "quality"] as const).flatMap((kind) => {
      const likeliest = all.filter((one) => one.kind === kind).toSorted((a, b) => b.score - a.score)[0];
      return rules[kind] === place && likeliest !== undefined ? [likeliest] : [];
    });
  return [...at("first"), ...found, ...at("last")];
}

/** `artoria_pendragon_(lancer)_(fate)` → `artoria_pendragon_(lancer)`, `fate`: the last brackets only. */
function expanded(name: string): string[] {
  const match = /^(.+?)_?\(([^()]+)\)$/.exec(name);
  return match === null ? [name] : [match[1]!, match[2]!];
}

/**
 * Reads sd-scripts' `--tag_replacement`: `from,to;from,to`, where `\,` and `\;` are part of a tag.
 * @throws InputError `tagger.replacement`
 */
export function parseReplacements(text: string): [from: string, to: string][] {
  const pairs = splitUnescaped(text, ";").filter((pair) => pair.trim() !== "");
  return pairs.map((pair) => {
    const [from, to, extra] = splitUnescaped(pair, ",").map((tag) => tag.replaceAll(/\\([,;])/g, "$1").trim());
    if (from === undefined || from === "" || to === undefined || extra !== undefined) {
      const message = `“${pair.trim()}” is no replacement: write old,new and put ; between two of them.`;
      throw new InputError("tagger.replacement", message, { pair: pair.trim() });
    }
    return [from, to];
  });
}

function splitUnescaped(text: string, separator: "," | ";"): string[] {
  return text.split(separator === "," ? /(?<!\\),/ : /(?<!\\);/);
}
