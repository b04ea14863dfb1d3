/**
 * What a picture's caption becomes each time that the picture is shown: shuffled, thinned out, dropped, its wildcards
 * chosen. The order of all this is sd-scripts'.
 */
import type { TrainingConfig } from "../config/parameters.ts";

/** Random numbers of one showing. */
export interface Chance {
  /** U[0, 1) */
  uniform(): number;
  /** From 0 to `limit` − 1. */
  below(limit: number): number;
}

/** Where in the run a caption is shown. */
export interface CaptionMoment {
  /** From 1. */
  readonly epoch: number;
  /** Updates finished. */
  readonly step: number;
}

export type CaptionRules = Pick<
  TrainingConfig,
  | "caption_prefix" | "caption_suffix" | "caption_dropout_rate" | "caption_dropout_every_n_epochs"
  | "caption_tag_dropout_rate" | "caption_separator" | "secondary_separator" | "shuffle_caption" | "keep_tokens"
  | "keep_tokens_separator" | "enable_wildcard" | "token_warmup_min" | "token_warmup_step"
>;

/** Whether a caption may read differently from one showing to the next. */
export function variesCaptions(rules: CaptionRules): boolean {
  return rules.enable_wildcard || rules.caption_dropout_rate > 0 || rules.caption_dropout_every_n_epochs > 0 || changesTags(rules);
}

/** Only then is a caption taken for a list of tags. */
function changesTags(rules: CaptionRules): boolean {
  return rules.shuffle_caption || rules.token_warmup_step > 0 || rules.caption_tag_dropout_rate > 0;
}

/**
 * @param caption with `enable_wildcard`, lines to choose from
 * @param maxTrainSteps length of the run, of which `token_warmup_step` may be a share
 * @param chance not asked unless `variesCaptions`
 */
export function varyCaption(
  caption: string, rules: CaptionRules, { epoch, step }: CaptionMoment, maxTrainSteps: number, chance: Chance,
): string {
  const prefixed = rules.caption_prefix === "" ? caption : `${rules.caption_prefix} ${caption}`;
  const whole = rules.caption_suffix === "" ? prefixed : `${prefixed} ${rules.caption_suffix}`;
  if (isDropped(rules, epoch, chance)) return "";
  const line = rules.enable_wildcard ? chooseWildcards(whole, chance) : (whole.split("\n", 1)[0] ?? "");
  const tagged = changesTags(rules) ? varyTags(line, rules, step, maxTrainSteps, chance) : line;
  const { secondary_separator: secondary, caption_separator: separator } = rules;
  return secondary === "" ? tagged : tagged.replaceAll(secondary, () => separator);
}

function isDropped(rules: CaptionRules, epoch: number, chance: Chance): boolean {
  const every = rules.caption_dropout_every_n_epochs;
  if (rules.caption_dropout_rate > 0 && chance.uniform() < rules.caption_dropout_rate) return true;
  return every > 0 && epoch % every === 0;
}

/** One of the lines, and one alternative of each `{a|b}`; doubled braces are braces. */
function chooseWildcards(text: string, chance: Chance): string {
  const choose = (options: readonly string[]): string => options[chance.below(options.length)] ?? "";
  const lines = text.split("\n");
  const line = lines.length > 1 ? choose(lines) : text;
  // Stand-ins for doubled braces that the text itself does not hold.
  let open = "⦅";
  let close = "⦆";
  while (line.includes(open) || line.includes(close)) {
    open += "⦅";
    close += "⦆";
  }
  return line
    .replaceAll("{{", open)
    .replaceAll("}}", close)
    .replaceAll(/\{([^}]+)\}/g, (_, alternatives: string) => choose(alternatives.split("|")))
    .replaceAll(open, "{")
    .replaceAll(close, "}");
}

function varyTags(line: string, rules: CaptionRules, step: number, maxTrainSteps: number, chance: Chance): string {
  const { before, tags, after } = splitTags(line, rules);
  const warm = warmedUp(tags, rules, step, maxTrainSteps);
  const shuffled = rules.shuffle_caption ? shuffle(warm, chance) : warm;
  const rate = rules.caption_tag_dropout_rate;
  const kept = rate > 0 ? shuffled.filter(() => chance.uniform() >= rate) : shuffled;
  return [...before, ...kept, ...after].join(", ");
}

/** Tags that stay in front, those that are changed, and those that stay behind. */
function splitTags(
  line: string, { caption_separator: separator, keep_tokens: keep, keep_tokens_separator: fence }: CaptionRules,
): Readonly<Record<"before" | "tags" | "after", readonly string[]>> {
  const split = (text: string): string[] => text.split(separator).map((tag) => tag.trim());
  if (fence === "" || !line.includes(fence)) {
    const tags = split(line.trim());
    return { before: tags.slice(0, keep), tags: tags.slice(keep), after: [] };
  }
  const [before = "", middle = "", ...rest] = line.split(fence);
  const full = (text: string): string[] => split(text).filter((tag) => tag !== "");
  // A third fence belongs to the tags behind.
  return { before: full(before), tags: full(middle), after: full(rest.join(fence)) };
}

/** The first few of the tags while `token_warmup_step` lasts, ever more of them. */
function warmedUp(tags: readonly string[], rules: CaptionRules, step: number, maxTrainSteps: number): readonly string[] {
  const { token_warmup_step: given, token_warmup_min: least } = rules;
  const steps = given < 1 ? Math.floor(given * maxTrainSteps) : given;
  if (steps === 0 || step >= steps) return tags;
  return tags.slice(0, Math.floor(step * ((tags.length - least) / steps)) + least);
}

function shuffle(tags: readonly string[], chance: Chance): readonly string[] {
  const shuffled = [...tags];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = chance.below(i + 1);
    [shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!];
  }
  return shuffled;
}
