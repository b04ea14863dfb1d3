/** Pictures as models take them, by the steps of the projects that made the models. */
import type { RgbImage, RgbaImage } from "../dataset/image.ts";
import { checkImageSize } from "../dataset/image.ts";
import { dropAlpha, resize } from "../dataset/resize.ts";
import { resizePil, type PilKernel } from "../dataset/resize-pil.ts";
import { edgePadded } from "./edge-padded.ts";

export interface ImageInput {
  /** Pixels of a side. */
  readonly size: number;
  /** What lies behind a transparent picture: white, or nothing, so that the colours under alpha count. */
  readonly alpha: "white" | "drop";
  /**
   * How a picture becomes square. `pad-white`: laid on a white square, then resized. `pad-edge`: resized, then its outermost
   * pixels repeated. `squash`: its proportions lost. `crop`: its short side fitted, its middle cut out.
   */
  readonly fit: "pad-white" | "pad-edge" | "squash" | "crop";
  /** `area`: sd-scripts' choice, OpenCV's `INTER_AREA` where no side grows and Lanczos otherwise. Others: Pillow's. */
  readonly kernel: "area" | PilKernel;
  readonly layout: "NHWC" | "NCHW";
  readonly channels: "RGB" | "BGR";
  /** Levels 0…255 are multiplied by it. */
  readonly scale: number;
  /** Taken away after that, in the order of `channels`. */
  readonly mean: readonly [number, number, number];
  /** Divided by after that. */
  readonly std: readonly [number, number, number];
}

const white = 255;

/**
 * @param name of the picture, for messages
 * @returns [size, size, 3] or [3, size, size]
 * @throws InputError `image.tooLarge` where what the picture is fitted into would not fit into memory
 */
export function imageInput(image: RgbaImage, input: ImageInput, name: string): Float32Array<ArrayBuffer> {
  const { size, layout, channels, scale, mean, std } = input;
  const levels = squareLevels(image, input, name);
  const values = new Float32Array(levels.length);
  const [pixelStep, channelStep] = layout === "NHWC" ? [3, 1] : [1, size * size];
  for (let channel = 0; channel < 3; channel++) {
    const source = channels === "RGB" ? channel : 2 - channel;
    const [offset, divisor] = [mean[channel]!, std[channel]!];
    for (let pixel = 0; pixel < size * size; pixel++) {
      values[pixel * pixelStep + channel * channelStep] = (levels[pixel * 3 + source]! * scale - offset) / divisor;
    }
  }
  return values;
}

/** [size, size, 3], red first, 0…255. */
function squareLevels(image: RgbaImage, { size, alpha, fit, kernel }: ImageInput, name: string): ArrayLike<number> {
  const flat = alpha === "white" ? onWhite(image) : dropAlpha(image);
  const resized = (picture: RgbImage, width: number, height: number): RgbImage =>
    kernel === "area" ? resize(picture, width, height) : resizePil(picture, width, height, kernel);
  switch (fit) {
    case "pad-white":
      return resized(whiteSquare(flat, name), size, size).data;
    case "pad-edge":
      return edgePadded(flat, size);
    case "squash":
      return resized(flat, size, size).data;
    case "crop": {
      const short = Math.min(flat.width, flat.height);
      const [width, height] = [flat.width, flat.height].map((side) => Math.floor((size * side) / short)) as [number, number];
      checkImageSize(name, [width, height]);
      return middle(resized(flat, width, height), size);
    }
  }
}

/** The square in the middle; where it can't be exactly there, a pixel nearer to the top and left. */
function middle({ width, height, data }: RgbImage, size: number): Uint8Array {
  const [left, top] = [Math.floor((width - size) / 2), Math.floor((height - size) / 2)];
  const square = new Uint8Array(size * size * 3);
  for (let y = 0; y < size; y++) {
    const from = ((top + y) * width + left) * 3;
    square.set(data.subarray(from, from + size * 3), y * size * 3);
  }
  return square;
}

function whiteSquare({ width, height, data }: RgbImage, name: string): RgbImage {
  const side = Math.max(width, height);
  checkImageSize(name, [side, side]);
  const [left, top] = [Math.floor((side - width) / 2), Math.floor((side - height) / 2)];
  const square = new Uint8Array(side * side * 3).fill(white);
  for (let y = 0; y < height; y++) {
    square.set(data.subarray(y * width * 3, (y + 1) * width * 3), ((top + y) * side + left) * 3);
  }
  return { width: side, height: side, data: square };
}

function onWhite({ width, height, data }: RgbaImage): RgbImage {
  const flat = new Uint8Array(width * height * 3);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const alpha = data[pixel * 4 + 3]!;
    for (let channel = 0; channel < 3; channel++) flat[pixel * 3 + channel] = blended(data[pixel * 4 + channel]!, alpha);
  }
  return { width, height, data: flat };
}

/** Rounded as Pillow rounds when it pastes through a mask. */
function blended(level: number, alpha: number): number {
  const sum = level * alpha + white * (255 - alpha) + 128;
  return ((sum >> 8) + sum) >> 8;
}
