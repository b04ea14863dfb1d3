/** How long a run is, counted as sd-scripts counts: epochs, batches, and updates of the weights ("steps"). */

export interface StepPlan {
  readonly batchesPerEpoch: number;
  /** Optimizer updates per epoch; the last may cover fewer batches than the others. */
  readonly updatesPerEpoch: number;
  /** Epochs begun; the last may be cut short by `totalUpdates`. */
  readonly epochs: number;
  readonly totalUpdates: number;
  readonly accumulation: number;
}

export interface StepOptions {
  /** Entries per bucket, repeats counted. A batch never mixes buckets, so each may end with a short one. */
  readonly bucketSizes: readonly number[];
  /** Of all buckets, or of each. */
  readonly batchSize: number | readonly number[];
  readonly accumulation: number;
  readonly maxSteps: number;
  /** Wins over `maxSteps` if set. */
  readonly maxEpochs: number | null;
}

export function planSteps(options: StepOptions): StepPlan {
  const { bucketSizes, batchSize, accumulation, maxSteps, maxEpochs } = options;
  const sizeOf = (bucket: number): number => (typeof batchSize === "number" ? batchSize : (batchSize[bucket] ?? 1));
  const batchesPerEpoch = bucketSizes.reduce((sum, size, bucket) => sum + Math.ceil(size / sizeOf(bucket)), 0);
  const updatesPerEpoch = Math.ceil(batchesPerEpoch / accumulation);
  const totalUpdates = maxEpochs === null ? maxSteps : maxEpochs * updatesPerEpoch;
  const epochs = Math.ceil(totalUpdates / updatesPerEpoch);
  return { batchesPerEpoch, updatesPerEpoch, epochs, totalUpdates, accumulation };
}

/** The batches of one update. */
export interface UpdateSpan {
  /** From 0. */
  readonly epoch: number;
  /** Batches `firstBatch` to `endBatch` − 1 of that epoch. */
  readonly firstBatch: number;
  readonly endBatch: number;
}

/**
 * Where in the run update number `update` (from 0) lies. An epoch's last update takes what is left of it; its loss is
 * still divided by the full accumulation.
 */
export function updateSpan(plan: StepPlan, update: number): UpdateSpan {
  const epoch = Math.floor(update / plan.updatesPerEpoch);
  const firstBatch = (update % plan.updatesPerEpoch) * plan.accumulation;
  return { epoch, firstBatch, endBatch: Math.min(firstBatch + plan.accumulation, plan.batchesPerEpoch) };
}

/** Number of a micro-batch in the whole run: the index of its random numbers. */
export function microBatchIndex(plan: StepPlan, epoch: number, batch: number): number {
  return epoch * plan.batchesPerEpoch + batch;
}
