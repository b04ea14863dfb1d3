import { permutation } from "../random/rng.ts";

export interface Batch {
  /** Index of the bucket: all items have its resolution. */
  readonly bucket: number;
  /** What the bucket lists, here picture numbers. */
  readonly items: readonly number[];
}

/** Room for the buckets of an epoch in the generator's index. */
const BUCKETS_PER_EPOCH = 0x1_0000;

/**
 * The batches of an epoch in order. Pictures are shuffled within their bucket and batches among each other; both
 * depend on the seed and the epoch alone, so a run continues anywhere from (epoch, batch). sd-scripts reshuffles one
 * batch late, as a side effect of its data loader; we do it where the epoch begins.
 * @param buckets picture numbers per bucket, each as often as it is repeated
 * @param batchSizes of all buckets, or of each
 * @param epoch from 0
 */
export function epochBatches(
  buckets: readonly (readonly number[])[], batchSizes: number | readonly number[], seed: number, epoch: number,
): Batch[] {
  const batches: Batch[] = [];
  for (const [bucket, items] of buckets.entries()) {
    const batchSize = typeof batchSizes === "number" ? batchSizes : (batchSizes[bucket] ?? 1);
    const order = permutation(seed, "shuffleImages", epoch * BUCKETS_PER_EPOCH + bucket, items.length);
    for (let start = 0; start < items.length; start += batchSize) {
      batches.push({ bucket, items: Array.from(order.subarray(start, start + batchSize), (i) => items[i]!) });
    }
  }
  return Array.from(permutation(seed, "shuffleBatches", epoch, batches.length), (i) => batches[i]!);
}
