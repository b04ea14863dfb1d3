/** Which pictures are held out, when a run is tested with them, and what the curve is read as. */
import { describe, expect, it } from "vitest";
import { defaultConfig, type TrainingConfig } from "../../src/config/parameters.ts";
import { heldOutPictures } from "../../src/dataset/hold-out.ts";
import { planDataset } from "../../src/training/run-plan.ts";
import { isValidationDue, validationTimesteps } from "../../src/training/validation-schedule.ts";
import { readFit, type Validation } from "../../src/ui/charts/fit-reading.ts";
import { LossHistory } from "../../src/ui/charts/loss-history.ts";
import fixture from "./fixtures/validation.json" with { type: "json" };

const folder = (count: number, dir: string, more: { readonly isReg?: boolean } = {}) =>
  Array.from({ length: count }, (_, i) => ({ path: `${dir}/${i}.png`, size: [512, 512] as const, repeats: 3, ...more }));
const config = (values: Partial<TrainingConfig>): TrainingConfig => ({ ...defaultConfig(), ...values });

describe("pictures held out", () => {
  it.each(fixture.splits)("of $count, $share with seed $seed are sd-scripts', less those that it also trains on", ({ count, share, seed, trained, held }) => {
    const isHeld = heldOutPictures(folder(count, "a"), config({ validation_split: share, validation_seed: seed }));
    const numbers = [...isHeld.keys()];
    expect(numbers.filter((i) => !isHeld[i])).toEqual(trained);
    expect(numbers.filter((i) => isHeld[i])).toEqual(held.filter((picture) => !trained.includes(picture)));
  });

  it("come from each folder, and never from regularization pictures", () => {
    const pictures = [...folder(10, "a"), ...folder(4, "b"), ...folder(10, "reg/c", { isReg: true })];
    const held = heldOutPictures(pictures, config({ validation_split: 0.5, seed: 3 }));
    expect([held.slice(0, 10), held.slice(10, 14), held.slice(14)].map((part) => part.filter(Boolean).length)).toEqual([5, 2, 0]);
  });

  it("are no part of an epoch, nor of the balance with regularization pictures, and are tested once each", () => {
    const pictures = [...folder(10, "a"), ...folder(40, "reg/c", { isReg: true })];
    const plan = planDataset(pictures, config({ validation_split: 0.3, validation_seed: 1, train_batch_size: 2 }));
    const shown = plan.buckets.buckets.flatMap(({ items }) => items);
    expect(shown.filter((i) => i < 10)).toHaveLength(7 * 3);
    expect(shown.filter((i) => i >= 10)).toHaveLength(7 * 3);
    expect(shown.some((i) => plan.heldOut[i])).toBe(false);
    expect(plan.validation!.batches.flatMap(({ items }) => items).toSorted((a, b) => a - b)).toEqual([...plan.heldOut.keys()].filter((i) => plan.heldOut[i]));
    expect(plan.validation!.shapes.map(({ batch }) => batch).toSorted()).toEqual([1, 2]);
    expect(planDataset(pictures, config({ validation_split: 0.3, validation_seed: 1, max_validation_steps: 1 })).validation!.batches).toHaveLength(1);
    expect(planDataset(pictures, config({})).validation).toBeUndefined();
  });
});

describe("a validation", () => {
  it.each(fixture.timesteps)("from $min to $max tests at sd-scripts' timesteps", ({ min, max, timesteps }) => {
    expect(validationTimesteps({ min_timestep: min, max_timestep: max })).toEqual(timesteps);
  });

  it("comes after epochs, the last one cut short included, and after steps besides", () => {
    const steps = { batchesPerEpoch: 4, updatesPerEpoch: 4, epochs: 3, totalUpdates: 10, accumulation: 1 };
    const due = (everySteps: number | null, everyEpochs: number | null) =>
      Array.from({ length: 10 }, (_, i) => i + 1).filter((step) =>
        isValidationDue({ validate_every_n_steps: everySteps, validate_every_n_epochs: everyEpochs }, steps, step));
    expect(due(null, null)).toEqual([4, 8, 10]);
    expect(due(null, 2)).toEqual([8]);
    expect(due(3, 100)).toEqual([3, 6, 9]);
    expect(due(3, null)).toEqual([3, 4, 6, 8, 9, 10]);
  });
});

describe("the reading of the curves", () => {
  const curve = (...losses: number[]): Validation[] => losses.map((loss, i) => ({ step: (i + 1) * 10, loss }));
  const falling = (step: number): number => 1 - step / 1000;

  it.each([
    ["falling", curve(1, 0.9, 0.8, 0.7), falling, 40],
    ["level", curve(1, 0.8, 0.7995, 0.799), falling, 40],
    ["overfitting", curve(1, 0.7, 0.8, 0.9), falling, 20],
    ["diverging", curve(1, 0.7, 0.8, 0.9), (step: number) => step, 20],
    ["underfitting", curve(1, 1.001, 0.999), () => 1, 30],
  ] as const)("is %s", (fit, validations, training, bestStep) => {
    expect(readFit(validations, training)).toEqual({ fit, bestStep });
  });

  it("waits for three validations", () => {
    expect(readFit(curve(1, 2), falling)).toBeUndefined();
  });

  it("stands beside the training losses at their steps, and is forgotten with them", () => {
    const history = new LossHistory(0);
    for (let step = 1; step <= 4; step++) {
      if (step % 2 === 0) history.validate(step, step / 10);
      history.append(step, 1);
    }
    expect(history.validation).toEqual([null, 0.2, null, 0.4]);
    history.validate(4, 0.5);
    expect(history.validation).toEqual([null, 0.2, null, 0.5]);
    history.cut(3);
    expect(history.validation).toEqual([null, 0.2, null]);
    history.clear();
    expect(history.hasValidation).toBe(false);
  });

  it("keeps its place in a long run", () => {
    const history = new LossHistory(0);
    for (let step = 1; step <= 20_000; step++) {
      if (step % 5000 === 0) history.validate(step, step);
      history.append(step, 1);
    }
    const found = history.validation.flatMap((loss, i) => (loss === null ? [] : [[history.columns[0][i]!, loss] as const]));
    expect(found.map(([, loss]) => loss)).toEqual([5000, 10_000, 15_000, 20_000]);
    for (const [step, loss] of found) expect(step - loss).toBeLessThan(10);
  });
});
