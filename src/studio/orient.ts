/** Pixels turned as a file's EXIF data asks for. */
import type { RgbaImage } from "../dataset/image.ts";

/**
 * By orientation, from the stored picture to the shown one: whether the sides are exchanged first, and which of the two
 * axes then runs backwards.
 */
const turns: Readonly<Record<number, readonly [isTransposed: boolean, isMirrored: boolean, isFlipped: boolean]>> = {
  2: [false, true, false],
  3: [false, true, true],
  4: [false, false, true],
  5: [true, false, false],
  6: [true, true, false],
  7: [true, true, true],
  8: [true, false, true],
};

/** @param orientation 1 to 8; anything else leaves the picture as it is */
export function orient(image: RgbaImage, orientation: number): RgbaImage {
  const turn = turns[orientation];
  if (turn === undefined) return image;
  const [isTransposed, isMirrored, isFlipped] = turn;
  const [width, height] = isTransposed ? [image.height, image.width] : [image.width, image.height];
  const from = new Uint32Array(image.data.slice().buffer);
  const to = new Uint32Array(width * height);
  for (let y = 0; y < height; y++) {
    const row = isFlipped ? height - 1 - y : y;
    for (let x = 0; x < width; x++) {
      const column = isMirrored ? width - 1 - x : x;
      to[y * width + x] = from[isTransposed ? column * image.width + row : row * image.width + column]!;
    }
  }
  return { width, height, data: new Uint8Array(to.buffer) };
}
