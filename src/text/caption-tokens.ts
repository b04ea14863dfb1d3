/** Captions as text encoders take them while training: up to three chunks of 75 tokens, with or without attention. */
import { endOfText } from "./clip-bpe.ts";
import { parseAttention } from "./prompt/attention.ts";
import { encodeIds, encodePrompt, tokenize, type AddedWords, type TokenizerVariant } from "./tokenizer.ts";

/** Tokens of a chunk between its start and its end. */
const CHUNK_TOKENS = 75;

export interface CaptionShape {
  /** `max_token_length` / 75 */
  readonly chunks: number;
  /** `weighted_captions`: brackets say how much their words count. */
  readonly isWeighted: boolean;
}

export interface CaptionTokens {
  /** [chunks · 77], each chunk with a start and an end. */
  readonly ids: Int32Array<ArrayBuffer>;
  /** [75 · chunks + 2]: factor of each token's vector after the chunks are joined; undefined where all are 1. */
  readonly weights: Float32Array<ArrayBuffer> | undefined;
}

/** Length of a caption after its chunks are joined: one start and one end. */
export const joinedTokens = (chunks: number): number => CHUNK_TOKENS * chunks + 2;

/** @param words that are trained, beside the vocabulary's */
export function captionTokens(
  caption: string, { chunks, isWeighted }: CaptionShape, variant: TokenizerVariant, words?: AddedWords,
): CaptionTokens {
  const maxLength = joinedTokens(chunks);
  if (!isWeighted) return { ids: splitIds(encodePrompt(caption, { variant, words, maxLength }), chunks, variant), weights: undefined };
  const pieces = parseAttention(caption, "sd-scripts").map(({ text, weight }) => ({ weight, ids: tokenize(text, { variant, words }) }));
  const weights = new Float32Array(maxLength).fill(1);
  weights.set(pieces.flatMap(({ weight, ids }) => ids.map(() => weight)).slice(0, maxLength - 2), 1);
  const ids = encodeIds(pieces.flatMap((piece) => piece.ids), { variant, maxLength });
  return { ids: splitIds(ids, chunks, variant), weights };
}

/**
 * @param ids [75 · chunks + 2] with one start and the padding of the variant
 * @returns [chunks · 77]. Every SD1 chunk closes with the end token. An SD2 chunk closes with what closes the whole,
 * unless its last word needs an end, and an empty one begins with an end.
 */
function splitIds(ids: Int32Array<ArrayBuffer>, chunks: number, variant: TokenizerVariant): Int32Array<ArrayBuffer> {
  if (chunks === 1) return ids;
  const padding = variant === "sd2" ? 0 : endOfText;
  const last = ids.at(-1) ?? endOfText;
  const split = new Int32Array(chunks * (CHUNK_TOKENS + 2));
  for (let chunk = 0; chunk < chunks; chunk++) {
    const row = split.subarray(chunk * (CHUNK_TOKENS + 2), (chunk + 1) * (CHUNK_TOKENS + 2));
    row[0] = ids[0]!;
    row.set(ids.subarray(1 + chunk * CHUNK_TOKENS, 1 + (chunk + 1) * CHUNK_TOKENS), 1);
    row[CHUNK_TOKENS + 1] = last;
    if (variant !== "sd2") continue;
    const end = row[CHUNK_TOKENS];
    if (end !== endOfText && end !== padding) row[CHUNK_TOKENS + 1] = endOfText;
    if (row[1] === padding) row[1] = endOfText;
  }
  return split;
}
