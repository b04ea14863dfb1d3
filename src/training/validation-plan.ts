/** The pictures that a run is tested with, in batches that are the same each time. Needs no GPU. */
import { batchShape } from "./batch-shape.ts";
import { planBucketGroups } from "./bucket-groups.ts";
import { epochBatches, type Batch } from "./order.ts";
import type { TrainingPicture } from "./run-plan.ts";
import type { BatchShape } from "./training-plan.ts";
import type { Bucket } from "../dataset/buckets.ts";
import type { TrainingConfig } from "../config/parameters.ts";

export interface ValidationPlan {
  readonly buckets: readonly Bucket[];
  /** All batches, or the first of them where `max_validation_steps` says so. */
  readonly batches: readonly Batch[];
  readonly shapes: readonly BatchShape[];
}

/**
 * The seed of everything random in a validation. It lies beyond those that a run can have, so that no number of the run
 * is drawn a second time.
 */
export function validationSeed(seed: number): number {
  return seed + 2 ** 32;
}

/** @returns undefined where no picture is held out */
export function planValidation(
  pictures: readonly Pick<TrainingPicture, "path" | "size" | "dataset" | "overrides">[], heldOut: readonly boolean[], config: TrainingConfig,
): ValidationPlan | undefined {
  if (!heldOut.includes(true)) return undefined;
  const once = pictures.map((picture, i) => ({ ...picture, repeats: heldOut[i] === true ? 1 : 0 }));
  const { buckets } = planBucketGroups(once, config);
  const seed = validationSeed(config.validation_seed ?? config.seed ?? 0);
  const all = epochBatches(buckets.map(({ items }) => items), buckets.map(({ batchSize }) => batchSize), seed, 0);
  const batches = all.slice(0, config.max_validation_steps ?? all.length);
  return { buckets, batches, shapes: batches.map(({ bucket, items }) => batchShape(buckets[bucket]!.resolution, items.length)) };
}
