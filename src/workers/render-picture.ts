/** Pictures as it was decided that they should be, as PNG files. */
import { undecodable } from "../dataset/image.ts";
import type { RgbaImage } from "../dataset/image.ts";
import { encodePng } from "../formats/png-encoder.ts";
import { renderCrop } from "../studio/crop-render.ts";
import { orient } from "../studio/orient.ts";
import { factsOf, headBytes, isTrainedKind, kindOf } from "../studio/picture-probe.ts";
import type { FileKind } from "../studio/picture-probe.ts";
import type { StudioPicture } from "../studio/picture.ts";
import { decodePicture } from "./decode-picture.ts";
import { mimeType } from "./import-picture.ts";

/** What of a picture says how it is drawn. */
export type RenderedFields = Pick<StudioPicture, "name" | "width" | "height" | "crop" | "isMirrored">;

/** Turned by its EXIF data, cut out, resized, mirrored. @throws InputError `image.undecodable`, `file.unreadable` */
export async function renderPicture(file: Blob, picture: RenderedFields): Promise<Blob> {
  const image = await decodeShown(new Uint8Array(await file.arrayBuffer()), picture);
  return new Blob([await encodePng(renderCrop(image, picture.crop, picture.isMirrored))], { type: "image/png" });
}

/** The pixels as people see them in the studio. */
async function decodeShown(bytes: Uint8Array<ArrayBuffer>, { name, width, height }: RenderedFields): Promise<RgbaImage> {
  const kind = kindOf(bytes.subarray(0, headBytes));
  if (!isTrainedKind(kind)) return decodeOther(bytes, kind, name);
  const stored = await decodePicture(bytes, name);
  const turned = orient(stored, factsOf(bytes, kind).orientation);
  // Where a browser does not heed the data of a kind of file, the studio has shown it as it is stored.
  return turned.width === width && turned.height === height ? turned : stored;
}

async function decodeOther(bytes: Uint8Array<ArrayBuffer>, kind: FileKind, name: string): Promise<RgbaImage> {
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(new Blob([bytes], { type: mimeType(kind) }), { premultiplyAlpha: "none", colorSpaceConversion: "none" });
  } catch (cause) {
    throw undecodable(name, "the browser's decoder rejects it", cause);
  }
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (context === null) throw new Error("This browser has no 2D canvas in workers.");
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return { width, height, data: context.getImageData(0, 0, width, height).data };
}
