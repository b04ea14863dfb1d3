import { describe, expect, it } from "vitest";
import { parseConfig } from "../../src/config/config.ts";
import { learningRates } from "../../src/config/learning-rate.ts";
import { evenSteps, rateCurve, summarize } from "../../src/ui/charts/rate-curve.ts";

const configOf = (settings: Record<string, unknown>) => parseConfig({ learning_rate: 1e-4, text_encoder_lr: 5e-5, ...settings }).config;

describe("rateCurve", () => {
  it("has the rates with which each step of the run will train", () => {
    const config = configOf({ lr_scheduler: "cosine_with_restarts", lr_scheduler_num_cycles: 2, lr_warmup_steps: 0.1 });
    const { steps, unet, textEncoder } = rateCurve(config, 50);
    expect(steps).toHaveLength(50);
    for (const [i, step] of steps.entries()) {
      expect({ unet: unet![i], textEncoder: textEncoder![i] }).toEqual(learningRates(config, step - 1, 50));
    }
  });

  it("leaves out a side that is not trained", () => {
    expect(rateCurve(configOf({ network_train_unet_only: true }), 3)).toEqual({ steps: [1, 2, 3], unet: [1e-4, 1e-4, 1e-4], epochStarts: [] });
  });

  it("marks where epochs begin, and only some where they are many", () => {
    expect(rateCurve(configOf({}), 10, 4).epochStarts).toEqual([5, 9]);
    expect(rateCurve(configOf({}), 8, 4).epochStarts).toEqual([5]);
    const many = rateCurve(configOf({}), 1000, 2).epochStarts;
    expect(many.length).toBeLessThanOrEqual(40);
    expect(many[0]).toBe(27);
    expect(many[1]! - many[0]!).toBe(26);
  });

  it("thins out a long run, but not its ends", () => {
    const { steps } = rateCurve(configOf({}), 100_000);
    expect(steps.length).toBeLessThanOrEqual(4096);
    expect(steps[0]).toBe(1);
    expect(steps.at(-1)).toBe(100_000);
  });
});

describe("evenSteps", () => {
  it.each([[1, 40, [1]], [2, 40, [1, 2]], [5, 3, [1, 3, 5]], [4, 1, [4]]])("takes of %i steps %i", (total, count, steps) => {
    expect(evenSteps(total, count)).toEqual(steps);
  });
});

describe("summarize", () => {
  it("tells the first, the first highest and the last rate", () => {
    expect(summarize([1, 2, 5, 9], [0, 2, 2, 1])).toEqual({ first: 0, highest: 2, highestStep: 2, last: 1 });
  });
});
