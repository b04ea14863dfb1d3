import { describe, expect, it } from "vitest";
import { parseConfig } from "../../src/config/config.ts";
import { ConfigError } from "../../src/config/errors.ts";
import { learningRates, rateFactor, updatesOf } from "../../src/config/learning-rate.ts";
import { PARAMETERS } from "../../src/config/parameters.ts";
import { RandomSequence } from "../../src/random/rng.ts";
// From transformers and diffusers: tests/reference/make_rates.py.
import fixture from "./fixtures/rates.json" with { type: "json" };

const rates = (values: Record<string, unknown>, update: number, total: number) =>
  learningRates(parseConfig(values).config, update, total);

describe("rateFactor", () => {
  it.each(fixture)("is sd-scripts' at each of $total updates of $settings", ({ settings, total, factors }) => {
    const factor = rateFactor(parseConfig(settings).config, total);
    for (const [update, wanted] of factors.entries()) expect(factor(update), `update ${update}`).toBeCloseTo(wanted, 13);
  });

  it("is tested for every scheduler that is offered", () => {
    // Adafactor's schedule is the optimizer's own (below).
    const tested = [...fixture.map(({ settings }) => settings.lr_scheduler), "adafactor"];
    expect(new Set(tested)).toEqual(new Set(PARAMETERS.lr_scheduler.choices));
    const own = fixture.map(({ settings }) => (settings as { lr_scheduler_type?: string }).lr_scheduler_type).filter((name) => name !== undefined);
    expect(new Set(own)).toEqual(new Set(PARAMETERS.lr_scheduler_type.choices));
  });

  it.each([
    [{ lr_scheduler: "linear", lr_scheduler_args: ["num_cycles=2"] }, "config.schedulerArgs", "lr_scheduler_args"],
    [{ lr_scheduler: "cosine", lr_scheduler_args: ["num_cycles"] }, "config.schedulerArgs", "lr_scheduler_args"],
    [{ lr_scheduler: "cosine", lr_scheduler_args: ["num_cycles=-1"] }, "config.schedulerArgs", "lr_scheduler_args"],
    [{ lr_scheduler: "warmup_stable_decay", lr_scheduler_args: ["decay_type='steep'"] }, "config.schedulerArgs", "lr_scheduler_args"],
    [{ lr_scheduler: "piecewise_constant" }, "config.schedulerArgs", "lr_scheduler_args"],
    [{ lr_scheduler: "piecewise_constant", lr_scheduler_args: ["step_rules='1:,2'"] }, "config.schedulerArgs", "lr_scheduler_args"],
    [{ lr_scheduler: "cosine_with_min_lr" }, "config.conflict", "lr_scheduler_min_lr_ratio"],
    [
      { lr_scheduler: "cosine_with_min_lr", lr_scheduler_min_lr_ratio: 0.1, lr_scheduler_args: ["min_lr=1e-6"] },
      "config.schedulerArgs", "lr_scheduler_args",
    ],
    [{ lr_scheduler: "polynomial", learning_rate: 1e-7 }, "config.conflict", "learning_rate"],
    [{ lr_scheduler_type: "StepLR" }, "config.schedulerArgs", "lr_scheduler_args"],
    [{ lr_scheduler_type: "StepLR", lr_scheduler_args: ["step_size=2.5"] }, "config.schedulerArgs", "lr_scheduler_args"],
    [{ lr_scheduler_type: "StepLR", lr_scheduler_args: ["step_size=2", "power=2"] }, "config.schedulerArgs", "lr_scheduler_args"],
    [{ lr_scheduler_type: "StepLR", lr_scheduler_args: ["step_size=2", "last_epoch=3"] }, "config.schedulerArgs", "lr_scheduler_args"],
    [{ lr_scheduler_type: "MultiStepLR", lr_scheduler_args: ["milestones=3"] }, "config.schedulerArgs", "lr_scheduler_args"],
    [{ lr_scheduler_type: "CosineAnnealingLR", unet_lr: 1e-3, lr_scheduler_args: ["T_max=9", "eta_min=1e-6"] }, "config.schedulerArgs", "lr_scheduler_args"],
    [{ lr_scheduler_type: "ExponentialLR", lr_warmup_steps: 3, lr_scheduler: "cosine", lr_scheduler_args: ["gamma=0.9"] }, "config.conflict", "lr_warmup_steps"],
    [{ lr_scheduler_type: "OneCycleLR" }, "config.choice", "lr_scheduler_type"],
  ])("refuses %j", (settings, code, param) => {
    expect(() => parseConfig(settings)).toThrow(ConfigError);
    expect(() => parseConfig(settings)).toThrow(expect.objectContaining({ code, param }));
  });

  it("reads arguments written in one line, with single quotes around texts", () => {
    const text = '"warmup_type=\'cosine\'" decay_type=\'1-sqrt\'';
    const { config } = parseConfig({ lr_scheduler: "warmup_stable_decay", lr_scheduler_args: text });
    expect(config.lr_scheduler_args).toEqual(["warmup_type='cosine'", "decay_type='1-sqrt'"]);
  });
});

describe("any settings of the schedule", () => {
  it("are refused by name, or give each update of a run a finite factor that is not negative", () => {
    const random = new RandomSequence(7, "noise", 0);
    const pick = <T>(values: readonly T[]): T => values[random.below(values.length)]!;
    const lengths = [0, 1, 3, 40, 1000, 0.1, 0.5, 0.99];
    const accepted = new Set<string>();
    for (let i = 0; i < 3000; i++) {
      const settings = {
        lr_scheduler: pick(PARAMETERS.lr_scheduler.choices ?? []),
        learning_rate: pick([1e-4, 1, 1e-7, 0]),
        lr_warmup_steps: pick(lengths),
        lr_decay_steps: pick(lengths),
        lr_scheduler_num_cycles: pick([1, 2, 7]),
        lr_scheduler_power: pick([0, 0.5, 1, 3]),
        lr_scheduler_timescale: pick([null, 1, 5, 1e6]),
        lr_scheduler_min_lr_ratio: pick([null, 0, 0.3, 1]),
        lr_scheduler_args: pick([[], ["min_lr=1e-6"], ["lr_end=0"], ["num_cycles=3"], ["decay_type='1-sqrt'"], ["step_rules='2:5,0'"], ["x"]]),
      };
      const total = pick([1, 2, 40, 97]);
      try {
        const factor = rateFactor(parseConfig(settings).config, total);
        const worst = Math.min(...Array.from({ length: total }, (_, update) => factor(update)).map((value) => (Number.isFinite(value) ? value : -1)));
        if (worst < 0) throw new Error(`${JSON.stringify(settings)} of ${total} gives ${worst}`);
        accepted.add(settings.lr_scheduler);
      } catch (error) {
        if (!(error instanceof ConfigError) || !error.param.startsWith("l")) throw error;
      }
    }
    // Adafactor's own comes with its optimizer only.
    expect(accepted).toEqual(new Set(PARAMETERS.lr_scheduler.choices?.filter((name) => name !== "adafactor")));
  }, 30_000);
});

describe("updatesOf", () => {
  it.each([[0, 100, 0], [10, 100, 10], [0.1, 105, 10], [0.05, 10, 0], [1, 10, 1]])(
    "reads %d of %d updates as %d", (length, total, updates) => {
      expect(updatesOf(length, total)).toBe(updates);
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

  it("is Adafactor's relative step for every side where it has one, whatever rates and scheduler say", () => {
    const values = { optimizer_type: "Adafactor", learning_rate: 0, unet_lr: 1, lr_scheduler: "cosine" };
    expect(rates(values, 0, 10)).toEqual({ unet: 0.01, textEncoder: 0.01 });
    expect(rates({ ...values, network_train_unet_only: true }, 40_000, 50_000).unet).toBeCloseTo(1 / Math.sqrt(40_001), 12);
    expect(rates({ ...values, optimizer_args: ["warmup_init=True"] }, 2, 10).unet).toBeCloseTo(3e-6, 12);
    expect(rates({ ...values, optimizer_args: ["relative_step=False"] }, 0, 10)).toEqual({ unet: 1 });
  });

  it("leaves out a side that is not trained", () => {
    expect(rates({ learning_rate: 1, network_train_unet_only: true }, 0, 1)).toEqual({ unet: 1 });
    expect(rates({ learning_rate: 1, network_train_text_encoder_only: true }, 0, 1)).toEqual({ textEncoder: 1 });
    expect(rates({ learning_rate: 1, text_encoder_lr: 0 }, 0, 1)).toEqual({ unet: 1 });
  });
});
