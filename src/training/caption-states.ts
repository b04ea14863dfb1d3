/** Chunks of captions around a text encoder that takes 77 tokens: what `joinChunks` does in the step, for texts that are cached. */
import { tokenCount } from "../models/forward-graphs.ts";

/** Ids [chunks · 77] as rows of 77. */
export function splitChunks(ids: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer>[] {
  return Array.from({ length: ids.length / tokenCount }, (_, chunk) => ids.slice(chunk * tokenCount, (chunk + 1) * tokenCount));
}

/**
 * @param states [77, width] of each chunk of a caption
 * @param weights [75 · chunks + 2], or none
 * @returns [75 · chunks + 2, width]: the start of the first chunk, what is inside of each, the end of the last
 */
export function joinStates(states: readonly Float32Array<ArrayBuffer>[], weights: Float32Array | undefined): Float32Array<ArrayBuffer> {
  const width = (states[0]?.length ?? 0) / tokenCount;
  const parts = states.map((state, chunk) => {
    const start = chunk === 0 ? 0 : 1;
    const end = chunk === states.length - 1 ? tokenCount : tokenCount - 1;
    return state.subarray(start * width, end * width);
  });
  const joined = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  if (weights !== undefined) for (let i = 0; i < joined.length; i++) joined[i] = joined[i]! * weights[Math.floor(i / width)]!;
  return joined;
}
