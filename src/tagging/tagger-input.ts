import type { RgbImage, RgbaImage } from "../dataset/image.ts";
import { checkImageSize } from "../dataset/image.ts";
import { resize } from "../dataset/resize.ts";

const white = 255;

/**
 * A picture as WD14 taggers take it, by the steps of sd-scripts' tagger: laid on white, padded with white to a square,
 * resized (area averaging where it shrinks, Lanczos where it grows), blue first.
 * @param name for messages
 * @returns [size, size, 3], levels 0…255 in the order blue, green, red
 * @throws InputError `image.tooLarge` where the square would not fit into memory
 */
export function taggerInput(image: RgbaImage, size: number, name: string): Float32Array<ArrayBuffer> {
  const { data } = resize(squareOnWhite(image, name), size, size);
  const input = new Float32Array(data.length);
  for (let at = 0; at < data.length; at += 3) {
    input[at] = data[at + 2]!;
    input[at + 1] = data[at + 1]!;
    input[at + 2] = data[at]!;
  }
  return input;
}

function squareOnWhite({ width, height, data }: RgbaImage, name: string): RgbImage {
  const side = Math.max(width, height);
  checkImageSize(name, [side, side]);
  const [left, top] = [Math.floor((side - width) / 2), Math.floor((side - height) / 2)];
  const square = new Uint8Array(side * side * 3).fill(white);
  for (let y = 0; y < height; y++) {
    let to = ((top + y) * side + left) * 3;
    for (let from = y * width * 4, end = from + width * 4; from < end; from += 4) {
      const alpha = data[from + 3]!;
      for (let channel = 0; channel < 3; channel++) square[to++] = onWhite(data[from + channel]!, alpha);
    }
  }
  return { width: side, height: side, data: square };
}

/** Rounded as Pillow rounds when it pastes through a mask. */
function onWhite(level: number, alpha: number): number {
  const sum = level * alpha + white * (255 - alpha) + 128;
  return ((sum >> 8) + sum) >> 8;
}
