/** Files that are too large to be held in memory: made, stored and read some megabytes at a time. */
import { invariant } from "../errors.ts";
import { safetensorsHeader, type Metadata, type TensorSpec } from "./safetensors-writer.ts";

export interface StreamedFile {
  /** Bytes in all. */
  readonly size: number;
  /** The file from front to back. Its makers may be readable for a while only: take them while they are handed out. */
  chunks(): AsyncIterable<Uint8Array<ArrayBuffer>>;
}

/** A file that is at hand, or one that is made while it is read. */
export type FileBytes = Uint8Array<ArrayBuffer> | StreamedFile;

export function isStreamed(bytes: FileBytes): bytes is StreamedFile {
  return !(bytes instanceof Uint8Array);
}

export async function* chunksOf(bytes: FileBytes): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  if (isStreamed(bytes)) yield* bytes.chunks();
  else yield bytes;
}

export interface StreamedTensor extends TensorSpec {
  /** Its data, little-endian and row-major, in pieces. */
  data(): AsyncIterable<Uint8Array<ArrayBuffer>>;
}

/** A safetensors file of tensors whose data come when their turn is. */
export function streamSafetensors(tensors: readonly StreamedTensor[], metadata: Metadata): StreamedFile {
  const { header, ordered, totalBytes } = safetensorsHeader(tensors, metadata);
  return {
    size: totalBytes,
    async *chunks() {
      yield header;
      for (const { spec, byteLength } of ordered) {
        let done = 0;
        for await (const piece of spec.data()) {
          yield piece;
          done += piece.byteLength;
        }
        invariant(done === byteLength, `the data of ${spec.name} has the size of its shape`);
      }
    },
  };
}
