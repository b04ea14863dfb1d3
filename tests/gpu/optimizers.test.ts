/**
 * Every optimizer over the recorded gradients of tests/reference/data/optimizers.json, through the update graph that
 * a run uses, against the parameters that the reference implementations reached.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readFile } from "node:fs/promises";
import { interpretOptimizer, openOptimizer, type Variable } from "./harness/optimizer-run.ts";
import { openTestGpu } from "./harness/adapter.ts";
import { referencePath } from "./harness/reference-data.ts";
import { adam, adamW } from "../../src/gpu/optimizers/adamw.ts";
import { adafactor } from "../../src/gpu/optimizers/adafactor.ts";
import { relativeStep } from "../../src/config/relative-step.ts";
import { lion } from "../../src/gpu/optimizers/lion.ts";
import { sgd } from "../../src/gpu/optimizers/sgd.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import type { Optimizer } from "../../src/gpu/optimizers/optimizer.ts";

type Values = Readonly<Record<string, number[]>>;
type Nested = readonly (number | Nested)[];

interface Case {
  readonly name: string;
  readonly inputs: "main" | "conv";
  readonly hyperparameters: Readonly<Record<string, number | boolean | null | readonly number[] | "inf">>;
  readonly params_after_step: readonly Readonly<Record<string, Nested>>[];
  readonly group_scalars_after_step?: readonly Readonly<Record<string, number>>[];
}

interface Inputs {
  readonly tensors: Readonly<Record<string, { readonly shape: readonly number[]; readonly init: Nested }>>;
  readonly grads: readonly Readonly<Record<string, Nested>>[];
}

interface Fixtures {
  readonly inputs: { readonly main: Inputs; readonly conv: Inputs };
  readonly cases: readonly Case[];
}

const fixtures = JSON.parse(await readFile(referencePath("optimizers.json"), "utf8")) as Fixtures;

const flat = (values: Nested): number[] => (values as readonly unknown[]).flat(4) as number[];
const flatAll = (values: Readonly<Record<string, Nested>>): Values =>
  Object.fromEntries(Object.entries(values).map(([name, nested]) => [name, flat(nested)]));
const variablesOf = ({ tensors }: Inputs): Record<string, Variable> =>
  Object.fromEntries(Object.entries(tensors).map(([name, { shape, init }]) => [name, { shape, init: flat(init) }]));

class Settings {
  readonly #values: Case["hyperparameters"];
  constructor({ hyperparameters }: Case) {
    this.#values = hyperparameters;
  }
  number(key: string, fallback = 0): number {
    const value = this.#values[key];
    return typeof value === "number" ? value : fallback;
  }
  optional(key: string): number | null {
    const value = this.#values[key];
    return typeof value === "number" ? value : null;
  }
  flag(key: string): boolean {
    return this.#values[key] === true;
  }
  pair(key: string): readonly [number, number] {
    const value = this.#values[key] as readonly [number, number] | undefined;
    return value ?? [0.9, 0.999];
  }
}

/** Adafactor's own rate of update t, from 1, where it has one. */
function rateOf(entry: Case, t: number): number {
  const settings = new Settings(entry);
  return settings.flag("relative_step") ? relativeStep(t - 1, settings.flag("warmup_init")) : settings.number("lr", 1);
}

/** Cases by the beginning of their name. */
const makers: readonly (readonly [string, (settings: Settings) => Optimizer])[] = [
  ["AdamW", (s) => adamW({ betas: s.pair("betas"), eps: s.number("eps"), weightDecay: s.number("weight_decay") })],
  ["Adam", (s) => adam({ betas: s.pair("betas"), eps: s.number("eps"), weightDecay: s.number("weight_decay") })],
  ["Lion", (s) => lion({ betas: s.pair("betas"), weightDecay: s.number("weight_decay") })],
  [
    "Adafactor",
    (s) =>
      adafactor({
        eps: s.pair("eps"),
        clipThreshold: s.number("clip_threshold"),
        decayRate: s.number("decay_rate"),
        beta1: s.optional("beta1"),
        weightDecay: s.number("weight_decay"),
        scaleParameter: s.flag("scale_parameter"),
      }),
  ],
  ["SGD", (s) => sgd({ momentum: s.number("momentum"), isNesterov: s.flag("nesterov"), weightDecay: s.number("weight_decay") })],
];

const cases = fixtures.cases.flatMap((entry) => {
  if (/8bit|ScheduleFree/.test(entry.name)) return [];
  const make = makers.find(([start]) => entry.name.startsWith(start))?.[1];
  return make === undefined ? [] : [{ entry, make }];
});

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => gpu.destroy());

function largestDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let most = 0;
  if (actual.length !== expected.length) return Infinity;
  for (let i = 0; i < expected.length; i++) most = Math.max(most, Math.abs(actual[i]! - expected[i]!));
  return most;
}

describe.each(cases.map(({ entry, make }) => ({ name: entry.name, entry, make })))("$name", ({ entry, make }) => {
  const inputs = fixtures.inputs[entry.inputs];
  const variables = variablesOf(inputs);
  const lr = (t: number): number => rateOf(entry, t);
  const grads = inputs.grads.map(flatAll);

  it("follows the reference implementation on the GPU", async () => {
    const run = await openOptimizer(gpu, make(new Settings(entry)), variables, lr);
    for (const [t, expected] of entry.params_after_step.entries()) {
      const params = await run.step(t + 1, grads[t]!);
      for (const [name, nested] of Object.entries(expected)) {
        const wanted = flat(nested);
        expect(largestDifference(params[name]!, wanted), `${name} after step ${t + 1}`).toBeLessThanOrEqual(1e-6);
      }
    }
    run.destroy();
  });

  it("has a float64 reference that follows it too", () => {
    const steps = interpretOptimizer(make(new Settings(entry)), variables, lr, grads);
    for (const [t, expected] of entry.params_after_step.entries()) {
      for (const [name, nested] of Object.entries(expected)) {
        expect(largestDifference(steps[t]![name]!, flat(nested)), `${name} after step ${t + 1}`).toBeLessThanOrEqual(1e-6);
      }
    }
  });
});
