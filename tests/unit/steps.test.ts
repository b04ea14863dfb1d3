import { describe, expect, it } from "vitest";
import { defaultConfig } from "../../src/config/parameters.ts";
import { countWithRepeats } from "../../src/dataset/regularization.ts";
import { epochBatches } from "../../src/training/order.ts";
import { planDataset } from "../../src/training/run-plan.ts";
import type { StepOptions } from "../../src/training/steps.ts";
import { microBatchIndex, planSteps, updateSpan } from "../../src/training/steps.ts";
import fixture from "./fixtures/steps.json" with { type: "json" };

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

describe("a run's length against sd-scripts'", () => {
  const cases = fixture.map(({ options, pictures, expected }, number) => ({ number, options, pictures, expected }));
  const planned = ({ options, pictures }: Pick<(typeof cases)[number], "options" | "pictures">) => {
    const sized = pictures.map(({ size, ...picture }, i) => ({ ...picture, path: `${i}.png`, size: [size[0]!, size[1]!] as const }));
    return planDataset(sized, { ...defaultConfig(), ...options });
  };

  it.each(cases)("case $number has its buckets, epochs, updates and micro-batches", ({ options, pictures, expected }) => {
    const { buckets, steps } = planned({ options, pictures });
    expect(buckets.buckets.map(({ resolution, items }) => [...resolution, items.length])).toEqual(expected.buckets);
    expect(steps).toMatchObject({ batchesPerEpoch: expected.batches, totalUpdates: expected.maxTrainSteps, epochs: expected.epochs });
    const spans = Array.from({ length: steps.totalUpdates }, (_, update) => updateSpan(steps, update));
    const updates = expected.updatesOfEpochs.map((_, epoch) => spans.filter((span) => span.epoch === epoch).length);
    expect(updates).toEqual(expected.updatesOfEpochs);
    expect(spans.reduce((sum, { firstBatch, endBatch }) => sum + endBatch - firstBatch, 0)).toBe(expected.microBatches);
  });

  it.each(cases)("case $number shows each picture as often", ({ options, pictures, expected }) => {
    const { buckets, shows } = planned({ options, pictures });
    const items = buckets.buckets.flatMap((bucket) => bucket.items);
    expect(pictures.map((_, picture) => items.filter((item) => item === picture).length)).toEqual(expected.repeats);
    expect(shows).toEqual(expected.repeats.map((count) => count > 0));
    expect(countWithRepeats(pictures, false)).toBe(expected.numTrainImages);
    expect(countWithRepeats(pictures, true)).toBe(expected.numRegImages);
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
