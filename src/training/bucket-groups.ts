/** Buckets of a dataset configuration: each of its `[[datasets]]` has its own resolution, buckets and batches. */
import { configOf } from "../config/dataset-keys.ts";
import { bucketOptions, planBuckets, type Bucket, type BucketPlan, type PictureSize, type Placement } from "../dataset/buckets.ts";
import { groupBy } from "../dataset/group-by.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import type { TrainingPicture } from "./run-plan.ts";

export interface BucketGroup {
  /** Number of the dataset, from 0. */
  readonly dataset: number;
  readonly config: TrainingConfig;
  /** Its items and placements count the pictures of the group. */
  readonly plan: BucketPlan;
}

export interface GroupedBucket extends Bucket {
  /** Pictures of a batch, at most. */
  readonly batchSize: number;
}

export interface GroupedBuckets {
  readonly groups: readonly BucketGroup[];
  /** Of all groups, one group's behind another's; items are picture numbers. */
  readonly buckets: readonly GroupedBucket[];
  /** One per picture. */
  readonly placements: readonly Placement[];
}

/** Without a dataset configuration all pictures are one group. @throws as `planBuckets` */
export function planBucketGroups(
  pictures: readonly (PictureSize & Pick<TrainingPicture, "dataset" | "overrides">)[], config: TrainingConfig,
): GroupedBuckets {
  const members = [...groupBy(pictures.keys(), (picture) => pictures[picture]!.dataset ?? 0)].sort(([a], [b]) => a - b);
  const placements: Placement[] = [];
  const buckets: GroupedBucket[] = [];
  const groups = members.map(([dataset, numbers]): BucketGroup => {
    // What a dataset says of its buckets holds for all its folders.
    const own = configOf(config, pictures[numbers[0]!]?.overrides);
    const plan = planBuckets(numbers.map((number) => pictures[number]!), bucketOptions(own));
    for (const [i, placement] of plan.placements.entries()) placements[numbers[i]!] = placement;
    for (const { resolution, items } of plan.buckets) {
      buckets.push({ resolution, items: items.map((item) => numbers[item]!), batchSize: own.train_batch_size });
    }
    return { dataset, config: own, plan };
  });
  return { groups, buckets, placements };
}
