/** The file of a textual inversion as sd-scripts writes it and the webui reads it; its name is the word in prompts. */
import { encodeSafetensors, type Metadata } from "../formats/safetensors-writer.ts";
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
