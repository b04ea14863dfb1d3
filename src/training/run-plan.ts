/** A dataset under a configuration: buckets, batch shapes and how long the run is. Needs no GPU. */
import { bucketOptions, planBuckets, type BucketPlan } from "../dataset/buckets.ts";
import { balancedRepeats } from "../dataset/regularization.ts";
import { planSteps, type StepPlan } from "./steps.ts";
import type { PixelSize } from "./latent-cache.ts";
import type { BatchShape } from "./training-plan.ts";
import type { RgbaImage } from "../dataset/image.ts";
import type { TrainingConfig } from "../config/parameters.ts";

/** A picture of the dataset. Its pixels are decoded when they are wanted. */
export interface TrainingPicture {
  readonly path: string;
  readonly size: PixelSize;
  /** Of its folder. */
  readonly repeats: number;
  /** A regularization picture; absent means a training picture. */
  readonly isReg?: boolean;
  readonly caption: string;
  decode(): Promise<RgbaImage>;
}

export interface DatasetPlan {
  readonly buckets: BucketPlan;
  readonly steps: StepPlan;
  /** Every batch shape that the run will meet, latent sizes. */
  readonly shapes: readonly BatchShape[];
  /** Whether any batch shows picture i; surplus regularization pictures are never shown. */
  readonly shows: readonly boolean[];
  /** Pixel sizes that pictures are encoded at. */
  readonly sizes: readonly PixelSize[];
}

/** Pixels per latent cell of the VAE. */
const cell = 8;

export function planDataset(
  pictures: readonly Pick<TrainingPicture, "path" | "size" | "repeats" | "isReg">[],
  config: TrainingConfig,
): DatasetPlan {
  const repeats = balancedRepeats(pictures);
  const balanced = pictures.map(({ path, size }, i) => ({ path, size, repeats: repeats[i] ?? 0 }));
  const buckets = planBuckets(balanced, bucketOptions(config));
  const batchSize = config.train_batch_size;
  const steps = planSteps({
    bucketSizes: buckets.buckets.map(({ items }) => items.length),
    batchSize,
    accumulation: config.gradient_accumulation_steps,
    maxSteps: config.max_train_steps,
    maxEpochs: config.max_train_epochs,
  });
  const shapes = buckets.buckets.flatMap(({ resolution: [width, height], items }): BatchShape[] => {
    const size = { height: height / cell, width: width / cell };
    const rest = items.length % batchSize;
    return [
      ...(items.length >= batchSize ? [{ ...size, batch: batchSize }] : []),
      ...(rest > 0 ? [{ ...size, batch: rest }] : []),
    ];
  });
  const shows = repeats.map((count) => count > 0);
  const sizes = buckets.placements.filter((_, i) => shows[i]).map(({ bucket }) => bucket);
  return { buckets, steps, shapes, shows, sizes };
}
