/** What is done to a language model's scores before a word is taken, as transformers does it. */
import type { CaptionSettings } from "../manifest.ts";

/** Scores of all words for the next place. */
export type TokenScores = Float64Array<ArrayBuffer>;

/** log(softmax(scores)) */
export function logProbabilities(scores: ArrayLike<number>): TokenScores {
  const result = Float64Array.from(scores);
  const highest = result.reduce((a, b) => Math.max(a, b), -Infinity);
  const total = result.reduce((sum, score) => sum + Math.exp(score - highest), 0);
  const shift = highest + Math.log(total);
  return result.map((score) => score - shift);
}

/**
 * Makes words that were used already less likely, those impossible that would repeat a sequence, and the end while the caption is
 * too short. In place.
 * @param tokens the caption so far, with its prompt
 */
export function adjustScores(
  scores: TokenScores, tokens: readonly number[], end: number, { repetitionPenalty, noRepeat, minLength }: CaptionSettings,
): void {
  for (const token of new Set(tokens)) {
    const score = scores[token];
    if (score !== undefined) scores[token] = score < 0 ? score * repetitionPenalty : score / repetitionPenalty;
  }
  for (const token of repeating(tokens, noRepeat)) scores[token] = -Infinity;
  if (tokens.length < minLength) scores[end] = -Infinity;
}

/** The words with which a sequence of `length` words would come again. */
function repeating(tokens: readonly number[], length: number): number[] {
  const begun = length === 0 ? [] : tokens.slice(tokens.length - length + 1);
  if (length === 0 || begun.length < length - 1) return [];
  return tokens.filter((_, at) => at >= length - 1 && begun.every((token, i) => token === tokens[at - length + 1 + i]));
}

/** The likeliest; the first of several. */
export function likeliest(scores: TokenScores): number {
  let best = 0;
  for (let token = 1; token < scores.length; token++) if (scores[token]! > scores[best]!) best = token;
  return best;
}

/**
 * Draws a word from the likeliest ones that together have at least `topP` of the probability: the first, by number, at
 * which the sum of probabilities is above `draw`.
 * @param draw from 0 to less than 1
 */
export function drawToken(scores: TokenScores, draw: number, { topP, temperature }: CaptionSettings): number {
  const probabilities = logProbabilities(scores.map((score) => score / temperature)).map(Math.exp);
  const rising = [...probabilities.keys()].toSorted((a, b) => probabilities[a]! - probabilities[b]!);
  let tail = 0;
  // The likeliest stays, whatever is asked for.
  for (const token of rising.slice(0, -1)) {
    tail += probabilities[token]!;
    if (tail > 1 - topP || topP === 1) break;
    probabilities[token] = 0;
  }
  const total = probabilities.reduce((sum, probability) => sum + probability, 0);
  let sum = 0;
  for (const [token, probability] of probabilities.entries()) {
    sum += probability / total;
    if (sum > draw) return token;
  }
  // Rounding may leave the sum a little below 1.
  return rising.at(-1) ?? 0;
}
