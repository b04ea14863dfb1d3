import { InputError } from "../../errors.ts";
import { endOfText, startOfText } from "../clip-bpe.ts";
import { tokenize, type TokenizerVariant } from "../tokenizer.ts";
import { BREAK_TEXT, BREAK_WEIGHT, parseAttention } from "./attention.ts";

/** Tokens of a chunk between its start and end tokens, and in all. */
export const CHUNK_TOKENS = 75;
export const CHUNK_LENGTH = CHUNK_TOKENS + 2;
const COMMA = 267;
/** A chunk is broken at a comma at most this many tokens back. */
const COMMA_REACH = 20;
/** Stands where the vectors of an embedding go. */
const PLACEHOLDER = 0;

/** A textual-inversion embedding: its name in a prompt is replaced by its vectors. */
export interface PromptEmbedding {
  readonly name: string;
  readonly vectors: number;
}

export interface EmbeddingPlace {
  readonly name: string;
  /** Index into the chunk's ids where the embedding's first vector goes. */
  readonly offset: number;
}

/** What one pass of the text encoder takes. */
export interface PromptChunk {
  /** [77]: start, up to 75 tokens, end, padding. */
  readonly ids: Int32Array<ArrayBuffer>;
  /** [77]: attention of each token; 1 for start, end and padding. */
  readonly weights: Float32Array<ArrayBuffer>;
  readonly embeddings: readonly EmbeddingPlace[];
}

export interface ChunkOptions {
  readonly variant: TokenizerVariant;
  readonly embeddings?: readonly PromptEmbedding[];
}

interface Token {
  readonly id: number;
  readonly weight: number;
  /** On the first token of an embedding. */
  readonly embedding?: string;
}

/**
 * Splits a prompt of any length into chunks of 75 tokens, with attention. `BREAK` begins a new chunk; a chunk that
 * overflows gives what follows its last comma to the next one, if that is not far; embeddings are never split.
 * @param text a prompt without extra networks, `AND` and schedule
 * @returns at least one chunk
 * @throws InputError `prompt.embedding-size`
 */
export function chunkPrompt(text: string, { variant, embeddings = [] }: ChunkOptions): PromptChunk[] {
  const findEmbedding = embeddingFinder(embeddings, variant);
  const chunks: Token[][] = [];
  let chunk: Token[] = [];
  let lastComma = -1;
  const nextChunk = (carried: Token[] = []): void => {
    chunks.push(chunk);
    chunk = carried;
    lastComma = -1;
  };
  for (const { text: piece, weight } of parseAttention(text)) {
    if (piece === BREAK_TEXT && weight === BREAK_WEIGHT) {
      nextChunk();
      continue;
    }
    const ids = tokenize(piece, { variant });
    for (let i = 0; i < ids.length;) {
      const id = ids[i]!;
      if (id === COMMA) lastComma = chunk.length;
      else if (chunk.length === CHUNK_TOKENS && lastComma >= 0 && chunk.length - lastComma <= COMMA_REACH) {
        nextChunk(chunk.splice(lastComma + 1));
      }
      if (chunk.length === CHUNK_TOKENS) nextChunk();
      const found = findEmbedding(ids, i);
      if (found === undefined) {
        chunk.push({ id, weight });
        i += 1;
        continue;
      }
      const { name, vectors } = found.embedding;
      if (chunk.length + vectors > CHUNK_TOKENS) nextChunk();
      for (let v = 0; v < vectors; v++) {
        chunk.push({ id: PLACEHOLDER, weight, ...(v === 0 ? { embedding: name } : {}) });
      }
      i += found.length;
    }
  }
  if (chunk.length > 0 || chunks.length === 0) nextChunk();
  return chunks.map((tokens) => wrap(tokens, variant));
}

/** A chunk of nothing, to make a prompt as long as another. */
export function emptyChunk(variant: TokenizerVariant): PromptChunk {
  return wrap([], variant);
}

function wrap(tokens: readonly Token[], variant: TokenizerVariant): PromptChunk {
  const ids = new Int32Array(CHUNK_LENGTH).fill(endOfText);
  const weights = new Float32Array(CHUNK_LENGTH).fill(1);
  const embeddings: EmbeddingPlace[] = [];
  ids[0] = startOfText;
  for (const [i, { id, weight, embedding }] of tokens.entries()) {
    ids[i + 1] = id;
    weights[i + 1] = weight;
    if (embedding !== undefined) embeddings.push({ name: embedding, offset: i + 1 });
  }
  // SD2 pads with 0, after the first end token that there is.
  if (variant === "sd2") ids.fill(0, ids.indexOf(endOfText) + 1);
  return { ids, weights, embeddings };
}

type EmbeddingFinder = (
  ids: readonly number[], at: number,
) => { readonly embedding: PromptEmbedding; readonly length: number } | undefined;

/** Finds embeddings by the tokens of their names, the longest name first. */
function embeddingFinder(embeddings: readonly PromptEmbedding[], variant: TokenizerVariant): EmbeddingFinder {
  const byFirstId = new Map<number, { embedding: PromptEmbedding; ids: number[] }[]>();
  for (const embedding of embeddings) {
    checkSize(embedding);
    const ids = tokenize(embedding.name, { variant });
    if (ids.length === 0) continue;
    const same = [...(byFirstId.get(ids[0]!) ?? []), { embedding, ids }];
    byFirstId.set(ids[0]!, same.sort((a, b) => b.ids.length - a.ids.length));
  }
  return (ids, at) => {
    const match = byFirstId.get(ids[at]!)?.find((entry) => entry.ids.every((id, i) => ids[at + i] === id));
    return match === undefined ? undefined : { embedding: match.embedding, length: match.ids.length };
  };
}

function checkSize({ name, vectors }: PromptEmbedding): void {
  if (vectors >= 1 && vectors <= CHUNK_TOKENS) return;
  const message = `The embedding "${name}" has ${vectors} vectors; a prompt has room for 1 to ${CHUNK_TOKENS}.`;
  throw new InputError("prompt.embedding-size", message, { name, vectors, most: CHUNK_TOKENS });
}
