import type { ByteSource } from "./byte-source.ts";
import type { SafetensorsEntry } from "./safetensors-header.ts";
import { parseSafetensorsHeader } from "./safetensors-header.ts";
import { TensorFile } from "./tensor-file.ts";

/** Reads the header and checks it completely; tensor data is read later, one tensor or chunk at a time. */
export async function openSafetensors(source: ByteSource): Promise<SafetensorsFile> {
  const { metadata, tensors } = await parseSafetensorsHeader(source);
  return new SafetensorsFile(source, metadata, tensors);
}

export class SafetensorsFile extends TensorFile<SafetensorsEntry> {
  readBytes({ offset }: SafetensorsEntry, at: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    return this.source.read(offset + at, length);
  }
}
