/** Textual-inversion embeddings: a few vectors that stand in a prompt for the name of their file. */
import { InputError } from "../errors.ts";
import * as embeddingFile from "../formats/embedding-file.ts";
import type { TensorFile } from "../formats/tensor-file.ts";
import { CHUNK_TOKENS, type PromptEmbedding } from "../text/prompt/chunks.ts";

export interface TextEmbedding extends PromptEmbedding {
  /** [vectors, width] */
  readonly data: Float32Array<ArrayBuffer>;
}

/**
 * Reads an embedding for a model. Its name is the file's without the extension.
 * @param width of the model's text encoder
 * @throws InputError `embedding.notAnEmbedding`, `embedding.corrupt`, `embedding.width`, `prompt.embedding-size`
 */
export async function readEmbedding(file: TensorFile, width: number): Promise<TextEmbedding> {
  const { name, vectors: data, count: vectors, width: own } = await embeddingFile.readEmbedding(file);
  const fileName = file.source.name;
  if (own !== width) {
    const message =
      `The embedding ${fileName} has vectors of ${own} numbers, and this model's have ${width}: ` +
      "it was made for a model of another family.";
    throw new InputError("embedding.width", message, { file: fileName, width: own, wanted: width });
  }
  if (vectors > CHUNK_TOKENS) {
    const message = `The embedding "${name}" has ${vectors} vectors; a prompt has room for 1 to ${CHUNK_TOKENS}.`;
    throw new InputError("prompt.embedding-size", message, { name, vectors, most: CHUNK_TOKENS });
  }
  return { name, vectors, data };
}
