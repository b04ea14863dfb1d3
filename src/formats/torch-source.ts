import type { ByteSource } from "./byte-source.ts";
import { torchError } from "./torch-values.ts";

/** Reads bytes whose place a file itself tells. @throws InputError `torch.truncated` where it ends before them */
export async function readSome(source: ByteSource, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  if (offset + length > source.size) {
    throw torchError(source.name, "truncated", `should have ${offset + length} bytes or more, and has ${source.size}`);
  }
  return source.read(offset, length);
}
