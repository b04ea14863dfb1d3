import { crc32 } from "./crc32.ts";

/** What PyTorch gives the data of each entry, so that it can be mapped into memory as numbers. */
const alignment = 64;
/** The format has no "unknown": its first day. */
const firstDay = 0x21;
/** The extra field that PyTorch pads with. */
const padding = 0x4246;

/**
 * A zip file in memory: entries as they are, in order, their data at multiples of 64 bytes.
 * @param entries names in ASCII; below 4 GiB together
 */
export function encodeStoredZip(entries: readonly (readonly [name: string, data: Uint8Array])[]): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  for (const [path, data] of entries) {
    const name = new TextEncoder().encode(path);
    const fields = fieldsOf(data, name.length);
    const pad = (alignment - ((at + 34 + name.length) % alignment)) % alignment;
    const extra = bytesOf([2, padding], [2, pad]);
    directory.push(bytesOf([4, 0x02014b50], [2, 0], ...fields, [2, 0], [2, 0], [2, 0], [2, 0], [4, 0], [4, at]), name);
    const local = [bytesOf([4, 0x04034b50], ...fields, [2, 4 + pad]), name, extra, new Uint8Array(pad), data];
    parts.push(...local);
    at += lengthOf(local);
  }
  const end = bytesOf([4, 0x06054b50], [2, 0], [2, 0], [2, entries.length], [2, entries.length], [4, lengthOf(directory)], [4, at], [2, 0]);
  return join([...parts, ...directory, end]);
}

type Field = readonly [byteLength: 2 | 4, value: number];

/** What both headers of an entry say, from the version that is needed to the length of its name. */
function fieldsOf(data: Uint8Array, nameLength: number): Field[] {
  return [[2, 10], [2, 0], [2, 0], [2, 0], [2, firstDay], [4, crc32(data)], [4, data.length], [4, data.length], [2, nameLength]];
}

/** Little-endian. */
function bytesOf(...fields: readonly Field[]): Uint8Array {
  return Uint8Array.from(fields.flatMap(([length, value]) => Array.from({ length }, (_, i) => (value >>> (8 * i)) & 255)));
}

function lengthOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0);
}

function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(lengthOf(parts));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
