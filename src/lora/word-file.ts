/** The file of a textual inversion as sd-scripts writes it and the webui reads it; its name is the word in prompts. */
import { encodeSafetensors, type Metadata } from "../formats/safetensors-writer.ts";
import { encodeTorchFile, type SavedValue } from "../formats/torch-writer.ts";
import { dtypes, encode, type SavePrecision } from "./file.ts";

export interface WordVectors {
  readonly width: number;
  /** [count, width] */
  readonly vectors: Float32Array;
}

export function writeWordFile({ width, vectors }: WordVectors, metadata: Metadata, precision: SavePrecision): Uint8Array<ArrayBuffer> {
  const shape = [vectors.length / width, width];
  return encodeSafetensors([{ name: "emb_params", dtype: dtypes[precision], shape, data: encode(vectors, precision) }], metadata);
}

/** What the webui keeps beside the vectors of its own embeddings. */
export interface WordNotes {
  readonly name: string;
  /** Updates that went into it. */
  readonly step: number;
  /** The base model's short hash and name. */
  readonly model?: { readonly hash?: string; readonly name: string };
}

/** The file as the webui itself writes embeddings: a `.pt` of PyTorch, the vectors under the placeholder `*`. */
export function writeWordPickle({ width, vectors }: WordVectors, { name, step, model }: WordNotes, precision: SavePrecision): Uint8Array<ArrayBuffer> {
  const tensor = { dtype: dtypes[precision], shape: [vectors.length / width, width], data: encode(vectors, precision) };
  return encodeTorchFile(new Map<string, SavedValue>([
    ["string_to_token", new Map([["*", placeholderToken]])],
    ["string_to_param", new Map([["*", tensor]])],
    ["name", name],
    ["step", step],
    ["sd_checkpoint", model?.hash ?? null],
    ["sd_checkpoint_name", model?.name.replace(/\.[^.]+$/, "") ?? null],
  ]));
}

/** CLIP's token of `*`. */
const placeholderToken = 265;
