import type { ByteSource } from "../../src/formats/byte-source.ts";
import type { SafetensorsFile } from "../../src/formats/safetensors.ts";
import { openSafetensors } from "../../src/formats/safetensors.ts";
import type { Metadata, TensorSpec } from "../../src/formats/safetensors-writer.ts";
import { safetensorsHeader } from "../../src/formats/safetensors-writer.ts";

/** A safetensors file of any size whose tensor data is all zeros and takes no memory. */
export function sparseFile(specs: readonly TensorSpec[], metadata?: Metadata): Promise<SafetensorsFile> {
  const { header, totalBytes } = safetensorsHeader(specs, metadata);
  const source: ByteSource = {
    name: "model.safetensors",
    size: totalBytes,
    async read(offset, length) {
      const bytes = new Uint8Array(length);
      bytes.set(header.subarray(offset, offset + length));
      return bytes;
    },
  };
  return openSafetensors(source);
}

/** f16 tensors of the given shapes. */
export function specsOf(shapes: Iterable<readonly [string, readonly number[]]>): TensorSpec[] {
  return [...shapes].map(([name, shape]) => ({ name, dtype: "F16", shape }));
}
