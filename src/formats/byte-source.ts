import { InputError } from "../errors.ts";

/** Random access to the bytes of a file that is never held in memory as a whole. */
export interface ByteSource {
  /** File name, for messages. */
  readonly name: string;
  /** Bytes in all. */
  readonly size: number;
  /**
   * Reads exactly `length` bytes from `offset`. The array is a fresh copy that starts at offset 0 of its own buffer,
   * so it can be viewed as any typed array.
   * @throws InputError `file.unreadable` when the bytes cannot be had
   */
  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** A picked File, a file in OPFS (`getFile()`) or any Blob. */
export function blobSource(blob: Blob, name: string): ByteSource {
  return {
    name,
    size: blob.size,
    async read(offset, length) {
      let bytes: Uint8Array<ArrayBuffer>;
      try {
        bytes = new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
      } catch (cause) {
        throw unreadable(name, cause);
      }
      if (bytes.byteLength !== length) throw unreadable(name);
      return bytes;
    },
  };
}

/** The file was moved, changed or removed while it was in use. */
export function unreadable(name: string, cause?: unknown): InputError {
  return new InputError(
    "file.unreadable",
    `${name} can no longer be read: it was moved, changed or removed after it was picked. Pick it again.`,
    { file: name },
    cause === undefined ? undefined : { cause },
  );
}
