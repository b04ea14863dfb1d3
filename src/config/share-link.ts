/**
 * A preset as the hash of an address: `#p=<version>.<base64url>`, where the bytes are a CRC-32 of what follows and
 * the preset's JSON, deflated. The hash of an address is never sent to a server.
 */
import { InputError } from "../errors.ts";
import { crc32 } from "../formats/crc32.ts";
import type { Preset } from "./preset.ts";
import { checkVersion, damaged, presetData, presetVersion, readPresetData } from "./preset-file.ts";

const prefix = "#p=";
/** Longest hash of an address, in characters: what chats and address bars carry unharmed. */
export const longestLink = 4096;
/** A hash of that length never needs more for settings; more is an attempt to fill the memory. */
const mostBytes = 64 * 1024;

export function isShareLink(hash: string): boolean {
  return hash.startsWith(prefix);
}

/** The hash of a preset's link; undefined where it would be longer than `longestLink`. */
export async function writeShareLink(preset: Preset): Promise<string | undefined> {
  const json = new TextEncoder().encode(JSON.stringify(presetData(preset)));
  const packed = await through(json, new CompressionStream("deflate-raw"), Infinity);
  const bytes = new Uint8Array(4 + packed.length);
  new DataView(bytes.buffer).setUint32(0, checksum(presetVersion, packed));
  bytes.set(packed, 4);
  const hash = `${prefix}${presetVersion}.${toBase64Url(bytes)}`;
  return hash.length > longestLink ? undefined : hash;
}

/**
 * Reads the hash of a preset's link. Its settings are not judged yet: see `readPreset`.
 * @throws InputError `preset.damaged`, `preset.newer`, `preset.tooLong`
 */
export async function readShareLink(hash: string): Promise<Preset> {
  if (hash.length > longestLink) {
    const message = `The link has ${hash.length} characters, and a preset's has at most ${longestLink}.`;
    throw new InputError("preset.tooLong", message, { length: hash.length, most: longestLink });
  }
  const match = /^#p=([1-9]\d{0,5})\.([A-Za-z0-9_-]+)$/.exec(hash);
  if (match === null) throw damaged();
  const version = Number(match[1]);
  checkVersion(version);
  const bytes = fromBase64Url(match[2] ?? "");
  if (bytes.length <= 4) throw damaged();
  const packed = bytes.subarray(4);
  if (new DataView(bytes.buffer).getUint32(0) !== checksum(version, packed)) throw damaged();
  let data: unknown;
  try {
    const json = await through(packed, new DecompressionStream("deflate-raw"), mostBytes);
    data = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(json));
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    throw damaged();
  }
  return readPresetData(data);
}

/** The version is part of it, so that no other version is taken for this one. */
function checksum(version: number, packed: Uint8Array): number {
  return (crc32(packed) ^ version) >>> 0;
}

/** @throws InputError `preset.damaged` where more than `most` bytes come out */
async function through(
  bytes: Uint8Array<ArrayBuffer>, stream: CompressionStream | DecompressionStream, most: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const writer = stream.writable.getWriter();
  // What is wrong with the bytes comes out of the reading side.
  writer.write(bytes).then(() => writer.close()).catch(() => undefined);
  const reader = stream.readable.getReader();
  const parts: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    length += value.length;
    if (length <= most) continue;
    await reader.cancel().catch(() => undefined);
    throw damaged();
  }
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function toBase64Url(bytes: Uint8Array): string {
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** @throws InputError `preset.damaged` also where other text would give the same bytes */
function fromBase64Url(text: string): Uint8Array<ArrayBuffer> {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
  } catch {
    throw damaged();
  }
  if (toBase64Url(bytes) !== text) throw damaged();
  return bytes;
}
