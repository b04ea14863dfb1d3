import { describe, expect, it } from "vitest";
import { parseConfig } from "../../src/config/config.ts";
import { learningRateFactor, learningRates, warmupSteps } from "../../src/config/learning-rate.ts";
// From transformers' get_scheduler: tests/reference/make_schedules.py.
import fixture from "./fixtures/schedules.json" with { type: "json" };

const rates = (values: Record<string, unknown>, update: number, total: number) =>
  learningRates(parseConfig(values).config, update, total);

describe("learningRateFactor", () => {
  it.each(fixture.learningRates)("is transformers' $scheduler with warmup $warmup of $total", (reference) => {
    const scheduler = reference.scheduler as "constant" | "constant_with_warmup" | "cosine";
    for (const [update, factor] of reference.factors.entries()) {
      expect(learningRateFactor(scheduler, update, reference.warmup, reference.total)).toBeCloseTo(factor, 14);
    }
  });
});

describe("warmupSteps", () => {
  it.each([[0, 100, 0], [10, 100, 10], [0.1, 105, 10], [0.05, 10, 0], [1, 10, 1]])(
    "reads %d of %d updates as %d", (warmup, total, steps) => {
      expect(warmupSteps(warmup, total)).toBe(steps);
    },
  );
});

describe("learningRates", () => {
  it("gives each side its own rate, or the common one", () => {
    expect(rates({ learning_rate: 1e-4, text_encoder_lr: 5e-5 }, 0, 10)).toEqual({ unet: 1e-4, textEncoder: 5e-5 });
  });

  it("scales both by the schedule", () => {
    const values = { learning_rate: 2, unet_lr: 1, lr_scheduler: "cosine", lr_warmup_steps: 0.2 };
    expect(rates(values, 1, 10)).toEqual({ unet: 0.5, textEncoder: 1 });
  });

  it("leaves out a side that is not trained", () => {
    expect(rates({ learning_rate: 1, network_train_unet_only: true }, 0, 1)).toEqual({ unet: 1 });
    expect(rates({ learning_rate: 1, network_train_text_encoder_only: true }, 0, 1)).toEqual({ textEncoder: 1 });
    expect(rates({ learning_rate: 1, text_encoder_lr: 0 }, 0, 1)).toEqual({ unet: 1 });
  });
});
