/** From a tagger's scores to the tags of a caption. Pure, so that a threshold can move without the tagger. */
import { InputError } from "../errors.ts";
import type { TagLabel } from "./labels.ts";
import type { TagScores } from "./scores.ts";
import { escapeBrackets, inWords, tagKey, uniqueTags } from "../dataset/tag-names.ts";

export interface TagRules {
  /** A tag is taken from this score on; above 1 none is. */
  readonly generalThreshold: number;
  readonly characterThreshold: number;
  /** `score`: surest first. `list`: as in the tagger's list, general tags before characters, as sd-scripts does. */
  readonly order: "score" | "list";
  /** Underscores become spaces, except in faces such as `^_^`. */
  readonly inWords: boolean;
  /** `saber (fate)` becomes `saber \(fate\)`, for prompts. */
  readonly escapeBrackets: boolean;
  /** Put in front of every caption, whatever the tagger says: a trigger word. */
  readonly added: readonly string[];
  /** Moved to the front where they are found, in this order. */
  readonly first: readonly string[];
  readonly undesired: readonly string[];
  /** Whole tags that are renamed; an empty name removes. Runs after `inWords`, before `undesired`. */
  readonly replacements: readonly (readonly [from: string, to: string])[];
}

/** Thresholds of the WD14 authors' own demonstration. */
export const defaultTagRules: TagRules = {
  generalThreshold: 0.35,
  characterThreshold: 0.85,
  order: "score",
  inWords: true,
  escapeBrackets: false,
  added: [],
  first: [],
  undesired: [],
  replacements: [],
};

/** The tags of a picture in the order of its caption. Ratings are left out; no tag comes twice. */
export function chooseTags(labels: readonly TagLabel[], scores: TagScores, rules: TagRules): string[] {
  const replacements = new Map(rules.replacements.map(([from, to]) => [tagKey(from), to]));
  const undesired = new Set(rules.undesired.map(tagKey));
  const found = namesAbove(labels, scores, rules)
    .map((name) => (rules.inWords ? inWords(name) : name))
    .map((tag) => replacements.get(tagKey(tag)) ?? tag)
    .filter((tag) => tag !== "" && !undesired.has(tagKey(tag)));
  const first = rules.first.flatMap((wanted) => found.find((tag) => tagKey(tag) === tagKey(wanted)) ?? []);
  const tags = uniqueTags([...rules.added, ...first, ...found]);
  return rules.escapeBrackets ? tags.map(escapeBrackets) : tags;
}

function namesAbove(labels: readonly TagLabel[], scores: TagScores, rules: TagRules): string[] {
  // Scores are 32-bit floats; one that equals the threshold as such counts.
  const general = Math.fround(rules.generalThreshold);
  const character = Math.fround(rules.characterThreshold);
  const taken = [...scores.indices].flatMap((label, i) => {
    const { name, kind } = labels[label]!;
    const score = scores.values[i]!;
    if (kind === "rating" || score < (kind === "character" ? character : general)) return [];
    return [{ name, score, isCharacter: kind === "character" }];
  });
  if (rules.order === "score") taken.sort((a, b) => b.score - a.score);
  else taken.sort((a, b) => Number(a.isCharacter) - Number(b.isCharacter));
  return taken.map(({ name }) => name);
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
