import sharp from "sharp";
import type { RgbaImage } from "../dataset/image.ts";
import { checkImageSize, undecodable } from "../dataset/image.ts";
import { decodeBmp } from "../formats/bmp.ts";

/**
 * Decodes a picture as PIL does for sd-scripts: first frame, no EXIF rotation, no colour conversion, straight alpha.
 * @param name for messages
 * @throws InputError `image.undecodable`, `image.tooLarge`
 */
export async function decodeNodeImage(bytes: Uint8Array, name: string): Promise<RgbaImage> {
  if (bytes.byteLength === 0) throw undecodable(name, "the file is empty");
  if (bytes[0] === 0x42 && bytes[1] === 0x4d) {
    const image = decodeBmp(bytes);
    if (typeof image === "string") throw undecodable(name, image);
    return image;
  }
  // The size is checked here, with a message of ours, before anything is decoded.
  const decoder = sharp(bytes, { failOn: "error", ignoreIcc: true, limitInputPixels: false });
  const { width, height } = await decoder.metadata().catch((cause: unknown) => {
    throw undecodable(name, reasonOf(cause), cause);
  });
  checkImageSize(name, [width, height]);
  const { data, info } = await decoder.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true }).catch((cause) => {
    throw undecodable(name, reasonOf(cause), cause);
  });
  return { width: info.width, height: info.height, data: toRgba(data, info.channels) };
}

/** Greys are spread over the colours; a second or fourth channel is alpha. */
function toRgba(data: Uint8Array, channels: number): Uint8Array {
  if (channels === 4) return data;
  const pixels = data.length / channels;
  const colour = channels >= 3 ? [0, 1, 2] : [0, 0, 0];
  const alpha = channels === 2 ? 1 : undefined;
  const rgba = new Uint8Array(pixels * 4);
  for (let i = 0; i < pixels; i++) {
    for (const [target, source] of colour.entries()) rgba[i * 4 + target] = data[i * channels + source]!;
    rgba[i * 4 + 3] = alpha === undefined ? 255 : data[i * channels + alpha]!;
  }
  return rgba;
}

/** sharp's message without the line breaks and the trail of its C library. */
function reasonOf(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  return (message.split("\n", 1)[0] ?? message).replace(/^Input (buffer|file) /, "the file ");
}
