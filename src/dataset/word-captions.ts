/** Captions of a textual inversion: templates instead of them, and the names of all vectors where the token stands. */
import { trainsWords, wordNames } from "../config/trained-words.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import type { Chance } from "./vary-caption.ts";

export type WordRules = Pick<
  TrainingConfig,
  "training_kind" | "token_string" | "num_vectors_per_token" | "use_object_template" | "use_style_template"
>;

/** What stands before the token in a template; those that the first papers on it used, and sd-scripts with them. */
const objects = [
  "a photo of a", "a rendering of a", "a cropped photo of the", "the photo of a", "a photo of a clean", "a photo of a dirty",
  "a dark photo of the", "a photo of my", "a photo of the cool", "a close-up photo of a", "a bright photo of the",
  "a cropped photo of a", "a photo of the", "a good photo of the", "a photo of one", "a close-up photo of the",
  "a rendition of the", "a photo of the clean", "a rendition of a", "a photo of a nice", "a good photo of a",
  "a photo of the nice", "a photo of the small", "a photo of the weird", "a photo of the large", "a photo of a cool",
  "a photo of a small",
];
const styles = [
  "a painting", "a rendering", "a cropped painting", "the painting", "a clean painting", "a dirty painting", "a dark painting",
  "a picture", "a cool painting", "a close-up painting", "a bright painting", "a cropped painting", "a good painting",
  "a close-up painting", "a rendition", "a nice painting", "a small painting", "a weird painting", "a large painting",
].map((work) => `${work} in the style of`);

/** Whether each showing draws a template. */
export function usesTemplates(rules: WordRules): boolean {
  return trainsWords(rules) && (rules.use_object_template || rules.use_style_template);
}

/**
 * @param caption as it is shown otherwise
 * @returns what the text encoder reads; the caption itself where no words are trained
 */
export function withWords(caption: string, rules: WordRules, chance: Chance): string {
  if (!trainsWords(rules)) return caption;
  const words = wordNames(rules).join(" ");
  if (!usesTemplates(rules)) return caption.replaceAll(rules.token_string, () => words);
  const templates = rules.use_object_template ? objects : styles;
  return `${templates[chance.below(templates.length)] ?? ""} ${words}`;
}

/**
 * Whether the token can come up in a caption: in itself, or in what the settings put before and behind it.
 * @param added caption_prefix and caption_suffix
 */
export function namesToken(caption: string, rules: WordRules, added: readonly string[]): boolean {
  return usesTemplates(rules) || [caption, ...added].some((text) => text.includes(rules.token_string));
}
