/**
 * A whole word for a regular expression, with word boundaries that know every script; JavaScript's `\b` knows ASCII
 * only and would find `AND` in `čAND`.
 */
export function wholeWord(word: string): string {
  return String.raw`(?<![\p{L}\p{N}_])${word}(?![\p{L}\p{N}_])`;
}
