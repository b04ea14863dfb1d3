import { describe, expect, it } from "vitest";
import { epochBatches } from "../../src/training/order.ts";
import type { StepOptions } from "../../src/training/steps.ts";
import { microBatchIndex, planSteps, updateSpan } from "../../src/training/steps.ts";

const plan = (options: Partial<StepOptions>) =>
  planSteps({ bucketSizes: [10], batchSize: 1, accumulation: 1, maxSteps: 1600, maxEpochs: null, ...options });

describe("planSteps", () => {
  it("rounds up per bucket, not over all pictures", () => {
    expect(plan({ bucketSizes: [5, 3, 1], batchSize: 2 })).toMatchObject({ batchesPerEpoch: 3 + 2 + 1 });
  });

  it("counts updates per epoch with the remainder of the accumulation", () => {
    expect(plan({ bucketSizes: [10], accumulation: 4, maxEpochs: 3 })).toMatchObject({
      updatesPerEpoch: 3, totalUpdates: 9, epochs: 3,
    });
  });

  it("lets epochs win over steps, and cuts the last epoch short otherwise", () => {
    expect(plan({ maxSteps: 25 })).toMatchObject({ totalUpdates: 25, epochs: 3 });
    expect(plan({ maxSteps: 25, maxEpochs: 2 })).toMatchObject({ totalUpdates: 20, epochs: 2 });
  });
});

describe("updateSpan", () => {
  const accumulated = plan({ bucketSizes: [10], accumulation: 4, maxEpochs: 2 });

  it("never reaches over the end of an epoch", () => {
    const spans = [0, 1, 2, 3].map((update) => updateSpan(accumulated, update));
    expect(spans).toEqual([
      { epoch: 0, firstBatch: 0, endBatch: 4 },
      { epoch: 0, firstBatch: 4, endBatch: 8 },
      { epoch: 0, firstBatch: 8, endBatch: 10 },
      { epoch: 1, firstBatch: 0, endBatch: 4 },
    ]);
  });

  it("covers every batch of the run once", () => {
    const seen: number[] = [];
    for (let update = 0; update < accumulated.totalUpdates; update++) {
      const { epoch, firstBatch, endBatch } = updateSpan(accumulated, update);
      for (let batch = firstBatch; batch < endBatch; batch++) seen.push(microBatchIndex(accumulated, epoch, batch));
    }
    expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => i));
  });
});

describe("epochBatches", () => {
  const buckets = [[0, 0, 1, 1, 2, 2, 3], [4, 5, 5, 5], [6]];
  const epoch = (seed: number, number: number) => epochBatches(buckets, 3, seed, number);

  it("shows every entry once, in batches of one bucket", () => {
    const batches = epoch(1, 0);
    expect(batches.map((batch) => batch.items.length).sort()).toEqual([1, 1, 1, 3, 3, 3].sort());
    for (const [index, items] of buckets.entries()) {
      const seen = batches.filter((batch) => batch.bucket === index).flatMap((batch) => batch.items);
      expect(seen.sort()).toEqual(items);
    }
  });

  it("depends on seed and epoch alone", () => {
    expect(epoch(1, 5)).toEqual(epoch(1, 5));
    expect(epoch(1, 5)).not.toEqual(epoch(1, 6));
    expect(epoch(1, 5)).not.toEqual(epoch(2, 5));
  });

  it("mixes buckets over the epoch and moves short batches around", () => {
    const firstBuckets = new Set(Array.from({ length: 40 }, (_, number) => epoch(1, number)[0]!.bucket));
    expect(firstBuckets).toEqual(new Set([0, 1, 2]));
  });
});
