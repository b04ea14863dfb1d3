/** Aspect-ratio buckets: which shape each picture is brought to. The rules are sd-scripts'. Sizes are [width, height]. */
import type { Size } from "../config/parameter.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import { InputError } from "../errors.ts";
import { groupBy } from "./group-by.ts";

export interface BucketOptions {
  readonly resolution: Size;
  readonly enabled: boolean;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  readonly noUpscale: boolean;
}

export function bucketOptions(config: TrainingConfig): BucketOptions {
  const step = config.bucket_reso_steps;
  return {
    resolution: config.resolution,
    enabled: config.enable_bucket,
    min: Math.floor(config.min_bucket_reso / step) * step,
    max: Math.ceil(config.max_bucket_reso / step) * step,
    step,
    noUpscale: config.bucket_no_upscale,
  };
}

/** How a picture gets into its bucket: resized, then cropped in the middle. */
export interface Placement {
  readonly bucket: Size;
  /** Covers the bucket. */
  readonly resized: Size;
  /** The bucket's aspect ratio less the picture's. */
  readonly ratioError: number;
}

/** All shapes there can be, by width, then height; not used when small pictures keep their size. */
export function predefinedBuckets(options: BucketOptions): Size[] {
  const { resolution, enabled, min, max, step } = options;
  if (!enabled) return [resolution];
  const area = resolution[0] * resolution[1];
  const square = Math.floor(Math.sqrt(area) / step) * step;
  const shapes = new Map<string, Size>();
  const add = (width: number, height: number): unknown => shapes.set(`${width}x${height}`, [width, height]);
  add(square, square);
  for (let width = min; width <= max; width += step) {
    const height = Math.min(max, Math.floor(Math.floor(area / width) / step) * step);
    if (height < min) continue;
    add(width, height);
    add(height, width);
  }
  return [...shapes.values()].sort(bySize);
}

function bySize(a: Size, b: Size): number {
  return a[0] - b[0] || a[1] - b[1];
}

/**
 * Chooses the bucket of a picture.
 * @param predefined from `predefinedBuckets` with the same options
 * @throws InputError `image.tooSmall` if nothing of the picture would be left
 */
export function placeImage(size: Size, options: BucketOptions, predefined: readonly Size[]): Placement {
  const placement = options.enabled && options.noUpscale ? placeUnscaled(size, options) : placeNearest(size, predefined);
  const [width, height] = placement.bucket;
  if (width < 1 || height < 1) {
    const message = `A picture of ${size[0]}×${size[1]} is too small or too narrow for buckets in steps of `
      + `${options.step} pixels. Remove it, crop it, or turn bucket_no_upscale off.`;
    throw new InputError("image.tooSmall", message, { width: size[0], height: size[1], step: options.step });
  }
  return placement;
}

function placeNearest(size: Size, predefined: readonly Size[]): Placement {
  const [width, height] = size;
  const ratio = width / height;
  const exact = predefined.find((shape) => shape[0] === width && shape[1] === height);
  const bucket = exact ?? nearestShape(ratio, predefined);
  const bucketRatio = bucket[0] / bucket[1];
  const scale = ratio > bucketRatio ? bucket[1] / height : bucket[0] / width;
  return { bucket, resized: [half(width * scale), half(height * scale)], ratioError: bucketRatio - ratio };
}

function nearestShape(ratio: number, shapes: readonly Size[]): Size {
  let best = shapes[0]!;
  for (const shape of shapes) {
    if (Math.abs(shape[0] / shape[1] - ratio) < Math.abs(best[0] / best[1] - ratio)) best = shape;
  }
  return best;
}

/** Pictures within the area keep their size; larger ones shrink to it, with one side on a multiple of the step. */
function placeUnscaled(size: Size, options: BucketOptions): Placement {
  const { resolution, step } = options;
  const [width, height] = size;
  const ratio = width / height;
  const area = resolution[0] * resolution[1];
  const resized = width * height > area ? shrunk(ratio, area, step) : size;
  const bucket: Size = [resized[0] - (resized[0] % step), resized[1] - (resized[1] % step)];
  return { bucket, resized, ratioError: bucket[0] / bucket[1] - ratio };
}

function shrunk(ratio: number, area: number, step: number): Size {
  const toStep = (value: number): number => half(value) - (half(value) % step);
  const exactWidth = Math.sqrt(area * ratio);
  const width = toStep(exactWidth);
  const height = toStep(area / exactWidth);
  const ratioByWidth = width / toStep(width / ratio);
  const ratioByHeight = toStep(height * ratio) / height;
  return Math.abs(ratioByWidth - ratio) < Math.abs(ratioByHeight - ratio)
    ? [width, half(width / ratio)]
    : [half(height * ratio), height];
}

function half(value: number): number {
  return Math.floor(value + 0.5);
}

/** Offset of the bucket in the resized picture. */
export function cropOffset(placement: Placement): readonly [left: number, top: number] {
  const { bucket, resized } = placement;
  return [Math.floor((resized[0] - bucket[0]) / 2), Math.floor((resized[1] - bucket[1]) / 2)];
}

export interface Bucket {
  readonly resolution: Size;
  /** Picture numbers, each as often as it is repeated. */
  readonly items: readonly number[];
}

export interface BucketPlan {
  /** Those with pictures, by resolution. */
  readonly buckets: readonly Bucket[];
  /** One per picture. */
  readonly placements: readonly Placement[];
  /** Mean |ratio error| over the pictures that are shown, repeats not counted. */
  readonly meanRatioError: number;
  readonly enabled: boolean;
}

export interface PictureSize {
  readonly path: string;
  readonly size: Size;
  /** How often an epoch shows it; 0 leaves it out. */
  readonly repeats: number;
}

/**
 * Puts all pictures into buckets.
 * @throws InputError `image.tooSmall` naming the picture
 */
export function planBuckets(pictures: readonly PictureSize[], options: BucketOptions): BucketPlan {
  const predefined = predefinedBuckets(options);
  const placements = pictures.map(({ path, size }) => named(path, () => placeImage(size, options, predefined)));
  const groups = groupBy(placements.keys(), (picture) => placements[picture]!.bucket.join("x"));
  const buckets = [...groups.values()].map((members) => ({
    resolution: placements[members[0]!]!.bucket,
    items: members.flatMap((picture) => Array.from({ length: pictures[picture]!.repeats }, () => picture)),
  }));
  const shown = placements.filter((_, picture) => pictures[picture]!.repeats > 0);
  const errors = shown.reduce((sum, placement) => sum + Math.abs(placement.ratioError), 0);
  return {
    buckets: buckets.filter(({ items }) => items.length > 0).sort((a, b) => bySize(a.resolution, b.resolution)),
    placements,
    meanRatioError: errors / Math.max(1, shown.length),
    enabled: options.enabled,
  };
}

function named<T>(path: string, place: () => T): T {
  try {
    return place();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError(error.code, `${path}: ${error.message}`, { ...error.data, file: path }, { cause: error });
  }
}

/** `ss_bucket_info` of the written file; null without buckets, as sd-scripts has it. */
export function bucketInfo(plan: BucketPlan | undefined): Readonly<Record<string, unknown>> | null {
  if (plan?.enabled !== true) return null;
  const entries = plan.buckets.map(({ resolution, items }, index) => [
    String(index), { resolution: [...resolution], count: items.length },
  ]);
  return { buckets: Object.fromEntries(entries), mean_img_ar_error: plan.meanRatioError };
}
