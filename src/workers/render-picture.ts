/** Pictures as it was decided that they should be, as PNG files. */
import { encodePng } from "../formats/png-encoder.ts";
import { renderCrop } from "../studio/crop-render.ts";
import type { StudioPicture } from "../studio/picture.ts";
import { decodeShown } from "./decode-shown.ts";

/** What of a picture says how it is drawn. */
export type RenderedFields = Pick<StudioPicture, "name" | "width" | "height" | "crop" | "isMirrored">;

/** Turned by its EXIF data, cut out, resized, mirrored. @throws InputError `image.undecodable`, `file.unreadable` */
export async function renderPicture(file: Blob, picture: RenderedFields): Promise<Blob> {
  const image = await decodeShown(file, picture);
  return new Blob([await encodePng(renderCrop(image, picture.crop, picture.isMirrored))], { type: "image/png" });
}
