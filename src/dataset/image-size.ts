/** Width and height from a picture's header, so that buckets can be planned without decoding. EXIF turns are ignored. */
import type { Size } from "../config/parameter.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { checkImageSize, undecodable } from "./image.ts";

/** Enough for every header but JPEG's, which is walked segment by segment. */
const HEAD_BYTES = 32;

/**
 * Reads the size of a PNG, JPEG, WebP or BMP file, told by its bytes whatever its name says.
 * @throws InputError `image.undecodable`, `image.tooLarge`
 */
export async function readImageSize(file: ByteSource): Promise<Size> {
  const head = await file.read(0, Math.min(HEAD_BYTES, file.size));
  const size = sizeFromHead(head) ?? (startsWith(head, [0xff, 0xd8, 0xff]) ? await jpegSize(file) : undefined);
  if (size === undefined) {
    throw undecodable(file.name, file.size === 0 ? "the file is empty" : "it is no PNG, JPEG, WebP or BMP file");
  }
  if (size[0] < 1 || size[1] < 1) throw undecodable(file.name, "its header gives no size");
  checkImageSize(file.name, size);
  return size;
}

function sizeFromHead(head: Uint8Array): Size | undefined {
  if (head.byteLength < HEAD_BYTES) return undefined;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (startsWith(head, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])) return [view.getUint32(16), view.getUint32(20)];
  if (ascii(head, 0) === "RIFF" && ascii(head, 8) === "WEBP") return webpSize(head, view);
  return head[0] === 0x42 && head[1] === 0x4d ? bmpSize(view) : undefined;
}

function webpSize(head: Uint8Array, view: DataView): Size | undefined {
  const uint24 = (offset: number): number => view.getUint16(offset, true) | (head[offset + 2]! << 16);
  switch (ascii(head, 12)) {
    case "VP8 ":
      return [view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff];
    case "VP8L": {
      const bits = view.getUint32(21, true);
      return [(bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1];
    }
    case "VP8X":
      return [uint24(24) + 1, uint24(27) + 1];
    default:
      return undefined;
  }
}

/** A negative height says that rows begin at the top; headers of 12 bytes are OS/2's. */
function bmpSize(view: DataView): Size {
  if (view.getUint32(14, true) === 12) return [view.getUint16(18, true), view.getUint16(20, true)];
  return [view.getInt32(18, true), Math.abs(view.getInt32(22, true))];
}

/** Walks the segments up to the frame header (SOF), which EXIF data and thumbnails may push far back. */
async function jpegSize(file: ByteSource): Promise<Size | undefined> {
  let offset = 2;
  while (offset + 9 <= file.size) {
    const segment = await file.read(offset, 9);
    if (segment[0] !== 0xff) return undefined;
    const marker = segment[1]!;
    if (marker === 0xff) {
      // Any number of fill bytes may stand before a marker.
      offset++;
      continue;
    }
    const view = new DataView(segment.buffer);
    if (isFrameHeader(marker)) return [view.getUint16(7), view.getUint16(5)];
    const length = view.getUint16(2);
    if (length < 2 || marker === 0xd9 || marker === 0xda) return undefined;
    offset += 2 + length;
  }
  return undefined;
}

/** SOF0 to SOF15 without the Huffman table, the extension and the arithmetic conditioning that lie between. */
function isFrameHeader(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

function startsWith(bytes: Uint8Array, prefix: readonly number[]): boolean {
  return prefix.every((byte, i) => bytes[i] === byte);
}

function ascii(bytes: Uint8Array, offset: number): string {
  return String.fromCharCode(...bytes.subarray(offset, offset + 4));
}
