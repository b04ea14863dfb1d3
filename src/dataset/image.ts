import type { Size } from "../config/parameter.ts";
import { InputError } from "../errors.ts";

/** A decoded picture: 8 bits per channel, rows from the top, no padding. */
export interface RgbaImage {
  readonly width: number;
  readonly height: number;
  /** 4 bytes per pixel; alpha is straight, not premultiplied. */
  readonly data: Uint8Array | Uint8ClampedArray;
}

export interface RgbImage {
  readonly width: number;
  readonly height: number;
  /** 3 bytes per pixel. */
  readonly data: Uint8Array<ArrayBuffer>;
}

const MAX_SIDE = 16_384;
const MAX_PIXELS = 200_000_000;

/** Throws InputError `image.tooLarge` for a picture that would not fit into memory when decoded. */
export function checkImageSize(name: string, [width, height]: Size): void {
  if (width <= MAX_SIDE && height <= MAX_SIDE && width * height <= MAX_PIXELS) return;
  const message = `${name} is ${width}×${height} pixels, which is too large: at most ${MAX_SIDE} a side and `
    + `${MAX_PIXELS / 1e6} megapixels can be read. Make it smaller or remove it.`;
  throw new InputError("image.tooLarge", message, { file: name, width, height });
}

/** The error for a file that is no readable picture. `reason` is a short English phrase. */
export function undecodable(name: string, reason: string, cause?: unknown): InputError {
  const message = `${name} can't be read as a picture: ${reason}. Replace or remove it.`;
  return new InputError("image.undecodable", message, { file: name, reason }, cause === undefined ? {} : { cause });
}
