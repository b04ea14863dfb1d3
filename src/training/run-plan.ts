/** A dataset under a configuration: buckets, batch shapes and how long the run is. Needs no GPU. */
import { groupBy } from "../dataset/group-by.ts";
import { variesPictures } from "../dataset/crop-window.ts";
import { heldOutPictures } from "../dataset/hold-out.ts";
import { balancedRepeats } from "../dataset/regularization.ts";
import { batchShape } from "./batch-shape.ts";
import { planBucketGroups, type GroupedBuckets } from "./bucket-groups.ts";
import { planSteps, type StepPlan } from "./steps.ts";
import { planValidation, type ValidationPlan } from "./validation-plan.ts";
import type { PixelSize } from "./latent-cache.ts";
import type { BatchShape } from "./training-plan.ts";
import type { RgbaImage } from "../dataset/image.ts";
import { configOf, type Overrides } from "../config/dataset-keys.ts";
import { variesCaptions } from "../dataset/vary-caption.ts";
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
  /** Of a dataset configuration: the number of its dataset, from 0, */
  readonly dataset?: number;
  /** … and what holds for its folder in place of the run's settings. */
  readonly overrides?: Overrides;
  decode(): Promise<RgbaImage>;
  /** Its mask, where it has one beside it; counts with `masked_loss`. */
  decodeMask?(): Promise<RgbaImage>;
}

export interface DatasetPlan {
  readonly buckets: GroupedBuckets;
  readonly steps: StepPlan;
  /** Every batch shape that the run will meet, latent sizes. */
  readonly shapes: readonly BatchShape[];
  /** Whether any batch shows picture i; surplus regularization pictures are never shown. */
  readonly shows: readonly boolean[];
  /** Whether picture i is not trained on. */
  readonly heldOut: readonly boolean[];
  /** What the run is tested with; undefined where nothing is held out. */
  readonly validation: ValidationPlan | undefined;
  /** Whether some captions may read differently from one showing to the next. */
  readonly variesCaptions: boolean;
  /** Whether some pictures have a mask. */
  readonly isMasked: boolean;
  /** Whether picture i looks different at each showing, and is encoded each time. */
  readonly isLive: readonly boolean[];
  /** Pixel sizes that pictures are encoded at before training, */
  readonly sizes: readonly PixelSize[];
  /** … and in every step. */
  readonly liveSizes: readonly PixelSize[];
}

export function planDataset(
  pictures: readonly Pick<TrainingPicture, "path" | "size" | "repeats" | "isReg" | "dataset" | "overrides" | "decodeMask">[],
  config: TrainingConfig,
): DatasetPlan {
  const heldOut = heldOutPictures(pictures, config);
  const repeats = balanced(pictures.map((picture, i) => (heldOut[i] === true ? { ...picture, repeats: 0 } : picture)));
  const buckets = planBucketGroups(pictures.map((picture, i) => ({ ...picture, repeats: repeats[i] ?? 0 })), config);
  const steps = planSteps({
    bucketSizes: buckets.buckets.map(({ items }) => items.length),
    batchSize: buckets.buckets.map(({ batchSize }) => batchSize),
    accumulation: config.gradient_accumulation_steps,
    maxSteps: config.max_train_steps,
    maxEpochs: config.max_train_epochs,
  });
  const shapes = buckets.buckets.flatMap(({ resolution, items, batchSize }): BatchShape[] => {
    const rest = items.length % batchSize;
    return [
      ...(items.length >= batchSize ? [batchShape(resolution, batchSize)] : []),
      ...(rest > 0 ? [batchShape(resolution, rest)] : []),
    ];
  });
  const validation = planValidation(pictures, heldOut, config);
  const tested = new Set(validation?.batches.flatMap(({ items }) => items));
  const shows = repeats.map((count, i) => count > 0 || tested.has(i));
  const configs = pictures.map(({ overrides }) => configOf(config, overrides));
  const isLive = configs.map(variesPictures);
  const sizesOf = (live: boolean): PixelSize[] => buckets.placements.filter((_, i) => shows[i] && isLive[i] === live).map(({ bucket }) => bucket);
  return {
    buckets, steps, shapes, shows, heldOut, validation, isLive,
    variesCaptions: configs.some(variesCaptions),
    isMasked: configs.some((own, i) => own.alpha_mask || (own.masked_loss && pictures[i]?.decodeMask !== undefined)),
    sizes: sizesOf(false),
    liveSizes: sizesOf(true),
  };
}

/** How often an epoch shows each picture; each dataset balances its own regularization pictures. */
function balanced(pictures: readonly Pick<TrainingPicture, "repeats" | "isReg" | "dataset">[]): number[] {
  const repeats: number[] = [];
  for (const numbers of groupBy(pictures.keys(), (picture) => pictures[picture]!.dataset ?? 0).values()) {
    for (const [i, count] of balancedRepeats(numbers.map((number) => pictures[number]!)).entries()) repeats[numbers[i]!] = count;
  }
  return repeats;
}
