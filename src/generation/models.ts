/** The files that pictures are generated with. */
import { requireDecoder } from "../models/forward-graphs.ts";
import { openVae } from "../models/vae-file.ts";
import { InputError } from "../errors.ts";
import { endOfText } from "../text/clip-bpe.ts";
import { readEmbedding, type TextEmbedding } from "./embedding-file.ts";
import type { TensorFile } from "../formats/tensor-file.ts";
import type { Checkpoint, VaeConfig, VaeSource } from "../models/checkpoint-types.ts";

export interface ModelFiles {
  readonly checkpoint: Checkpoint;
  /** Instead of the checkpoint's own VAE. */
  readonly vae?: TensorFile;
  /** Textual-inversion embeddings; the name of the file is the word for it. */
  readonly embeddings?: readonly TensorFile[];
}

export interface GenerationModels {
  readonly checkpoint: Checkpoint;
  readonly vae: VaeSource & { readonly vae: VaeConfig };
  readonly embeddings: readonly TextEmbedding[];
}

/**
 * Looks at the files without loading weights.
 * @throws InputError `model.noDecoder`, `model.vocabulary`, and those of `openVae` and `readEmbedding`
 */
export async function openModels({ checkpoint, vae, embeddings = [] }: ModelFiles): Promise<GenerationModels> {
  const { width, vocab } = checkpoint.textEncoder;
  if (vocab <= endOfText) {
    const message = `The model's text encoder knows ${vocab} tokens, prompts need ${endOfText + 1}: it is no complete Stable Diffusion model`;
    throw new InputError("model.vocabulary", message, { vocabulary: vocab });
  }
  const source = vae === undefined ? checkpoint : openVae(vae);
  const read: TextEmbedding[] = [];
  for (const file of embeddings) read.push(await readEmbedding(file, width));
  return { checkpoint, vae: { ...source, vae: requireDecoder(source) }, embeddings: read };
}
