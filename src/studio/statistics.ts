/** What is in a set, in numbers: for plots, and for advice. */
import { bucketOptions, planBuckets } from "../dataset/buckets.ts";
import type { BucketPlan } from "../dataset/buckets.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import { InputError } from "../errors.ts";
import { balanceOf } from "./balance.ts";
import type { StudioPicture } from "./picture.ts";
import type { StudioSet } from "./studio-set.ts";
import { countTags } from "./tag-statistics.ts";
import type { TagCount } from "./tag-statistics.ts";

export interface SetStatistics {
  readonly pictures: number;
  readonly bytes: number;
  readonly withoutCaption: number;
  /** Pictures whose caption says the same as another one's. */
  readonly sameCaption: number;
  readonly cropped: number;
  readonly generated: number;
  /** Sizes after the crop, most frequent first. */
  readonly sizes: readonly SizeCount[];
  /** Shapes that training will bring pictures to; null where a picture fits none. */
  readonly buckets: readonly BucketCount[] | null;
  /** Mean |ratio error| over all pictures: how much training will cut off. */
  readonly meanRatioError: number;
  /** In how many captions each tag is, most frequent first. */
  readonly tags: readonly TagCount[];
  /** Captions by length in tokens: in steps of 25, the last without an end. */
  readonly lengths: readonly LengthCount[];
  /** Captions with more than 75, 150 and 225 tokens. */
  readonly longer: readonly [number, number, number];
}

export interface SizeCount {
  readonly width: number;
  readonly height: number;
  readonly count: number;
}

export interface BucketCount {
  readonly width: number;
  readonly height: number;
  /** Showings in an epoch. */
  readonly count: number;
}

export interface LengthCount {
  readonly from: number;
  /** null: without an end. */
  readonly to: number | null;
  readonly count: number;
}

const LENGTH_STEP = 25;
const LENGTH_STEPS = 10;

/**
 * @param config for buckets
 * @param countTokens of a caption, without start and end
 */
export function statisticsOf(
  set: StudioSet, pictures: readonly StudioPicture[], config: TrainingConfig, countTokens: (caption: string) => number,
): SetStatistics {
  const captions = pictures.flatMap(({ caption }) => (caption === null || caption.trim() === "" ? [] : [caption]));
  const tokens = captions.map(countTokens);
  const plan = bucketsOf(set, pictures, config);
  return {
    pictures: pictures.length,
    bytes: pictures.reduce((sum, { bytes }) => sum + bytes, 0),
    withoutCaption: pictures.length - captions.length,
    sameCaption: captions.length - new Set(captions.map((caption) => caption.trim())).size,
    cropped: pictures.filter(({ crop }) => crop !== null).length,
    generated: pictures.filter(({ origin }) => origin?.kind === "generated").length,
    sizes: sizeCounts(pictures),
    buckets: plan?.buckets.map(({ resolution: [width, height], items }) => ({ width, height, count: items.length })) ?? null,
    meanRatioError: plan?.meanRatioError ?? 0,
    tags: countTags(pictures),
    lengths: lengthCounts(tokens),
    longer: [75, 150, 225].map((limit) => tokens.filter((count) => count > limit).length) as [number, number, number],
  };
}

/** Pixels of a picture as training gets it. */
export function trainedSize({ crop, width, height }: StudioPicture): readonly [width: number, height: number] {
  if (crop === null) return [width, height];
  const { width: across, height: down } = crop.target ?? crop;
  return [across, down];
}

function bucketsOf(set: StudioSet, pictures: readonly StudioPicture[], config: TrainingConfig): BucketPlan | undefined {
  const { showings } = balanceOf(set, pictures);
  const rows = pictures.map((picture) => ({
    path: picture.name, size: trainedSize(picture), repeats: showings.get(picture.id) ?? 0,
  }));
  try {
    return planBuckets(rows, bucketOptions(config));
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}

function sizeCounts(pictures: readonly StudioPicture[]): SizeCount[] {
  const counts = new Map<string, SizeCount>();
  for (const picture of pictures) {
    const [width, height] = trainedSize(picture);
    const key = `${width}x${height}`;
    counts.set(key, { width, height, count: (counts.get(key)?.count ?? 0) + 1 });
  }
  return [...counts.values()].sort((a, b) => b.count - a.count || a.width - b.width || a.height - b.height);
}

function lengthCounts(tokens: readonly number[]): LengthCount[] {
  const counts = Array.from({ length: LENGTH_STEPS }, () => 0);
  for (const count of tokens) {
    const step = Math.min(LENGTH_STEPS - 1, Math.floor(Math.max(0, count - 1) / LENGTH_STEP));
    counts[step] = counts[step]! + 1;
  }
  return counts.map((count, step) => ({
    from: step === 0 ? 0 : step * LENGTH_STEP + 1, to: step === LENGTH_STEPS - 1 ? null : (step + 1) * LENGTH_STEP, count,
  }));
}
