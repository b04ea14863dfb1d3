/** Zip files as strangers write them: any name, any claim. */
import { crc32, deflateRawSync } from "node:zlib";

export interface StrangeEntry {
  /** Text as UTF-8 with its flag, or bytes without. */
  readonly name: string | Uint8Array;
  readonly data: Uint8Array | string;
  readonly isStored?: boolean;
  /** What the headers say, where that is not the truth. */
  readonly claimedSize?: number;
  readonly crc?: number;
  readonly isLocked?: boolean;
}

export function makeZip(entries: readonly StrangeEntry[]): Uint8Array {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const { name, data, isStored = false, claimedSize, crc, isLocked = false } of entries) {
    const bytes = Buffer.from(data);
    const packed = isStored ? bytes : deflateRawSync(bytes);
    const encoded = Buffer.from(name);
    const flags = (typeof name === "string" ? 0x800 : 0) | (isLocked ? 1 : 0);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(flags, 2);
    fields.writeUInt16LE(isStored ? 0 : 8, 4);
    fields.writeUInt16LE(0x21, 8);
    fields.writeUInt32LE(crc ?? crc32(bytes), 10);
    fields.writeUInt32LE(packed.length, 14);
    fields.writeUInt32LE(claimedSize ?? bytes.length, 18);
    fields.writeUInt16LE(encoded.length, 22);
    const local = Buffer.concat([Buffer.from("PK\u0003\u0004"), fields, encoded, packed]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(at, 10);
    directory.push(Buffer.concat([Buffer.from("PK\u0001\u0002\u0014\u0000"), fields, tail, encoded]));
    parts.push(local);
    at += local.length;
  }
  const list = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(entries.length, 4);
  end.writeUInt16LE(entries.length, 6);
  end.writeUInt32LE(list.length, 8);
  end.writeUInt32LE(at, 12);
  return Buffer.concat([...parts, list, Buffer.from("PK\u0005\u0006"), end]);
}
