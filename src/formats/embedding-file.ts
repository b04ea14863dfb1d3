/** Files of textual-inversion embeddings, in the forms that the webui and diffusers write. */
import { InputError } from "../errors.ts";
import type { TensorEntry, TensorFile } from "./tensor-file.ts";

export interface EmbeddingVectors {
  /** The word for it in a prompt: the file's name without its extension. */
  readonly name: string;
  /** [count, width] */
  readonly vectors: Float32Array<ArrayBuffer>;
  readonly count: number;
  /** Of the text encoder that it was made for. */
  readonly width: number;
}

/** An embedding has a few vectors, and no text encoder is wider than 1280. */
const maxCount = 1024;
const maxWidth = 4096;
/** The token table that the vectors join holds half precision. */
const largestHalf = 65504;
const floats = ["F32", "F16", "BF16", "F64"];

/**
 * Reads an embedding. Of a file for two text encoders it takes the first one's, which is that of Stable Diffusion 1.
 * @throws InputError `embedding.notAnEmbedding`, `embedding.corrupt`, `file.unreadable`
 */
export async function readEmbedding(file: TensorFile): Promise<EmbeddingVectors> {
  const { name: fileName } = file.source;
  const entry = vectorsOf(file);
  const [width = 0, count = 1] = entry?.shape.toReversed() ?? [];
  const isList = entry !== undefined && (entry.shape.length === 1 || entry.shape.length === 2);
  if (!isList || count > maxCount || width > maxWidth || !floats.includes(entry.dtype)) {
    const message = `${fileName} is no textual-inversion embedding: it holds no list of vectors.`;
    throw new InputError("embedding.notAnEmbedding", message, { file: fileName });
  }
  const vectors = await file.readF32(entry.name);
  if (vectors.length === 0 || !vectors.every((value) => Math.abs(value) <= largestHalf)) {
    const what = vectors.length === 0 ? "it is empty" : "it holds values that are not finite in half precision";
    const message = `The embedding ${fileName} cannot be used: ${what}. It is damaged, or its training failed: use another copy.`;
    throw new InputError("embedding.corrupt", message, { file: fileName });
  }
  return { name: fileName.replace(/\.[^.]+$/, ""), vectors, count, width };
}

/** By the webui's names; diffusers uses the trigger word, so that a single tensor counts whatever its name. */
function vectorsOf({ tensors }: TensorFile): TensorEntry | undefined {
  const named = [...tensors.values()].filter(({ name }) => name.startsWith("string_to_param."));
  if (named.length > 0) return named.length === 1 ? named[0] : undefined;
  return tensors.get("emb_params") ?? tensors.get("clip_l") ?? (tensors.size === 1 ? [...tensors.values()][0] : undefined);
}
