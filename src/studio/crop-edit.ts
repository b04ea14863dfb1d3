/** Changing a crop by hand. Whatever is asked for, the result lies in the picture, in whole pixels, and is no splinter. */
import type { Size } from "../config/parameter.ts";
import type { Crop } from "./picture.ts";

export type CropArea = Omit<Crop, "target">;

/** A side or a corner, by compass. */
export const cropEdges = ["nw", "n", "ne", "e", "se", "s", "sw", "w"] as const;
export type CropEdge = (typeof cropEdges)[number];

/** Neither side is made shorter than this, in pixels, unless the picture is. */
export const SHORTEST = 16;

export function wholePicture([width, height]: Size): CropArea {
  return { x: 0, y: 0, width, height };
}

export function isWhole({ x, y, width, height }: CropArea, size: Size): boolean {
  return x === 0 && y === 0 && width === size[0] && height === size[1];
}

export function moveArea(area: CropArea, dx: number, dy: number, size: Size): CropArea {
  return {
    ...area,
    x: clamp(Math.round(area.x + dx), 0, size[0] - area.width),
    y: clamp(Math.round(area.y + dy), 0, size[1] - area.height),
  };
}

/**
 * Pulls a side or a corner; what lies opposite stays.
 * @param ratio width / height to keep; undefined: free
 */
export function pullEdge(area: CropArea, edge: CropEdge, dx: number, dy: number, size: Size, ratio?: number): CropArea {
  const isWest = edge.includes("w");
  const isNorth = edge.includes("n");
  const width = edge === "n" || edge === "s" ? area.width : area.width + (isWest ? -dx : dx);
  const height = edge === "e" || edge === "w" ? area.height : area.height + (isNorth ? -dy : dy);
  const corner = { x: isWest ? area.x + area.width : area.x, y: isNorth ? area.y + area.height : area.y };
  return grown(corner, isWest, isNorth, wanted(edge, width, height, ratio), size, ratio);
}

/** The area between two points, from the first towards the second. */
export function areaBetween(from: readonly [number, number], to: readonly [number, number], size: Size, ratio?: number): CropArea {
  const corner = { x: clamp(Math.round(from[0]), 0, size[0]), y: clamp(Math.round(from[1]), 0, size[1]) };
  const [dx, dy] = [to[0] - corner.x, to[1] - corner.y];
  return grown(corner, dx < 0, dy < 0, wanted("se", Math.abs(dx), Math.abs(dy), ratio), size, ratio);
}

/** The largest area of a ratio in `area`, around its middle. */
export function withRatio(area: CropArea, ratio: number, size: Size): CropArea {
  const width = Math.min(area.width, area.height * ratio);
  return fitted(area.x + area.width / 2, area.y + area.height / 2, width, width / ratio, size);
}

/** An area with typed numbers, brought into the picture. */
export function typedArea(area: CropArea, size: Size, ratio?: number, kept: "width" | "height" = "width"): CropArea {
  const width = ratio !== undefined && kept === "height" ? area.height * ratio : area.width;
  const height = ratio !== undefined && kept === "width" ? area.width / ratio : area.height;
  const shrink = ratio === undefined ? 1 : Math.min(1, size[0] / width, size[1] / height);
  const lengths: Size = [length(width * shrink, size[0]), length(height * shrink, size[1])];
  return {
    x: clamp(Math.round(area.x), 0, size[0] - lengths[0]), y: clamp(Math.round(area.y), 0, size[1] - lengths[1]),
    width: lengths[0], height: lengths[1],
  };
}

/** Width and height after a pull, before the picture's limits. */
function wanted(edge: CropEdge, width: number, height: number, ratio: number | undefined): Size {
  if (ratio === undefined) return [width, height];
  if (edge === "e" || edge === "w") return [width, width / ratio];
  if (edge === "n" || edge === "s") return [height * ratio, height];
  const longer = Math.max(width, height * ratio);
  return [longer, longer / ratio];
}

function grown(
  corner: { readonly x: number; readonly y: number }, isWest: boolean, isNorth: boolean, [width, height]: Size, size: Size, ratio: number | undefined,
): CropArea {
  // A corner at the rim leaves no room for the shortest side: step back from it.
  const room: Size = [
    Math.max(Math.min(SHORTEST, size[0]), isWest ? corner.x : size[0] - corner.x),
    Math.max(Math.min(SHORTEST, size[1]), isNorth ? corner.y : size[1] - corner.y),
  ];
  const shrink = ratio === undefined ? 1 : Math.min(1, room[0] / Math.max(1, width), room[1] / Math.max(1, height));
  const lengths: Size = [length(width * shrink, room[0]), length(height * shrink, room[1])];
  return {
    x: clamp(isWest ? corner.x - lengths[0] : corner.x, 0, size[0] - lengths[0]),
    y: clamp(isNorth ? corner.y - lengths[1] : corner.y, 0, size[1] - lengths[1]),
    width: lengths[0], height: lengths[1],
  };
}

function fitted(centreX: number, centreY: number, width: number, height: number, size: Size): CropArea {
  const lengths: Size = [length(width, size[0]), length(height, size[1])];
  return {
    x: clamp(Math.round(centreX - lengths[0] / 2), 0, size[0] - lengths[0]),
    y: clamp(Math.round(centreY - lengths[1] / 2), 0, size[1] - lengths[1]),
    width: lengths[0], height: lengths[1],
  };
}

function length(value: number, most: number): number {
  return clamp(Math.round(value), Math.min(SHORTEST, most), most);
}

function clamp(value: number, least: number, most: number): number {
  return Math.max(least, Math.min(most, value));
}
