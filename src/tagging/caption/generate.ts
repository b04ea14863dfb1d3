/** From a picture to the words of a caption, word by word. */
import type { CaptionSettings } from "../manifest.ts";
import { beamSearch } from "./beam-search.ts";
import { adjustScores, drawToken, likeliest } from "./token-scores.ts";

/** What the decoder remembers of the words before; each continuation has its own, none is changed. */
export type DecoderMemory = object;

export interface DecoderStep {
  /** Of all words for the place behind `tokens`. */
  readonly scores: Float32Array;
  readonly memory: DecoderMemory | undefined;
}

/**
 * @param tokens the caption so far
 * @param memory of the same caption without its last word; undefined at the beginning
 */
export type DecodeNext = (tokens: readonly number[], memory: DecoderMemory | undefined) => Promise<DecoderStep>;

export interface CaptionStart {
  /** Words that the caption begins with; at least one. */
  readonly prompt: readonly number[];
  /** The word that ends it. */
  readonly end: number;
}

/**
 * The words of a caption with its prompt, and with the end where it came before `maxLength`. Lengths count all of these, as
 * transformers' `generate` counts them.
 * @param draw the next random number from 0 to less than 1; asked in `nucleus` mode only
 */
export async function generate(
  next: DecodeNext, start: CaptionStart, settings: CaptionSettings, draw: () => number,
): Promise<number[]> {
  if (settings.mode === "beam" && settings.beams > 1) return beamSearch(next, start, settings);
  const tokens = [...start.prompt];
  let memory: DecoderMemory | undefined;
  while (tokens.length < settings.maxLength) {
    const step = await next(tokens, memory);
    memory = step.memory;
    const scores = Float64Array.from(step.scores);
    adjustScores(scores, tokens, start.end, settings);
    const token = settings.mode === "nucleus" ? drawToken(scores, draw(), settings) : likeliest(scores);
    tokens.push(token);
    if (token === start.end) break;
  }
  return tokens;
}
