/** Beam search, with the rules of transformers' `generate` for when to stop and what a longer caption is worth. */
import type { CaptionSettings } from "../manifest.ts";
import type { CaptionStart, DecodeNext, DecoderMemory } from "./generate.ts";
import { adjustScores, logProbabilities } from "./token-scores.ts";

interface Beam {
  readonly tokens: readonly number[];
  /** Sum of the words' log probabilities. */
  readonly score: number;
  readonly memory: DecoderMemory | undefined;
}

interface Finished {
  readonly tokens: readonly number[];
  /** Weighed by its length. */
  readonly score: number;
}

/** The best caption, with its prompt, and with the end where it has one. */
export async function beamSearch(next: DecodeNext, { prompt, end }: CaptionStart, settings: CaptionSettings): Promise<number[]> {
  const { beams: width, maxLength, lengthPenalty, earlyStopping } = settings;
  let running: readonly Beam[] = [{ tokens: prompt, score: 0, memory: undefined }];
  let finished: readonly Finished[] = [];
  let canImprove = true;
  while (canImprove && (running[0]?.tokens.length ?? maxLength) < maxLength) {
    const candidates = (await inTurn(running, (beam) => continuations(beam, next, end, settings))).flat();
    // Twice as many, so that enough are left where some end here. Sorting is stable: of equals, the first.
    const best = candidates.toSorted((a, b) => b.score - a.score).slice(0, 2 * width);
    const isDone = ({ tokens }: Beam): boolean => tokens.at(-1) === end || tokens.length >= maxLength;
    const isFull = finished.length === width && earlyStopping === true;
    if (!isFull) {
      const length = (best[0]?.tokens.length ?? 0) - prompt.length;
      // What ends counts only where it is among the best as many as there are beams.
      const ended = best.slice(0, width).filter(isDone).map(({ tokens, score }) => ({ tokens, score: score / length ** lengthPenalty }));
      finished = [...finished, ...ended].toSorted((a, b) => b.score - a.score).slice(0, width);
    }
    running = best.filter((beam) => !isDone(beam)).slice(0, width);
    canImprove = running.length > 0 && mayImprove(running[0]!, finished, prompt.length, settings);
    if (finished.length === width && earlyStopping === true) canImprove = false;
  }
  return [...(finished[0]?.tokens ?? running[0]?.tokens ?? prompt)];
}

/** Whether the best running caption could still be better than the worst finished one. */
function mayImprove(best: Beam, finished: readonly Finished[], promptLength: number, settings: CaptionSettings): boolean {
  const { beams, maxLength, lengthPenalty, earlyStopping } = settings;
  if (finished.length < beams) return true;
  // Longer captions are worth more under a positive penalty, so "never" hopes for the longest.
  const hopeful = earlyStopping === "never" && lengthPenalty > 0;
  const length = (hopeful ? maxLength : best.tokens.length) - promptLength;
  return best.score / length ** lengthPenalty > finished.at(-1)!.score;
}

async function continuations(beam: Beam, next: DecodeNext, end: number, settings: CaptionSettings): Promise<Beam[]> {
  const { scores, memory } = await next(beam.tokens, beam.memory);
  const adjusted = logProbabilities(scores);
  adjustScores(adjusted, beam.tokens, end, settings);
  const best = [...adjusted.keys()].toSorted((a, b) => adjusted[b]! - adjusted[a]!).slice(0, 2 * settings.beams);
  return best.map((token) => ({ tokens: [...beam.tokens, token], score: beam.score + adjusted[token]!, memory }));
}

/** One after the other: a session does one thing at a time. */
async function inTurn<T, R>(values: readonly T[], work: (value: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const value of values) results.push(await work(value));
  return results;
}
