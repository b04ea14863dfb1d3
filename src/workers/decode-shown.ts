/** Pictures to pixels as people see them in the studio: turned as the file asks for, whatever kind of file it is. */
import { undecodable } from "../dataset/image.ts";
import type { RgbaImage } from "../dataset/image.ts";
import { orient } from "../studio/orient.ts";
import { factsOf, headBytes, isTrainedKind, kindOf } from "../studio/picture-probe.ts";
import type { FileKind } from "../studio/picture-probe.ts";
import type { StudioPicture } from "../studio/picture.ts";
import { decodePicture, readBitmap } from "./decode-picture.ts";
import { mimeType } from "./import-picture.ts";

/** Throws InputError `image.undecodable`, `file.unreadable`. */
export async function decodeShown(file: Blob, { name, width, height }: Pick<StudioPicture, "name" | "width" | "height">): Promise<RgbaImage> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const kind = kindOf(bytes.subarray(0, headBytes));
  if (!isTrainedKind(kind)) return decodeOther(bytes, kind, name);
  const stored = await decodePicture(bytes, name);
  const turned = orient(stored, factsOf(bytes, kind).orientation);
  // Where a browser does not heed the data of a kind of file, the studio has shown it as it is stored.
  return turned.width === width && turned.height === height ? turned : stored;
}

async function decodeOther(bytes: Uint8Array<ArrayBuffer>, kind: FileKind, name: string): Promise<RgbaImage> {
  try {
    return readBitmap(await createImageBitmap(new Blob([bytes], { type: mimeType(kind) }), { premultiplyAlpha: "none", colorSpaceConversion: "none" }));
  } catch (cause) {
    throw cause instanceof DOMException ? undecodable(name, "the browser's decoder rejects it", cause) : cause;
  }
}
