/** One picture of an import: what its bytes are, before anything is decided about it. */
import { checkImageSize, undecodable } from "../dataset/image.ts";
import { readImageSize } from "../dataset/image-size.ts";
import { baseName, isPicture } from "../dataset/paths.ts";
import { InputError } from "../errors.ts";
import { readPngTexts } from "../formats/png-text.ts";
import { decodeText } from "../studio/decode-text.ts";
import type { DecodedText } from "../studio/decode-text.ts";
import { avifSize, endingsOf, factsOf, gifSize, headBytes, isTrainedKind, kindOf } from "../studio/picture-probe.ts";
import type { PictureOrigin } from "../studio/picture.ts";
import type { FileKind, PictureFacts } from "../studio/picture-probe.ts";
import { largestText } from "./import-sources.ts";
import type { ImportSource } from "./import-sources.ts";

/** A picture as people see it, made smaller. */
export interface PictureLook {
  /** Pixels as shown. */
  readonly width: number;
  readonly height: number;
  readonly thumbnail: Blob;
  /** See `likeness.ts`. */
  readonly likeness: string;
}

export interface ImportServices {
  /** SHA-256 in hexadecimal. */
  readonly hash: (bytes: Uint8Array<ArrayBuffer>) => Promise<string>;
  /** Decodes a picture once. @throws InputError `image.undecodable` */
  readonly look: (bytes: Uint8Array<ArrayBuffer>, kind: FileKind, name: string) => Promise<PictureLook>;
}

export interface ReadPicture {
  readonly hash: string;
  readonly kind: FileKind;
  readonly bytes: number;
  readonly file: Blob;
  readonly facts: PictureFacts;
  /** How it was drawn, where the webui or this program drew it. */
  readonly origin: PictureOrigin | null;
  /** null for a file that was known already. */
  readonly look: PictureLook | null;
  /** undefined: no caption file; null: one that is no text. */
  readonly caption: DecodedText | null | undefined;
}

/** Nobody's picture is larger as a file. */
const LARGEST_FILE = 512 * 1024 ** 2;

/**
 * Reads a picture and its caption.
 * @param isKnown whether a file of this hash need not be decoded
 * @throws InputError `image.undecodable`, `image.tooLarge`, `import.fileTooLarge`, `import.unsupported`, `file.unreadable`, `zip.*`
 */
export async function readPicture(
  source: ImportSource, caption: ImportSource | undefined, services: ImportServices, isKnown: (hash: string) => boolean,
): Promise<ReadPicture> {
  const name = source.path;
  if (source.size === 0) throw undecodable(name, "the file is empty");
  if (source.size > LARGEST_FILE) {
    const megabytes = Math.round(source.size / 1024 ** 2);
    const message = `${name} has ${megabytes} MiB; pictures of up to ${LARGEST_FILE / 1024 ** 2} MiB are read. Make it smaller.`;
    throw new InputError("import.fileTooLarge", message, { file: name, megabytes, limit: LARGEST_FILE / 1024 ** 2 });
  }
  const bytes = await source.read();
  const kind = kindOf(bytes.subarray(0, headBytes));
  await checkHead(bytes, kind, name);
  const hash = await services.hash(bytes);
  const look = isKnown(hash) ? null : await services.look(bytes, kind, name);
  return {
    hash, kind, look,
    bytes: bytes.length,
    // A picked file stays where it is until it is stored.
    file: source.file ?? new Blob([bytes], { type: mimeType(kind) }),
    facts: factsOf(bytes, kind),
    origin: kind === "png" ? await generatedBy(bytes, source.file) : null,
    caption: caption === undefined ? undefined : await readCaption(caption),
  };
}

/** What a PNG file says of how it was drawn; damaged texts are no reason to refuse a picture. */
async function generatedBy(bytes: Uint8Array<ArrayBuffer>, file: Blob | null): Promise<PictureOrigin | null> {
  const texts = await readPngTexts(bytes).catch(() => undefined);
  const infotext = texts?.get("parameters");
  if (infotext === undefined) return null;
  return { kind: "generated", createdAt: file instanceof File ? file.lastModified : Date.now(), infotext };
}

/** Looks at the size before anything is decoded. */
async function checkHead(bytes: Uint8Array<ArrayBuffer>, kind: FileKind, name: string): Promise<void> {
  if (isTrainedKind(kind)) {
    await readImageSize({ name, size: bytes.length, read: async (offset, length) => bytes.slice(offset, offset + length) });
    return;
  }
  if (kind === "gif" || kind === "avif") {
    const size = kind === "gif" ? gifSize(bytes) : avifSize(bytes);
    if (size !== undefined) checkImageSize(name, [size[0], size[1]]);
    return;
  }
  if (kind === "other" || kind === "zip") throw undecodable(name, "it is no picture");
  const format = kind.toUpperCase();
  const message = `${name} is a ${format} picture, which browsers do not show. Convert it to PNG or JPEG.`;
  throw new InputError("import.unsupported", message, { file: name, format });
}

async function readCaption(source: ImportSource): Promise<DecodedText | null> {
  if (source.size > largestText) return null;
  const bytes = await source.read().catch(() => undefined);
  return bytes === undefined ? null : (decodeText(bytes) ?? null);
}

export function mimeType(kind: FileKind): string {
  return `image/${kind}`;
}

/**
 * The name that a picture has in a set: as it came, unless trainers would pass over it. They go by the ending to find
 * pictures, and by the bytes to read them.
 */
export function nameOf(path: string, kind: FileKind): { readonly name: string; readonly isWrong: boolean } {
  const name = baseName(path);
  if (kind === "other") return { name, isWrong: false };
  const [usual = "", ...others] = endingsOf[kind];
  const lower = name.toLowerCase();
  if ([usual, ...others].some((ending) => lower.endsWith(ending) && lower !== ending)) return { name, isWrong: false };
  if (isTrainedKind(kind) && isPicture(name)) return { name, isWrong: true };
  const stem = name.replace(/\.(png|jpe?g|jpe|jfif|webp|bmp|gif|avif|heic|heif|tiff?|jxl|psd)$/i, "");
  return { name: `${stem === "" ? name : stem}${usual}`, isWrong: false };
}
