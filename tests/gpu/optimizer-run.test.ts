/**
 * Optimizers in a real run: factors that are stacked and padded on the GPU, and state that is saved and put back.
 * The rules about whole tensors must see PyTorch's tensors all the same.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { interpretOptimizer, type Variable } from "./harness/optimizer-run.ts";
import { isSlowAdapter, openTestGpu } from "./harness/adapter.ts";
import { openMini } from "./harness/reference-data.ts";
import { parseConfig } from "../../src/config/config.ts";
import { learningRates } from "../../src/config/learning-rate.ts";
import { forecast } from "../../src/training/forecast.ts";
import { gaussian } from "../../src/random/rng.ts";
import { planRun } from "../../src/training/run-settings.ts";
import { StepEngine, type MicroBatch } from "../../src/training/step-engine.ts";
import { stepEstimate } from "../../src/gpu/optimizers/update-graph.ts";
import { trainingBytes } from "../../src/training/training-plan.ts";
import { elementCount } from "../../src/gpu/graph/tensor.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import type { ModuleWeights } from "../../src/lora/factors.ts";
import type { Checkpoint } from "../../src/models/checkpoint-types.ts";

const shape = { batch: 1, height: 8, width: 8 };

let gpu: Gpu;
let checkpoint: Checkpoint;
beforeAll(async () => {
  gpu = await openTestGpu({ defaultLimitsOnly: true });
  checkpoint = await openMini("sd1");
});
afterAll(() => gpu.destroy());

function batch(index: number): MicroBatch {
  const values = (stream: number, count: number): Float32Array<ArrayBuffer> => gaussian(5, "noise", index * 10 + stream, count);
  return {
    shape,
    x: values(0, 256),
    target: values(1, 256),
    timesteps: [317],
    lossWeights: [1],
    text: { context: values(2, 77 * checkpoint.unet.contextDim) },
  };
}

/** Factors that are not zero anywhere, so that every gradient is there. */
function factors(engine: StepEngine): Map<string, ModuleWeights> {
  return new Map(
    engine.plan.options.adapters.targets.map(({ name, factors: all }, i) => {
      const values = all.map(({ key, shape: size }, j) => [key, gaussian(7, "noise", 8 * i + j, elementCount(size)).map((v) => v * 0.1)]);
      return [name, Object.fromEntries(values) as ModuleWeights];
    }),
  );
}

function variablesOf(engine: StepEngine, weights: ReadonlyMap<string, ModuleWeights>): Record<string, Variable> {
  return Object.fromEntries(
    engine.plan.options.adapters.targets.flatMap(({ name, factors }) =>
      factors.map(({ key, shape }) => [`${name}.${key}`, { shape, init: weights.get(name)![key]! }]),
    ),
  );
}

const named = (weights: ReadonlyMap<string, ModuleWeights>): Record<string, Float32Array> =>
  Object.fromEntries([...weights].flatMap(([name, factors]) => Object.entries(factors).map(([key, values]) => [`${name}.${key}`, values])));

const bytesOf = async (engine: StepEngine): Promise<string> => {
  const banks = [await engine.adapters.read("params")];
  for (let i = 0; i < engine.plan.options.optimizer.stateCount; i++) banks.push(await engine.adapters.read(i));
  const kept = [...(await engine.readKeptState())].map(([name, data]) => [name, [...data]]);
  return JSON.stringify([banks.map((bank) => [...bank].map(([name, factors]) => [name, ...Object.entries(factors).map(([key, values]) => [key, [...values]])])), kept]);
};

const runs = [
  { optimizer_type: "Adafactor", lr_scheduler: "adafactor" },
  { optimizer_type: "AdamW8bit", optimizer_args: ["min_8bit_size=100"], learning_rate: 1e-3 },
  { optimizer_type: "Prodigy", optimizer_args: ["d0=1e-3", "slice_p=3"], learning_rate: 1 },
  {
    optimizer_type: "Adafactor", optimizer_args: ["relative_step=False", "scale_parameter=False"], learning_rate: 1e-3,
    network_module: "lycoris.kohya", network_args: ["algo=lokr", "preset=unet-convblock-only", "use_tucker=True", "use_scalar=True", "dora_wd=True"],
  },
  {
    optimizer_type: "AdamW8bit", optimizer_args: ["min_8bit_size=100"], learning_rate: 1e-3,
    network_module: "lycoris.kohya", network_args: ["algo=loha", "preset=attn-only"],
  },
  { optimizer_type: "DAdaptSGD", optimizer_args: ["d0=1e-3", "momentum=0.9"], learning_rate: 1 },
];

describe.skipIf(isSlowAdapter)("A run with stacked and padded factors", () => {
  it.each(runs)("updates each tensor as $optimizer_type updates PyTorch's, and goes on bit for bit from its state", async (values) => {
    const { config } = parseConfig({ ...values, network_dim: 3, network_alpha: 3, network_train_unet_only: true, max_grad_norm: 0 });
    const plan = planRun(checkpoint, config, [shape], gpu.tier);
    const create = async (): Promise<StepEngine> => StepEngine.create(gpu, plan);
    const rates = (update: number) => learningRates(config, update, 100);

    const first = await create();
    const start = factors(first);
    first.adapters.write("params", start);
    await first.runMicroBatches([batch(1)]);
    const grads = named(await first.adapters.read("grads"));
    first.destroy();

    const whole = await create();
    whole.adapters.write("params", start);
    const { stepSize } = await whole.runUpdate([batch(1)], rates(0), 1, 0);
    expect(stepSize, "d, where there is one").toBe((await whole.readKeptState()).get(stepEstimate)?.[0] ?? 1);
    const variables = variablesOf(whole, start);
    const [wanted] = interpretOptimizer(plan.options.optimizer, variables, () => rates(0).unet!, [grads]);
    const params = named(await whole.adapters.read("params"));
    const worst = Object.keys(params).map((name) => Math.max(...params[name]!.map((v, i) => Math.abs(v - wanted![name]![i]!))));
    const change = Object.keys(params).map((name) => Math.max(...params[name]!.map((v, i) => Math.abs(v - variables[name]!.init[i]!))));
    expect(Math.max(...worst)).toBeLessThan(1e-6);
    expect(Math.min(...change), "every tensor moves").toBeGreaterThan(1e-7);

    const later = await create();
    later.adapters.write("params", await whole.adapters.read("params"));
    for (let i = 0; i < plan.options.optimizer.stateCount; i++) later.adapters.write(i, await whole.adapters.read(i));
    later.writeKeptState(await whole.readKeptState());
    for (const engine of [whole, later]) {
      for (const update of [1, 2]) await engine.runUpdate([batch(update + 1)], rates(update), update + 1, 0);
    }
    expect(await bytesOf(later)).toBe(await bytesOf(whole));
    whole.destroy();
    later.destroy();
  });

  it("needs a quarter of AdamW's state with AdamW8bit and almost none with Adafactor, and says so beforehand", () => {
    const state = (values: Record<string, unknown>): number => {
      const { config } = parseConfig({ ...values, network_dim: 64, network_train_unet_only: true });
      const plan = planRun(checkpoint, config, [shape], gpu.tier);
      const { parts } = forecast(plan, {});
      expect(parts.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(trainingBytes(plan));
      return parts.find(({ key }) => key === "optimizer")!.bytes;
    };
    const full = state({ optimizer_type: "AdamW" });
    expect(state({ optimizer_type: "AdamW8bit", optimizer_args: ["min_8bit_size=0"] }) / full).toBeLessThan(0.3);
    expect(state({ optimizer_type: "Adafactor" }) / full).toBeLessThan(0.35);
    expect(state({ optimizer_type: "Prodigy" }) / full).toBeCloseTo(2, 1);
  });
});
