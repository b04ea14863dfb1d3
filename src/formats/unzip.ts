/** Zip files from outside, read entry by entry. Nothing that an archive says of itself is believed. */
import { BlobReader, ZipReader } from "@zip.js/zip.js/lib/zip-core-native.js";
import type { FileEntry } from "@zip.js/zip.js";
import { InputError } from "../errors.ts";

export interface UnzipLimits {
  /** Entries of one archive, folders included. */
  readonly entries: number;
  /** Of one entry when unpacked. */
  readonly entryBytes: number;
  /** Of all entries together. */
  readonly totalBytes: number;
  /** How many times as large as it is packed an entry may be, where it is larger than `freeBytes`. */
  readonly ratio: number;
  readonly freeBytes: number;
}

/** Deflate packs pictures hardly at all; what grows a hundredfold is no picture. */
export const unzipLimits: UnzipLimits = {
  entries: 100_000, entryBytes: 512 * 1024 ** 2, totalBytes: 64 * 1024 ** 3, ratio: 100, freeBytes: 64 * 1024 ** 2,
};

export interface ZippedFile {
  /** With "/", never leading out of the archive. */
  readonly path: string;
  /** As the archive spells it, where that is something else. */
  readonly spelled: string | null;
  /** As the archive says; `read` holds it to that. */
  readonly size: number;
  /** @throws InputError `zip.entryDamaged`, `zip.entryLocked`, `zip.bomb` */
  read(): Promise<Uint8Array<ArrayBuffer>>;
}

export interface OpenedZip {
  readonly files: readonly ZippedFile[];
  close(): Promise<void>;
}

/**
 * Lists a zip file.
 * @param decodeName for names that are not said to be UTF-8; undefined where they are nothing it knows
 * @throws InputError `zip.damaged`, `zip.bomb`
 */
export async function openZip(
  file: Blob, name: string, decodeName: (bytes: Uint8Array) => string | undefined, limits: UnzipLimits = unzipLimits,
): Promise<OpenedZip> {
  const reader = new ZipReader(new BlobReader(file), {
    filenameValidation: "tolerant",
    decodeText: (bytes) => decodeName(bytes),
    // Its workers are scripts in blobs, which the page's policy forbids, and its own inflater is WebAssembly: the browser has one.
    useWebWorkers: false,
    useCompressionStream: true,
  });
  const files: ZippedFile[] = [];
  let count = 0;
  let total = 0;
  try {
    for await (const entry of reader.getEntriesGenerator()) {
      if (++count > limits.entries) throw bomb(name, `more than ${limits.entries} entries`);
      if (entry.directory) continue;
      total += entry.uncompressedSize;
      if (total > limits.totalBytes) throw bomb(name, `more than ${limits.totalBytes / 1024 ** 3} GiB when unpacked`);
      const path = insidePath(entry.filename);
      if (path === "") continue;
      const spelled = path === entry.filename ? null : entry.filename;
      files.push({ path, spelled, size: entry.uncompressedSize, read: () => readEntry(entry, path, limits) });
    }
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    throw damaged(name, cause);
  }
  return { files, close: () => reader.close() };
}

async function readEntry(entry: FileEntry, path: string, limits: UnzipLimits): Promise<Uint8Array<ArrayBuffer>> {
  if (entry.encrypted) {
    throw new InputError("zip.entryLocked", `${path} is locked with a password. Unpack the archive and import its files.`, { file: path });
  }
  const { uncompressedSize: size, compressedSize } = entry;
  if (size > limits.entryBytes) throw bomb(path, `${Math.round(size / 1024 ** 2)} MiB`);
  if (size > limits.freeBytes && size > compressedSize * limits.ratio) {
    throw bomb(path, `${Math.round(size / Math.max(1, compressedSize))} times as large as it is packed`);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  const into = new WritableStream<Uint8Array>({
    write(chunk) {
      // More than the archive says does not fit, and fails.
      bytes.set(chunk, at);
      at += chunk.length;
    },
  });
  try {
    await entry.getData(into, { checkCrc32: true, checkOverlappingEntry: true });
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    throw entryDamaged(path, cause);
  }
  if (at !== size) throw entryDamaged(path);
  return bytes;
}

/** The path without what would lead out of the archive: drives, roots, `..`, and the `\` of archivers on Windows. */
export function insidePath(path: string): string {
  const parts = path.replaceAll("\\", "/").replace(/^[a-z]:/i, "").split("/");
  return parts.filter((part) => part !== "" && part !== "." && part !== "..").join("/");
}

function bomb(file: string, what: string): InputError {
  const message = `${file} holds ${what}, as archives do that are made to fill a disk. Unpack it yourself and import the pictures.`;
  return new InputError("zip.bomb", message, { file, what });
}

function damaged(file: string, cause: unknown): InputError {
  return new InputError("zip.damaged", `${file} can't be read as a zip file: it is damaged or incomplete. Make or download it again.`, { file }, { cause });
}

function entryDamaged(file: string, cause?: unknown): InputError {
  const message = `${file} is damaged inside its archive, or packed in a way that is not supported. Unpack the archive and import its files.`;
  return new InputError("zip.entryDamaged", message, { file }, cause === undefined ? {} : { cause });
}
