/** Validation while training: pictures that are held out, tested with the same noise each time, unnoticed by the training. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defaultConfig, type TrainingConfig } from "../../src/config/parameters.ts";
import { describeOrigin } from "../../src/training/run-origin.ts";
import { planDataset } from "../../src/training/run-plan.ts";
import { planRun } from "../../src/training/run-settings.ts";
import { StepEngine, type MicroBatch } from "../../src/training/step-engine.ts";
import { initialAdapter } from "../../src/training/adapter-init.ts";
import { train } from "../../src/training/trainer.ts";
import { isSlowAdapter, openTestGpu } from "./harness/adapter.ts";
import { openWideMini } from "./harness/generation-models.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import type { Checkpoint } from "../../src/models/checkpoint-types.ts";
import type { RunState } from "../../src/training/state-file.ts";

let gpu: Gpu;
let checkpoint: Checkpoint;
beforeAll(async () => {
  gpu = await openTestGpu({ defaultLimitsOnly: true });
  checkpoint = await openWideMini("sd1");
});
afterAll(() => gpu.destroy());

const size = 64;
const pictures = [0, 1, 2, 3].map((i) => ({
  path: `1_x/${i}.png`,
  size: [size, size] as const,
  repeats: 1,
  caption: ["a cat", "a dog", "a bird", "a horse"][i]!,
  decode: async () => ({
    width: size,
    height: size,
    data: Uint8Array.from({ length: size * size * 4 }, (_, at) => (at % 4 === 3 ? 255 : (at * (3 + i) + (at >> 7) * 31) & 255)),
  }),
}));
const base: TrainingConfig = {
  ...defaultConfig(), resolution: [size, size], network_dim: 4, learning_rate: 1e-2, max_train_steps: 4, seed: 11, network_dropout: 0.3,
};

async function run(config: TrainingConfig, from = pictures): Promise<{ readonly state: RunState; readonly losses: readonly (readonly [number, number])[] }> {
  const losses: [number, number][] = [];
  const facts = await describeOrigin({
    checkpoint, config, dataset: { subsets: [], pictures: from }, plan: planDataset(from, config), sessionId: 1, startedAt: 0,
  });
  const state = await train(gpu, { checkpoint, config, pictures: from, facts }, {
    signal: new AbortController().signal,
    phase: () => undefined,
    log: ({ code, data }) => void (code === "train.validation" && losses.push([Number(data?.["step"]), Number(data?.["loss"])])),
    keepCheckpoint: async () => undefined,
    afterStep: async () => "continue",
  });
  return { state, losses };
}

const bytesOf = ({ weights, optimizer }: RunState): string =>
  JSON.stringify([weights, ...optimizer].map((bank) => [...bank].map(([name, factors]) => [name, Object.values(factors).map((values) => [...values])])));

describe("validation", () => {
  it.skipIf(isSlowAdapter)("leaves training bit-identical to a run without the pictures that are held out", async () => {
    const split = { ...base, validation_split: 0.25, validation_seed: 1 };
    const { heldOut } = planDataset(pictures, split);
    expect(heldOut.filter(Boolean)).toHaveLength(1);
    const validated = await run({ ...split, validate_every_n_steps: 1 });
    const without = await run(base, pictures.filter((_, i) => !heldOut[i]));
    expect(bytesOf(validated.state)).toBe(bytesOf(without.state));
    expect(without.losses).toEqual([]);
    expect(validated.losses.map(([step]) => step)).toEqual([1, 2, 3, 4]);
    expect(new Set(validated.losses.map(([, loss]) => loss)).size).toBe(4);
    expect(validated.state.facts).toMatchObject({ numTrainImages: 3, numValidationImages: 1 });

    const seldom = await run({ ...split, validate_every_n_epochs: 2 });
    expect(seldom.losses).toEqual(validated.losses.filter(([step]) => step === 4));
    expect(bytesOf(seldom.state)).toBe(bytesOf(without.state));
  });

  it("gives the loss that training would see, without dropout and without gradients", async () => {
    const shape = { batch: 2, height: 8, width: 8 };
    const plain = { ...base, network_dropout: null, train_batch_size: 2, loss_type: "huber" as const };
    const count = shape.batch * shape.height * shape.width * 4;
    const wave = (step: number): Float32Array<ArrayBuffer> => Float32Array.from({ length: count }, (_, i) => Math.sin(i * step));
    const batch: MicroBatch = {
      shape, x: wave(1.7), target: wave(0.3), timesteps: [400, 400], lossWeights: [1, 0.5], huberThresholds: [0.1, 0.2],
      text: { ids: Int32Array.from({ length: 154 }, (_, i) => (i * 37) % 900) }, draw: { seed: 1, microBatch: 0 },
    };
    const losses = async (config: TrainingConfig): Promise<readonly number[]> => {
      const plan = planRun(checkpoint, config, [shape], gpu.tier, { validation: { shapes: [shape] } });
      const engine = await StepEngine.create(gpu, plan);
      try {
        // Factors that begin as 0 would hide the others.
        const started = [...initialAdapter(plan.options.adapters, 5)].map(([name, factors]) => {
          const filled = Object.entries(factors).map(([key, values]) => [key, values.map((value) => (value === 0 ? 0.02 : value))] as const);
          return [name, Object.fromEntries(filled)] as const;
        });
        engine.adapters.write("params", new Map(started));
        const before = await engine.validate(batch);
        const trained = (await engine.runMicroBatches([batch])).losses[0]!;
        return [before, trained, await engine.validate(batch)];
      } finally {
        engine.destroy();
      }
    };
    const [before, trained, after] = await losses(plain);
    expect(before).toBe(trained);
    expect(after).toBe(trained);
    const dropped = await losses({ ...plain, network_dropout: 0.5 });
    expect(dropped[0]).toBe(before);
    expect(dropped[1]).not.toBe(before);
  });
});
