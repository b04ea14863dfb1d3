/** What becomes of a caption after the model wrote it. */
import { InputError } from "../../errors.ts";

/**
 * Words that GIT makes up where it believes to see writing, as kohya's `--remove_words` takes them out: regular expressions,
 * applied in order, each match replaced by nothing.
 */
export const wordRemovals: readonly string[] = [
  String.raw`(has|with|and) the (words?|letters?|name) \S+( (is )?(on|in) (the |her |their |him )?\w+)?`,
  String.raw`(with a sign )?that says ".*"( on it)?`,
  String.raw`(with a sign )?that says '.*'( on it)?`,
  String.raw`with the number \d+ on (it|\w+ \w+)`,
  String.raw`with the words "`,
  String.raw`word \w+ on it`,
  String.raw`that says the word \w+ on it`,
];

export interface CaptionRules {
  /** Put in front and behind, each with a space where it has letters at that end. */
  readonly prefix: string;
  readonly suffix: string;
  /** Regular expressions whose matches are taken out, in order; case does not matter. */
  readonly removals: readonly string[];
}

export const defaultCaptionRules: CaptionRules = { prefix: "", suffix: "", removals: [] };

/**
 * Reads a list of regular expressions, one a line; empty lines are skipped.
 * @throws InputError `captioner.removal`
 */
export function parseRemovals(text: string): string[] {
  const lines = text.split(/\r\n|\r|\n/).map((line) => line.trim()).filter((line) => line !== "");
  for (const line of lines) {
    try {
      "".search(new RegExp(line, "giu"));
    } catch (cause) {
      const message = `“${line}” is no regular expression, so nothing can be taken out by it. Correct or remove it.`;
      throw new InputError("captioner.removal", message, { pattern: line }, { cause });
    }
  }
  return lines;
}

/** @param promptText what the caption begins with because the model was told so; it is cut off */
export function finishCaption(text: string, promptText: string, { prefix, suffix, removals }: CaptionRules): string {
  const own = text.startsWith(promptText) ? text.slice(promptText.length) : text;
  const removed = removals.reduce((kept, pattern) => kept.replaceAll(new RegExp(pattern, "giu"), ""), own);
  const clean = removed.replaceAll(/\s+/g, " ").replaceAll(/ +([.,!?])/g, "$1").trim();
  return [prefix.trim(), clean, suffix.trim()].filter((part) => part !== "").join(" ").replaceAll(/ +([.,!?])/g, "$1");
}
