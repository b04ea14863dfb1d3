/** Prompts to what the UNet attends to. Texts that were encoded before are remembered. */
import { invariant } from "../errors.ts";
import { tokenCount } from "../models/forward-graphs.ts";
import { applyEmphasis } from "../text/prompt/emphasis.ts";
import type { PromptChunk } from "../text/prompt/chunks.ts";
import type { TextEmbedding } from "./embedding-file.ts";

/** What runs the text encoder. */
export interface EncodeChunk {
  /** Tells results apart that differ for the same chunk. */
  readonly key: string;
  /** Puts vectors [n, width] behind the vocabulary, from row `row` on. */
  writeVectors(row: number, data: Float32Array): void;
  /** Ids [77] to hidden states [77, width]. */
  run(ids: Int32Array<ArrayBuffer>): Promise<Float32Array<ArrayBuffer>>;
}

/** Chunks kept: 15 MiB for SD1. */
const remembered = 64;

export class TextContexts {
  readonly #vocabulary: number;
  readonly #known = new Map<string, Float32Array<ArrayBuffer>>();

  constructor(vocabulary: number) {
    this.#vocabulary = vocabulary;
  }

  /** The text encoder or the embeddings give other results from now on. */
  forget(): void {
    this.#known.clear();
  }

  /** @returns [77·chunks, width]: every chunk with its emphasis, one after the other */
  async encode(
    chunks: readonly PromptChunk[], embeddings: readonly TextEmbedding[], encoder: EncodeChunk,
  ): Promise<Float32Array<ArrayBuffer>> {
    const parts: Float32Array<ArrayBuffer>[] = [];
    for (const chunk of chunks) parts.push(applyEmphasis(await this.#hidden(chunk, embeddings, encoder), chunk.weights));
    const size = parts[0]?.length ?? 0;
    const context = new Float32Array(parts.length * size);
    parts.forEach((part, i) => context.set(part, i * size));
    return context;
  }

  async #hidden(
    chunk: PromptChunk, embeddings: readonly TextEmbedding[], encoder: EncodeChunk,
  ): Promise<Float32Array<ArrayBuffer>> {
    const places = chunk.embeddings.map(({ name, offset }) => `${name}@${offset}`).join();
    const key = [encoder.key, chunk.ids.join(), places].join(" ");
    const hidden = this.#known.get(key) ?? (await encoder.run(this.#placeVectors(chunk, embeddings, encoder)));
    invariant(hidden.length % tokenCount === 0, "hidden states of another shape");
    // The last one used goes to the end; the first one is the longest unused.
    this.#known.delete(key);
    this.#known.set(key, hidden);
    const [oldest] = this.#known.keys();
    if (this.#known.size > remembered && oldest !== undefined) this.#known.delete(oldest);
    return hidden;
  }

  /** @returns ids in which vectors of embeddings have the rows behind the vocabulary */
  #placeVectors(
    { ids, embeddings: places }: PromptChunk, embeddings: readonly TextEmbedding[], encoder: EncodeChunk,
  ): Int32Array<ArrayBuffer> {
    const replaced = ids.slice();
    let row = 0;
    for (const { name, offset } of places) {
      const embedding = embeddings.find((candidate) => candidate.name === name);
      invariant(embedding !== undefined, `no embedding ${name}`);
      encoder.writeVectors(row, embedding.data);
      for (let i = 0; i < embedding.vectors; i++) replaced[offset + i] = this.#vocabulary + row++;
    }
    return replaced;
  }
}
