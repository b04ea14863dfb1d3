/** A picture of an import as people see it: its size, something small to show, and what it looks like in 64 bits. */
import { undecodable } from "../dataset/image.ts";
import { likenessOf } from "../studio/likeness.ts";
import type { FileKind } from "../studio/picture-probe.ts";
import { mimeType } from "./import-picture.ts";
import type { PictureLook } from "./import-picture.ts";

/** Longer side. */
const THUMBNAIL = 256;

/** Decodes once, the first frame, turned as its EXIF data says. @throws InputError `image.undecodable` */
export async function lookAtPicture(bytes: Uint8Array<ArrayBuffer>, kind: FileKind, name: string): Promise<PictureLook> {
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(new Blob([bytes], { type: mimeType(kind) }));
  } catch (cause) {
    throw undecodable(name, "the browser's decoder rejects it", cause);
  }
  try {
    const { width, height } = bitmap;
    const scale = Math.min(1, THUMBNAIL / Math.max(width, height));
    const small = new OffscreenCanvas(Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)));
    const context = small.getContext("2d", { willReadFrequently: true });
    if (context === null) throw new Error("This browser has no 2D canvas in workers.");
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, 0, 0, small.width, small.height);
    const pixels = context.getImageData(0, 0, small.width, small.height);
    const likeness = likenessOf(pixels);
    // Not WebP: it takes seventeen times as long to write, which is most of an import.
    const thumbnail = await small.convertToBlob(isOpaque(pixels) ? { type: "image/jpeg", quality: 0.85 } : { type: "image/png" });
    return { width, height, thumbnail, likeness };
  } finally {
    bitmap.close();
  }
}

function isOpaque({ data }: ImageData): boolean {
  for (let at = 3; at < data.length; at += 4) if (data[at] !== 255) return false;
  return true;
}

export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
