import { blobSource } from "../../src/formats/byte-source.ts";
import { openSafetensors, type SafetensorsFile } from "../../src/formats/safetensors.ts";
import { encodeSafetensors, type Metadata } from "../../src/formats/safetensors-writer.ts";

export interface FileTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Zeros if absent. */
  readonly values?: readonly number[];
  /** Default F32. */
  readonly dtype?: "F32" | "I64";
}

/** A small file in memory. */
export function networkFile(tensors: readonly FileTensor[], metadata?: Metadata): Promise<SafetensorsFile> {
  return openSafetensors(blobSource(new Blob([networkBytes(tensors, metadata)]), "test.safetensors"));
}

export function networkBytes(tensors: readonly FileTensor[], metadata?: Metadata): Uint8Array<ArrayBuffer> {
  const encoded = tensors.map(({ name, shape, values, dtype = "F32" }) => {
    const filled = values ?? Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 0);
    const array = dtype === "F32" ? Float32Array.from(filled) : BigInt64Array.from(filled, BigInt);
    return { name, shape, dtype, data: new Uint8Array(array.buffer) };
  });
  return encodeSafetensors(encoded, metadata);
}
