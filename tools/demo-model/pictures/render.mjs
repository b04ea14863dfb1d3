import * as collection from "@dicebear/collection";
import { createAvatar } from "@dicebear/core";
import sharp from "sharp";

/** Draws one avatar: RGB bytes, `size` × `size` × 3. */
export async function render({ style, options, overlay }, size) {
  const plain = createAvatar(collection[style], { seed: "lorasmith", ...options }).toString();
  const svg = overlay ? overlay(plain) : plain;
  return await sharp(Buffer.from(svg), { density: (72 * size) / 280 }).resize(size, size).flatten({ background: "#fff" })
    .removeAlpha().toColourspace("srgb").raw().toBuffer();
}
