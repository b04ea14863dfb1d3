/** Crops of a wanted shape, as large as the picture lets them be. */
import type { Size } from "../config/parameter.ts";
import type { Crop } from "./picture.ts";

/** A place in a picture, in pixels from its upper left corner; need not be whole. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/**
 * The largest crop with the shape of `target`, to be resized to it.
 * @param focus what it shall have in its middle, as far as the picture goes; undefined: the middle of the picture
 */
export function coverCrop([width, height]: Size, target: Size, focus?: Point): Crop {
  const scale = Math.min(width / target[0], height / target[1]);
  const size: Size = [toLength(target[0] * scale, width), toLength(target[1] * scale, height)];
  const centre = focus ?? { x: width / 2, y: height / 2 };
  return {
    x: toStart(centre.x, size[0], width),
    y: toStart(centre.y, size[1], height),
    width: size[0],
    height: size[1],
    target: { width: target[0], height: target[1] },
  };
}

/** How many times larger than in the picture things are after the crop; above 1 nothing is gained. */
export function enlargement(crop: Crop): number {
  return crop.target === undefined ? 1 : Math.max(crop.target.width / crop.width, crop.target.height / crop.height);
}

/** What a crop leaves: the size of the picture that is made of it. */
export function sizeAfterCrop(size: Size, crop: Crop | null): Size {
  if (crop === null) return size;
  return crop.target === undefined ? [crop.width, crop.height] : [crop.target.width, crop.target.height];
}

/** Neither side of what a crop is resized to may be longer, in pixels. */
export const LONGEST_TARGET = 4096;

/** Whether a crop lies in its picture, has something in it, and has a target that can be made. */
export function isCropOf({ x, y, width, height, target }: Crop, size: Size): boolean {
  const numbers = [x, y, width, height, target?.width ?? 1, target?.height ?? 1];
  return numbers.every(Number.isInteger) && x >= 0 && y >= 0 && Math.min(...numbers.slice(2)) >= 1
    && Math.max(target?.width ?? 1, target?.height ?? 1) <= LONGEST_TARGET && x + width <= size[0] && y + height <= size[1];
}

function toLength(value: number, most: number): number {
  return Math.max(1, Math.min(most, Math.round(value)));
}

function toStart(centre: number, length: number, whole: number): number {
  return Math.max(0, Math.min(whole - length, Math.round(centre - length / 2)));
}
