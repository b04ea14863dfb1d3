/** sd-scripts' `color_aug`: a third of the showings get another hue or another gamma. */
import type { RgbImage } from "./image.ts";
import type { Chance } from "./vary-caption.ts";

/** Share of the showings that change. */
const SHARE = 0.33;
/** At most so far, in OpenCV's hues of two degrees. */
const MOST_HUE = 8;
const HUES = 180;
const GAMMAS = [0.95, 1.05] as const;

/** @returns the picture itself where it does not change */
export function shiftColours(image: RgbImage, chance: Chance): RgbImage {
  if (chance.uniform() > SHARE) return image;
  if (chance.uniform() > 0.5) return shiftHue(image, (2 * chance.uniform() - 1) * MOST_HUE);
  return withGamma(image, GAMMAS[0] + chance.uniform() * (GAMMAS[1] - GAMMAS[0]));
}

/** On bytes as they are, not on shares of 255, so that the picture becomes lighter or darker as a whole; as in sd-scripts. */
export function withGamma(image: RgbImage, gamma: number): RgbImage {
  const levels = Uint8Array.from({ length: 256 }, (_, level) => Math.min(255, Math.floor(level ** gamma)));
  return { ...image, data: image.data.map((level) => levels[level]!) };
}

/**
 * Turns hues in OpenCV's 8-bit HSV, whose rounding is part of the result. sd-scripts hands it red for blue, so hues turn
 * the other way round.
 * @param shift in units of two degrees
 */
export function shiftHue(image: RgbImage, shift: number): RgbImage {
  const turn = shift < 0 ? HUES + shift : shift;
  const data = new Uint8Array(image.data.length);
  for (let i = 0; i < data.length; i += 3) {
    const [hue, saturation, value] = toHsv(image.data[i + 2]!, image.data[i + 1]!, image.data[i]!);
    const [red, green, blue] = fromHsv(Math.floor((hue + turn) % HUES), saturation, value);
    data[i] = blue;
    data[i + 1] = green;
    data[i + 2] = red;
  }
  return { ...image, data };
}

/** Fixed point of OpenCV's conversion. */
const SHIFT = 12;
const HALF = 1 << (SHIFT - 1);

function toHsv(red: number, green: number, blue: number): readonly [hue: number, saturation: number, value: number] {
  const value = Math.max(red, green, blue);
  const range = value - Math.min(red, green, blue);
  if (range === 0) return [0, 0, value];
  const saturation = (range * roundEven((255 << SHIFT) / value) + HALF) >> SHIFT;
  const sixths = value === red ? green - blue : value === green ? blue - red + 2 * range : red - green + 4 * range;
  const hue = (sixths * roundEven((HUES << SHIFT) / (6 * range)) + HALF) >> SHIFT;
  return [hue < 0 ? hue + HUES : hue, saturation, value];
}

function fromHsv(hue: number, saturation: number, value: number): readonly [red: number, green: number, blue: number] {
  const { fround } = Math;
  const sixths = fround(hue * fround(6 / HUES));
  const sector = Math.floor(sixths) % 6;
  const part = fround(sixths - Math.floor(sixths));
  const [s, v] = [fround(saturation * fround(1 / 255)), fround(value * fround(1 / 255))];
  const levels = [v, fround(v * fround(1 - s)), fround(v * fround(1 - fround(s * part))), fround(v * fround(1 - fround(s * fround(1 - part))))];
  const order = ([[0, 3, 1], [2, 0, 1], [1, 0, 3], [1, 2, 0], [3, 1, 0], [0, 1, 2]] as const)[sector]!;
  // Whole vectors of pixels are cut off, not rounded; only at the end of a row OpenCV rounds.
  const [red, green, blue] = order.map((level) => Math.min(255, Math.max(0, Math.trunc(fround(levels[level]! * 255)))));
  return [red!, green!, blue!];
}

/** Half goes to the even neighbour, as processors round. */
function roundEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}
