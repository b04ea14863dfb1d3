/** Zip files of entries as they are: pictures are compressed already, and nothing has to be held in memory. */
import { InputError } from "../errors.ts";
import { crc32 } from "./crc32.ts";

export interface ZipEntry {
  /** With "/" between folders. */
  readonly path: string;
  readonly contents: Blob;
}

/** What the format's 32-bit fields can say; the larger variant is not written. */
const mostBytes = 0xffff_ffff;
const mostEntries = 0xffff;
const pieceBytes = 4 * 1024 * 1024;
/** Names are UTF-8. */
const flags = 0x0800;
const version = 20;
/** 1980-01-01: the format has no "unknown", and the same entries give the same file. */
const date = 0x0021;

/**
 * Puts entries into one zip file, stored. Each is read once for its checksum, in pieces.
 * @throws InputError `zip.tooLarge` beyond 4 GiB or 65,535 entries
 */
export async function zipOf(entries: readonly ZipEntry[]): Promise<Blob> {
  const parts: BlobPart[] = [];
  const directory: Uint8Array<ArrayBuffer>[] = [];
  let at = 0;
  if (entries.length > mostEntries) throw tooLarge();
  for (const { path, contents } of entries) {
    const name = new TextEncoder().encode(path);
    const sum = await checksumOf(contents);
    const common = [version, 2, flags, 2, 0, 2, 0, 2, date, 2, sum, 4, contents.size, 4, contents.size, 4, name.length, 2, 0, 2];
    const local = record([0x0403_4b50, 4, ...common], name);
    directory.push(record([0x0201_4b50, 4, version, 2, ...common, 0, 2, 0, 2, 0, 2, 0, 4, at, 4], name));
    parts.push(local, contents);
    at += local.length + contents.size;
    if (at > mostBytes) throw tooLarge();
  }
  const length = directory.reduce((sum, entry) => sum + entry.length, 0);
  if (at + length > mostBytes) throw tooLarge();
  const { length: count } = entries;
  const end = record([0x0605_4b50, 4, 0, 2, 0, 2, count, 2, count, 2, length, 4, at, 4, 0, 2], new Uint8Array());
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

async function checksumOf(contents: Blob): Promise<number> {
  let sum = 0;
  for (let at = 0; at < contents.size; at += pieceBytes) {
    sum = crc32(new Uint8Array(await contents.slice(at, at + pieceBytes).arrayBuffer()), sum);
  }
  return sum;
}

/** Numbers little-endian, each followed by its size in bytes (2 or 4), then the name. */
function record(fields: readonly number[], name: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(fields.reduce((sum, size, index) => sum + (index % 2 === 1 ? size : 0), name.length));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (let index = 0; index < fields.length; index += 2) {
    const [value = 0, size] = [fields[index], fields[index + 1]];
    if (size === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += size === 2 ? 2 : 4;
  }
  bytes.set(name, at);
  return bytes;
}

function tooLarge(): InputError {
  const message = "The pictures are too many or too large for one zip file (4 GiB, 65,535 files). Copy the folder itself instead.";
  return new InputError("zip.tooLarge", message);
}
