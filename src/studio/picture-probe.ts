/** What a file is by its bytes, whatever its name says, and what of it will not be seen as it is. */

export type FileKind =
  | "png" | "jpeg" | "webp" | "bmp"
  /** Browsers show these; trainers do not read them, so they go out as PNG. */
  | "gif" | "avif"
  /** Pictures that browsers do not show. */
  | "heic" | "tiff" | "jxl" | "psd"
  | "zip"
  | "other";

/** By kind: the endings that a file of it may have, the usual one first. */
export const endingsOf: Readonly<Record<Exclude<FileKind, "other">, readonly string[]>> = {
  png: [".png"],
  jpeg: [".jpg", ".jpeg"],
  webp: [".webp"],
  bmp: [".bmp"],
  gif: [".gif"],
  avif: [".avif"],
  heic: [".heic", ".heif"],
  tiff: [".tif", ".tiff"],
  jxl: [".jxl"],
  psd: [".psd"],
  zip: [".zip"],
};

const trained: readonly FileKind[] = ["png", "jpeg", "webp", "bmp"];
/** Kinds that trainers read, all by their bytes and not by their names. */
export const isTrainedKind = (kind: FileKind): boolean => trained.includes(kind);
export const isDecodableKind = (kind: FileKind): boolean => isTrainedKind(kind) || kind === "gif" || kind === "avif";

/** Bytes that `kindOf` wants to see. */
export const headBytes = 32;

/** @param head the first bytes of a file */
export function kindOf(head: Uint8Array): FileKind {
  const starts = (...bytes: readonly number[]): boolean => bytes.every((byte, at) => head[at] === byte);
  if (starts(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)) return "png";
  if (starts(0xff, 0xd8, 0xff)) return "jpeg";
  if (ascii(head, 0) === "RIFF" && ascii(head, 8) === "WEBP") return "webp";
  if (starts(0x42, 0x4d)) return "bmp";
  if (ascii(head, 0) === "GIF8") return "gif";
  if (ascii(head, 4) === "ftyp") return isobmffKind(head);
  if (starts(0x49, 0x49, 0x2a, 0) || starts(0x4d, 0x4d, 0, 0x2a)) return "tiff";
  if (starts(0xff, 0x0a) || ascii(head, 4) === "JXL ") return "jxl";
  if (ascii(head, 0) === "8BPS") return "psd";
  return starts(0x50, 0x4b, 3, 4) || starts(0x50, 0x4b, 5, 6) ? "zip" : "other";
}

function isobmffKind(head: Uint8Array): FileKind {
  const brands = [8, 16, 20, 24, 28].map((at) => ascii(head, at));
  if (brands.includes("avif") || brands.includes("avis")) return "avif";
  return brands.some((brand) => /^(hei[cxms]|hev[cx]|mif1|msf1)$/.test(brand)) ? "heic" : "other";
}

export interface PictureFacts {
  /** More than one frame; the first is what counts. */
  readonly isAnimated: boolean;
  /** Ink colours, turned into red, green and blue by the decoder. */
  readonly isCmyk: boolean;
  /** More than 8 bits a channel, of which 8 are seen. */
  readonly isDeep: boolean;
  /** EXIF's orientation, 1 to 8; 1 is upright. */
  readonly orientation: number;
}

/** @param file all bytes of a picture of this kind, which may be damaged */
export function factsOf(file: Uint8Array, kind: FileKind): PictureFacts {
  const plain: PictureFacts = { isAnimated: false, isCmyk: false, isDeep: false, orientation: 1 };
  if (kind === "png") return { ...plain, ...pngFacts(file) };
  if (kind === "jpeg") return { ...plain, ...jpegFacts(file) };
  if (kind === "webp") return { ...plain, ...webpFacts(file) };
  if (kind === "gif") return { ...plain, isAnimated: hasGifFrames(file) };
  return kind === "avif" ? { ...plain, isAnimated: ascii(file, 8) === "avis" } : plain;
}

function pngFacts(file: Uint8Array): Partial<PictureFacts> {
  const view = viewOf(file);
  let isAnimated = false;
  let orientation = 1;
  for (let at = 8; at + 12 <= file.length; at += 12 + view.getUint32(at)) {
    const type = ascii(file, at + 4);
    if (type === "acTL") isAnimated = true;
    else if (type === "eXIf") orientation = tiffOrientation(file.subarray(at + 8));
    else if (type === "IDAT" || type === "IEND") break;
  }
  return { isAnimated, isDeep: file[24] === 16, orientation };
}

function jpegFacts(file: Uint8Array): Partial<PictureFacts> {
  const view = viewOf(file);
  let orientation = 1;
  for (let at = 2; at + 10 <= file.length && file[at] === 0xff; ) {
    const marker = file[at + 1]!;
    if (marker === 0xff) {
      at++;
      continue;
    }
    if (marker === 0xe1 && ascii(file, at + 4) === "Exif") orientation = tiffOrientation(file.subarray(at + 10));
    const isFrame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (isFrame) return { orientation, isCmyk: file[at + 9] === 4, isDeep: file[at + 4]! > 8 };
    if (marker === 0xda || marker === 0xd9) break;
    at += 2 + Math.max(2, view.getUint16(at + 2));
  }
  return { orientation };
}

function webpFacts(file: Uint8Array): Partial<PictureFacts> {
  if (ascii(file, 12) !== "VP8X") return {};
  const view = viewOf(file);
  let orientation = 1;
  for (let at = 12; at + 8 <= file.length; ) {
    const length = view.getUint32(at + 4, true);
    if (ascii(file, at) === "EXIF") orientation = tiffOrientation(withoutExifMark(file.subarray(at + 8)));
    at += 8 + length + (length % 2);
  }
  return { isAnimated: (file[20]! & 2) !== 0, orientation };
}

/** Some programs write the mark of JPEG's segment into WebP's chunk as well. */
function withoutExifMark(data: Uint8Array): Uint8Array {
  return ascii(data, 0) === "Exif" ? data.subarray(6) : data;
}

/** Tag 0x0112 of the first directory of a TIFF structure. */
function tiffOrientation(data: Uint8Array): number {
  if (data.length < 14) return 1;
  const view = viewOf(data);
  const isLittle = data[0] === 0x49;
  const directory = view.getUint32(4, isLittle);
  if (directory + 2 > data.length) return 1;
  const count = view.getUint16(directory, isLittle);
  for (let entry = 0; entry < count; entry++) {
    const at = directory + 2 + 12 * entry;
    if (at + 12 > data.length) return 1;
    if (view.getUint16(at, isLittle) !== 0x0112) continue;
    const value = view.getUint16(at + 8, isLittle);
    return value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}

/** Whether a second image follows the first. */
function hasGifFrames(file: Uint8Array): boolean {
  const tableBytes = (flags: number): number => (flags & 0x80) === 0 ? 0 : 3 * 2 ** ((flags & 7) + 1);
  let frames = 0;
  let at = 13 + tableBytes(file[10] ?? 0);
  while (at < file.length && file[at] !== 0x3b) {
    if (file[at] === 0x2c) {
      if (++frames > 1) return true;
      at += 11 + tableBytes(file[at + 9] ?? 0);
    } else if (file[at] === 0x21) at += 2;
    else return false;
    while (at < file.length && file[at] !== 0) at += 1 + file[at]!;
    at++;
  }
  return false;
}

/** Width and height of a GIF's screen, as stored; pixels that are not there read as 0. */
export function gifSize(head: Uint8Array): readonly [width: number, height: number] {
  return [(head[6] ?? 0) | ((head[7] ?? 0) << 8), (head[8] ?? 0) | ((head[9] ?? 0) << 8)];
}

/** Width and height from the first `ispe` box of an AVIF file; undefined where there is none near its beginning. */
export function avifSize(file: Uint8Array): readonly [width: number, height: number] | undefined {
  const view = viewOf(file);
  for (let at = 4; at + 16 <= Math.min(file.length, 4096); at++) {
    if (ascii(file, at) === "ispe") return [view.getUint32(at + 8), view.getUint32(at + 12)];
  }
  return undefined;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function ascii(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + 4));
}
