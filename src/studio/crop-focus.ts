/**
 * What a picture is about, as the webui's "auto focal point crop" guesses it: the weighted mean of three centres, those of
 * its faces, its corners and its most uneven window.
 */
import type { Size } from "../config/parameter.ts";
import type { FaceBox } from "../dataset/crop-window.ts";
import type { RgbaImage } from "../dataset/image.ts";
import { findCorners } from "./crop-corners.ts";
import type { Point } from "./crop-cover.ts";
import { unevenestWindow } from "./crop-entropy.ts";
import { reducedLuma, type Luma } from "./crop-luma.ts";

/** How much each kind counts beside the others, in 0…1; 0 leaves it out. */
export interface FocusWeights {
  readonly face: number;
  readonly entropy: number;
  readonly corners: number;
}

/** The webui's. */
export const usualFocusWeights: FocusWeights = { face: 0.9, entropy: 0.15, corners: 0.5 };

/** Of the height of a face, from its top: above its middle, so that hair is in the picture. */
const FACE_FOCUS = 0.33;
/** The lowest tenth turns to this grey, so that watermarks draw no corners. */
const WATERMARK = { from: 0.9, level: 0x99 } as const;
const CORNERS = { count: 100, quality: 0.04, distance: 0.06 } as const;
/** Pixels between windows, in the picture at the size at which it covers the target. */
const STEP = 4;
/** Larger pictures are looked at in a reduced copy. */
const MOST_PIXELS = 2 ** 18;

/**
 * In pixels of the picture.
 * @param target shape of the crop to come, which is the window of the entropy
 * @param faces in pixels of the picture, where somebody knows them
 * @returns undefined where nothing stands out: in a flat picture, or a square one by entropy alone
 */
export function focalPoint(image: RgbaImage, target: Size, weights: FocusWeights, faces: readonly FaceBox[] = []): Point | undefined {
  const points: (Point & { readonly weight: number })[] = [];
  const face = weights.face > 0 ? centroid(faces.map(faceFocus)) : undefined;
  if (face !== undefined) points.push({ ...face, weight: weights.face });
  if (weights.corners > 0 || weights.entropy > 0) {
    const covering = Math.max(target[0] / image.width, target[1] / image.height);
    const luma = reducedLuma(image, workingSize(image, covering));
    const scale: Size = [image.width / luma.width, image.height / luma.height];
    const add = (point: Point | undefined, weight: number): unknown =>
      point !== undefined && weight > 0 && points.push({ x: point.x * scale[0], y: point.y * scale[1], weight });
    if (weights.entropy > 0) add(entropyFocus(luma, [target[0] / covering / scale[0], target[1] / covering / scale[1]], STEP / covering / scale[0]), weights.entropy);
    if (weights.corners > 0) add(cornerFocus(luma), weights.corners);
  }
  return mean(points);
}

/** Never larger than the picture, nor than where it covers the target. */
function workingSize({ width, height }: RgbaImage, covering: number): Size {
  const scale = Math.min(1, covering, Math.sqrt(MOST_PIXELS / (width * height)));
  return [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
}

function faceFocus({ centre, size }: FaceBox): Point {
  return { x: centre[0], y: centre[1] + (FACE_FOCUS - 0.5) * size[1] };
}

/** Middle of the most uneven window, along the picture's longer side; square pictures have none. */
function entropyFocus(luma: Luma, [wide, high]: Size, step: number): Point | undefined {
  if (luma.width === luma.height) return undefined;
  const isWide = luma.width > luma.height;
  const length = Math.min(Math.max(luma.width, luma.height), Math.round(isWide ? wide : high));
  const start = unevenestWindow(luma, length, Math.max(1, Math.round(step)));
  if (start === undefined) return undefined;
  const [along, across] = [start + length / 2, (isWide ? high : wide) / 2];
  return isWide ? { x: along, y: across } : { x: across, y: along };
}

function cornerFocus({ width, height, data }: Luma): Point | undefined {
  const grey = data.map(Math.round).fill(WATERMARK.level, Math.floor(height * WATERMARK.from) * width);
  const distance = Math.min(width, height) * CORNERS.distance;
  return centroid(findCorners({ width, height, data: grey }, { ...CORNERS, distance }));
}

function centroid(points: readonly Point[]): Point | undefined {
  return mean(points.map((point) => ({ ...point, weight: 1 })));
}

function mean(points: readonly (Point & { readonly weight: number })[]): Point | undefined {
  if (points.length === 0) return undefined;
  const [x, y, weight] = points.reduce(
    ([x, y, sum], point) => [x + point.x * point.weight, y + point.y * point.weight, sum + point.weight],
    [0, 0, 0] as readonly [number, number, number],
  );
  return { x: x / weight, y: y / weight };
}
