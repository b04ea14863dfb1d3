/** Pictures to pixels as people see them: turned as the file asks for. Colours stay as `decodePicture` gives them. */
import { undecodable } from "../dataset/image.ts";
import type { RgbaImage } from "../dataset/image.ts";
import { readBitmap } from "./decode-picture.ts";

/** Any kind of picture that the browser shows. Throws InputError `image.undecodable`. */
export async function decodeShown(file: Blob, name: string): Promise<RgbaImage> {
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file, { premultiplyAlpha: "none", colorSpaceConversion: "none" });
  } catch (cause) {
    throw undecodable(name, "the browser's decoder rejects it", cause);
  }
  return readBitmap(bitmap);
}
