/** Textual-inversion embeddings: a few vectors that stand in a prompt for the name of their file. */
import { InputError } from "../errors.ts";
import { CHUNK_TOKENS, type PromptEmbedding } from "../text/prompt/chunks.ts";
import type { TensorFile, TensorEntry } from "../formats/tensor-file.ts";

export interface TextEmbedding extends PromptEmbedding {
  /** [vectors, width] */
  readonly data: Float32Array<ArrayBuffer>;
}

const LARGEST_HALF = 65504;

/** Names of the tensor: the webui's, and that of files for two text encoders, whose first one is SD1's. */
const tensorNames = ["emb_params", "clip_l"];

/**
 * Reads an embedding. Its name is the file's without the extension.
 * @param width of the model's text encoder
 * @throws InputError `embedding.notAnEmbedding`, `embedding.width`, `embedding.notFinite`, `prompt.embedding-size`,
 * `safetensors.notFloat`
 */
export async function readEmbedding(file: TensorFile, width: number): Promise<TextEmbedding> {
  const fileName = file.source.name;
  const name = fileName.replace(/\.[^.]+$/, "");
  const entry = vectorsOf(file);
  if (entry === undefined) {
    const message = `${fileName} is no textual-inversion embedding: there is no tensor of vectors in it.`;
    throw new InputError("embedding.notAnEmbedding", message, { file: fileName });
  }
  const [own = 0] = entry.shape.slice(-1);
  const vectors = entry.shape.length === 1 ? 1 : entry.shape[0]!;
  if (own !== width) {
    const message =
      `The embedding ${fileName} has vectors of ${own} numbers, and this model's have ${width}: ` +
      "it was made for a model of another family.";
    throw new InputError("embedding.width", message, { file: fileName, width: own, wanted: width });
  }
  if (vectors < 1 || vectors > CHUNK_TOKENS) {
    const message = `The embedding "${name}" has ${vectors} vectors; a prompt has room for 1 to ${CHUNK_TOKENS}.`;
    throw new InputError("prompt.embedding-size", message, { name, vectors, most: CHUNK_TOKENS });
  }
  const data = await file.readF32(entry.name);
  // The token table holds half precision.
  if (!data.every((value) => Math.abs(value) <= LARGEST_HALF)) {
    const message = `The embedding ${fileName} holds values that are not finite in half precision: it is damaged.`;
    throw new InputError("embedding.notFinite", message, { file: fileName });
  }
  return { name, vectors, data };
}

/** The tensor of vectors; diffusers names it by its trigger word, so a single one counts whatever its name. */
function vectorsOf(file: TensorFile): TensorEntry | undefined {
  const named = tensorNames.map((name) => file.tensors.get(name)).find((entry) => entry !== undefined);
  const entry = named ?? (file.tensors.size === 1 ? [...file.tensors.values()][0] : undefined);
  return entry !== undefined && (entry.shape.length === 1 || entry.shape.length === 2) ? entry : undefined;
}
