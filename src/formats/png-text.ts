/**
 * Texts in PNG files, as Pillow and the webui keep them: `tEXt` where Latin-1 can write the text, `iTXt` in UTF-8
 * where it cannot. Pixels are never touched.
 */
import { InputError } from "../errors.ts";
import { crc32 } from "./crc32.ts";

interface Chunk {
  readonly type: string;
  /** From its length field to its checksum. */
  readonly start: number;
  readonly end: number;
  readonly data: Uint8Array<ArrayBuffer>;
}

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const textTypes = ["tEXt", "iTXt", "zTXt"];
/** Texts longer than this when unpacked are no settings of a picture. */
const mostTextBytes = 2 ** 24;

/**
 * Puts a text under `keyword` (1–79 Latin-1 characters) into a PNG file, in place of one that it has already.
 * @throws InputError `png.notPng`, `png.damaged`
 */
export function writePngText(png: Uint8Array<ArrayBuffer>, keyword: string, text: string): Uint8Array<ArrayBuffer> {
  const chunks = readChunks(png).filter(({ type, data }) => !textTypes.includes(type) || keywordOf(data) !== keyword);
  const place = chunks.findIndex(({ type }) => type === "IDAT");
  const parts = chunks.map(({ start, end }) => png.subarray(start, end));
  parts.splice(place, 0, textChunk(keyword, text));
  return concat([Uint8Array.from(signature), ...parts]);
}

/**
 * Texts of a PNG file by keyword; of equal keywords the last one counts.
 * @throws InputError `png.notPng`, `png.damaged`
 */
export async function readPngTexts(png: Uint8Array<ArrayBuffer>): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>();
  for (const { type, data } of readChunks(png)) {
    if (!textTypes.includes(type)) continue;
    const keyword = keywordOf(data);
    const rest = data.subarray(keyword.length + 1);
    if (type === "tEXt") texts.set(keyword, fromLatin1(rest));
    // One byte names the packing.
    else if (type === "zTXt") texts.set(keyword, fromLatin1(await inflate(rest.subarray(1))));
    else texts.set(keyword, await internationalText(rest));
  }
  return texts;
}

/** Flag and kind of packing, language, translated keyword, text. */
async function internationalText(data: Uint8Array<ArrayBuffer>): Promise<string> {
  const languageEnd = data.indexOf(0, 2);
  const text = data.subarray(data.indexOf(0, languageEnd + 1) + 1);
  return new TextDecoder().decode(data[0] === 1 ? await inflate(text) : text);
}

function textChunk(keyword: string, text: string): Uint8Array<ArrayBuffer> {
  const isLatin = [...text].every((char) => char.codePointAt(0)! < 256);
  const name = toLatin1(`${keyword}\0`);
  // Not packed, no language, no translated keyword.
  return isLatin
    ? chunkOf("tEXt", concat([name, toLatin1(text)]))
    : chunkOf("iTXt", concat([name, new Uint8Array(4), new TextEncoder().encode(text)]));
}

function chunkOf(type: string, data: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const chunk = new Uint8Array(12 + data.length);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, data.length);
  chunk.set(toLatin1(type), 4);
  chunk.set(data, 8);
  view.setUint32(8 + data.length, crc32(chunk.subarray(4, 8 + data.length)));
  return chunk;
}

/** All chunks up to the end of the picture, their checksums checked; what follows `IEND` is left off. */
function readChunks(png: Uint8Array<ArrayBuffer>): Chunk[] {
  if (signature.some((byte, i) => png[i] !== byte)) {
    throw new InputError("png.notPng", "This file is not a PNG picture.");
  }
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  const chunks: Chunk[] = [];
  for (let start = signature.length; chunks.at(-1)?.type !== "IEND"; ) {
    if (start + 12 > png.length) throw damaged("it ends too early");
    const end = start + 12 + view.getUint32(start);
    const type = fromLatin1(png.subarray(start + 4, start + 8));
    if (end > png.length) throw damaged(`its part ${JSON.stringify(type)} is cut short`);
    if (view.getUint32(end - 4) !== crc32(png.subarray(start + 4, end - 4))) {
      throw damaged(`the checksum of its part ${JSON.stringify(type)} is wrong`);
    }
    chunks.push({ type, start, end, data: png.subarray(start + 8, end - 4) });
    start = end;
  }
  if (!chunks.some(({ type }) => type === "IDAT")) throw damaged("it holds no picture");
  return chunks;
}

function keywordOf(data: Uint8Array<ArrayBuffer>): string {
  const end = data.indexOf(0);
  if (end < 1) throw damaged("one of its texts has no name");
  return fromLatin1(data.subarray(0, end));
}

async function inflate(packed: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  try {
    const reader = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      parts.push(read.value.slice());
      length += read.value.length;
      if (length > mostTextBytes) {
        void reader.cancel();
        throw damaged("one of its texts is too long");
      }
    }
  } catch (cause) {
    throw cause instanceof InputError ? cause : damaged("one of its texts cannot be unpacked", cause);
  }
  return concat(parts);
}

function damaged(reason: string, cause?: unknown): InputError {
  return new InputError("png.damaged", `This PNG picture is damaged: ${reason}. Save or download it again.`, { reason }, { cause });
}

function toLatin1(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** Not `TextDecoder("latin1")`, which is Windows-1252. */
function fromLatin1(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return text;
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}
