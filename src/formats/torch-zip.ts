/** The table of contents of a zip file whose entries are stored as they are, as PyTorch writes them. */
import type { ByteSource } from "./byte-source.ts";
import { readSome } from "./torch-source.ts";
import { torchError } from "./torch-values.ts";

export interface ZipEntry {
  readonly name: string;
  readonly byteLength: number;
  readonly isCompressed: boolean;
  /** Where the entry's own header begins. */
  readonly headerAt: number;
}

const endBytes = 22;
const locatorBytes = 20;
const maxComment = 0xffff;
/** A checkpoint's is about 100 kB. */
const maxDirectoryBytes = 64 * 2 ** 20;
const localHeaderBytes = 30;
/** Stands in a 32-bit field whose value is in a 64-bit one elsewhere. */
const elsewhere = 0xffffffff;

/**
 * Lists the entries of a zip file (also of more than 4 GB) by name.
 * @throws InputError `torch.truncated`, `torch.corrupt`, `torch.limit`
 */
export async function readZipDirectory(source: ByteSource): Promise<Map<string, ZipEntry>> {
  const { offset, byteLength } = await findDirectory(source);
  if (byteLength > maxDirectoryBytes) {
    throw torchError(source.name, "limit", `has a table of contents of ${byteLength} bytes`);
  }
  const bytes = await readSome(source, offset, byteLength);
  const view = new DataView(bytes.buffer);
  const entries = new Map<string, ZipEntry>();
  for (let at = 0; at < byteLength; ) {
    const { entry, end } = parseEntry(source.name, view, at);
    if (entries.has(entry.name)) throw torchError(source.name, "corrupt", `has two entries ${entry.name}`);
    entries.set(entry.name, entry);
    at = end;
  }
  return entries;
}

/**
 * Where an entry's data begin in the file.
 * @throws InputError `torch.unsupported` for a compressed entry, `torch.truncated`, `torch.corrupt`
 */
export async function zipDataOffset(source: ByteSource, entry: ZipEntry): Promise<number> {
  if (entry.isCompressed) throw torchError(source.name, "unsupported", "was packed again with compression");
  const bytes = await readSome(source, entry.headerAt, localHeaderBytes);
  const view = new DataView(bytes.buffer);
  if (view.getUint32(0, true) !== 0x04034b50) throw broken(source.name, entry.name);
  const offset = entry.headerAt + localHeaderBytes + view.getUint16(26, true) + view.getUint16(28, true);
  if (offset + entry.byteLength > source.size) throw torchError(source.name, "truncated", `ends within ${entry.name}`);
  return offset;
}

interface Extent {
  readonly offset: number;
  readonly byteLength: number;
}

/** The record at the end of the file says where the table of contents is; a comment may follow it. */
async function findDirectory(source: ByteSource): Promise<Extent> {
  const length = Math.min(source.size, locatorBytes + endBytes + maxComment);
  const bytes = await readSome(source, source.size - length, length);
  const view = new DataView(bytes.buffer);
  for (let at = length - endBytes; at >= 0; at--) {
    if (view.getUint32(at, true) !== 0x06054b50 || at + endBytes + view.getUint16(at + 20, true) !== length) continue;
    const extent = { byteLength: view.getUint32(at + 12, true), offset: view.getUint32(at + 16, true) };
    if (extent.byteLength !== elsewhere && extent.offset !== elsewhere) return extent;
    if (at < locatorBytes || view.getUint32(at - locatorBytes, true) !== 0x07064b50) {
      throw broken(source.name, "the table of contents");
    }
    return readWideExtent(source, Number(view.getBigUint64(at - locatorBytes + 8, true)));
  }
  throw torchError(source.name, "truncated", "ends before its table of contents");
}

async function readWideExtent(source: ByteSource, at: number): Promise<Extent> {
  const view = new DataView((await readSome(source, at, 56)).buffer);
  if (view.getUint32(0, true) !== 0x06064b50) throw broken(source.name, "the table of contents");
  return { byteLength: Number(view.getBigUint64(40, true)), offset: Number(view.getBigUint64(48, true)) };
}

function parseEntry(file: string, view: DataView, at: number): { entry: ZipEntry; end: number } {
  const fixedEnd = at + 46;
  if (fixedEnd > view.byteLength || view.getUint32(at, true) !== 0x02014b50) throw broken(file, "the table of contents");
  const nameEnd = fixedEnd + view.getUint16(at + 28, true);
  const extraEnd = nameEnd + view.getUint16(at + 30, true);
  const end = extraEnd + view.getUint16(at + 32, true);
  if (end > view.byteLength) throw broken(file, "the table of contents");
  const name = new TextDecoder().decode(new Uint8Array(view.buffer, fixedEnd, nameEnd - fixedEnd));
  const [byteLength = 0, , headerAt = 0] = wideFields(
    [view.getUint32(at + 24, true), view.getUint32(at + 20, true), view.getUint32(at + 42, true)],
    new DataView(view.buffer, nameEnd, extraEnd - nameEnd),
  );
  return { entry: { name, byteLength, isCompressed: view.getUint16(at + 10, true) !== 0, headerAt }, end };
}

/** Fields that do not fit into 32 bits are in an extra field, in the order size, packed size, position. */
function wideFields(fields: readonly number[], extra: DataView): number[] {
  let at = 0;
  while (at + 4 <= extra.byteLength && extra.getUint16(at, true) !== 1) at += 4 + extra.getUint16(at + 2, true);
  at += 4;
  return fields.map((field) => {
    if (field !== elsewhere || at + 8 > extra.byteLength) return field;
    at += 8;
    return Number(extra.getBigUint64(at - 8, true));
  });
}

function broken(file: string, part: string): Error {
  return torchError(file, "corrupt", `is damaged at ${part}`);
}
