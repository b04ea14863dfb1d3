/**
 * Pictures to pixels as kohya's trainer sees them: no EXIF turn, no colour conversion, the colours under transparent
 * pixels kept.
 */
import type { RgbaImage } from "../dataset/image.ts";
import { undecodable } from "../dataset/image.ts";
import { readImageSize } from "../dataset/image-size.ts";
import { blobSource } from "../formats/byte-source.ts";
import { decodeBmp } from "../formats/bmp.ts";
import { withoutOrientation } from "./exif-orientation.ts";

const types: Readonly<Record<number, string>> = { 0x89: "image/png", 0xff: "image/jpeg", 0x52: "image/webp" };

/** Throws InputError `image.undecodable`, `image.tooLarge`. */
export async function decodePicture(file: Uint8Array<ArrayBuffer>, name: string): Promise<RgbaImage> {
  const [width, height] = await readImageSize(blobSource(new Blob([file]), name));
  const type = types[file[0] ?? 0];
  if (type === undefined) {
    const image = decodeBmp(file);
    if (typeof image === "string") throw undecodable(name, image);
    return image;
  }
  const bytes = withoutOrientation(file);
  try {
    const image = await decode(bytes, type);
    if (image.width !== width || image.height !== height) {
      throw undecodable(name, `it is ${image.width}×${image.height} pixels and its header says ${width}×${height}`);
    }
    return image;
  } catch (cause) {
    throw cause instanceof DOMException ? undecodable(name, "the browser's decoder rejects it", cause) : cause;
  }
}

async function decode(bytes: Uint8Array<ArrayBuffer>, type: string): Promise<RgbaImage> {
  // Not ImageDecoder: its frames are YUV for JPEG, and the way back to RGB is not the decoder's own.
  const bitmap = await createImageBitmap(new Blob([bytes], { type }), {
    premultiplyAlpha: "none",
    colorSpaceConversion: "none",
  });
  return readBitmap(bitmap);
}

/** Its pixels; the bitmap is closed. */
export function readBitmap(bitmap: ImageBitmap): RgbaImage {
  try {
    const image = readOnCanvas(bitmap);
    return isOpaque(image) ? image : (readThroughTexture(bitmap) ?? image);
  } finally {
    bitmap.close();
  }
}

/** Exact for opaque pixels; a canvas multiplies by alpha, which loses the colours of transparent ones. */
function readOnCanvas(bitmap: ImageBitmap): RgbaImage {
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (context === null) throw new Error("This browser has no 2D canvas in workers.");
  context.drawImage(bitmap, 0, 0);
  return { width, height, data: context.getImageData(0, 0, width, height).data };
}

/** A texture keeps the pixels as they are; undefined where this browser has no WebGL or the picture is too large. */
function readThroughTexture(bitmap: ImageBitmap): RgbaImage | undefined {
  const { width, height } = bitmap;
  const gl = new OffscreenCanvas(1, 1).getContext("webgl2");
  if (gl === null || Math.max(width, height) > gl.getParameter(gl.MAX_TEXTURE_SIZE)) return undefined;
  const texture = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
  gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
  gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
  const data = new Uint8Array(width * height * 4);
  gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, data);
  const isRead = gl.getError() === gl.NO_ERROR;
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return isRead ? { width, height, data } : undefined;
}

function isOpaque({ data }: RgbaImage): boolean {
  for (let at = 3; at < data.length; at += 4) if (data[at] !== 255) return false;
  return true;
}
