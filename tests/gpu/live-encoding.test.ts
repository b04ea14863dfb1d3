/** Pictures that look different at each showing are encoded in every step; masks beside pictures; options of folders. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defaultConfig, type TrainingConfig } from "../../src/config/parameters.ts";
import { forecast } from "../../src/training/forecast.ts";
import { cacheLatents, planVae } from "../../src/training/latent-cache.ts";
import { describeOrigin } from "../../src/training/run-origin.ts";
import { planDataset, type TrainingPicture } from "../../src/training/run-plan.ts";
import { planRun } from "../../src/training/run-settings.ts";
import { StepEngine } from "../../src/training/step-engine.ts";
import { trainingBytes } from "../../src/training/training-plan.ts";
import { train } from "../../src/training/trainer.ts";
import { gaussian } from "../../src/random/rng.ts";
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
const painted = (seed: number, width = 96) => ({
  width, height: size,
  data: Uint8Array.from({ length: width * size * 4 }, (_, at) => (at % 4 === 3 ? 255 : (at * (3 + seed) + (at >> 7) * 31) & 255)),
});
const grey = (level: number) => ({ width: 96, height: size, data: new Uint8Array(96 * size * 4).fill(level) });
const pictures: readonly TrainingPicture[] = [0, 1, 2].map((i) => ({
  path: `1_x/${i}.png`, size: [96, size] as const, repeats: 1, caption: "a cat", decode: async () => painted(i),
}));
const base: TrainingConfig = {
  ...defaultConfig(), resolution: [size, size], network_dim: 4, learning_rate: 1e-2, max_train_steps: 2, seed: 11, network_train_unet_only: true,
};

async function run(config: TrainingConfig, from = pictures, stopAt?: number, resume?: RunState): Promise<{ readonly state: RunState; readonly losses: number[]; readonly phases: Set<string> }> {
  const losses: number[] = [];
  const phases = new Set<string>();
  const facts = await describeOrigin({
    checkpoint, config, dataset: { subsets: [], pictures: from }, plan: planDataset(from, config), sessionId: 1, startedAt: 0,
  });
  const state = await train(gpu, { checkpoint, config, pictures: from, facts, ...(resume === undefined ? {} : { resume }) }, {
    signal: new AbortController().signal,
    phase: ({ phase, total }) => void (total > 0 && phases.add(phase)),
    log: () => undefined,
    keepCheckpoint: async () => undefined,
    afterStep: async ({ step, loss }) => {
      losses.push(loss);
      return step === stopAt ? "stop" : "continue";
    },
  });
  return { state, losses, phases };
}

const bytesOf = ({ weights, optimizer }: RunState): string =>
  JSON.stringify([weights, ...optimizer].map((bank) => [...bank].map(([name, factors]) => [name, Object.values(factors).map((values) => [...values])])));

describe("pictures that look different at each showing", () => {
  const live = { ...base, random_crop: true, color_aug: true, flip_aug: true };

  it.skipIf(isSlowAdapter)("train the same LoRA whether or not the run was interrupted, and another one than the middle of each", async () => {
    const whole = await run(live);
    expect(whole.phases.has("cacheLatents")).toBe(false);
    const half = await run(live, pictures, 1);
    const rest = await run(live, pictures, undefined, half.state);
    expect(bytesOf(rest.state)).toBe(bytesOf(whole.state));
    expect([...half.losses, ...rest.losses]).toEqual(whole.losses);
    const middle = await run(base);
    expect(middle.phases.has("cacheLatents")).toBe(true);
    expect(bytesOf(middle.state)).not.toBe(bytesOf(whole.state));
  });

  it.skipIf(isSlowAdapter)("are encoded where their folder says so, beside others that are cached", async () => {
    const mixed = pictures.map((picture, i) => (i === 0 ? { ...picture, overrides: { random_crop: true } } : picture));
    const plan = planDataset(mixed, base);
    expect(plan.isLive).toEqual([true, false, false]);
    expect([plan.sizes.length, plan.liveSizes.length]).toEqual([2, 1]);
    const { state, phases } = await run(base, mixed);
    expect(phases.has("cacheLatents")).toBe(true);
    expect(bytesOf(state)).not.toBe(bytesOf((await run(base)).state));
  });

  it("become the latents that a cache would hold, in the bytes that were forecast", async () => {
    const config = { ...base, color_aug: true };
    const needs = planDataset(pictures, config);
    const plan = planRun(checkpoint, config, needs.shapes, gpu.tier, needs);
    const { parts, phases } = forecast(plan, {});
    expect(parts.find(({ key }) => key === "encoder")!.bytes).toBeGreaterThan(0);
    expect(parts.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(trainingBytes(plan));
    expect(phases.at(-1)).toEqual({ phase: "train", peakBytes: trainingBytes(plan) });
    const image = Float32Array.from({ length: size * size * 3 }, (_, i) => Math.sin(i / 7));
    const epsilon = gaussian(11, "vaeSample", 5, 8 * 8 * 4);
    const before = gpu.counters.bufferBytes;
    const engine = await StepEngine.create(gpu, plan);
    try {
      const encoded = await engine.encode(image, [size, size], epsilon);
      const wanted = { number: 5, size: [size, size] as const, prepare: async () => ({ image, mask: undefined }) };
      const [cached] = await cacheLatents(gpu, checkpoint, planVae(checkpoint, [[size, size]], gpu.tier), [wanted], 11);
      expect(encoded).toEqual(cached!.plain);
    } finally {
      engine.destroy();
    }
    expect(gpu.counters.bufferBytes).toBe(before);
  });
});

describe("masks beside pictures", () => {
  const masked = (level: number): TrainingPicture[] => pictures.map((picture) => ({ ...picture, decodeMask: async () => grey(level) }));
  const config = { ...base, masked_loss: true };

  it.skipIf(isSlowAdapter)("let nothing be learned where they are black, and everything where they are white", async () => {
    expect((await run(config, masked(0))).losses).toEqual([0, 0]);
    const white = await run(config, masked(255));
    expect(bytesOf(white.state)).toBe(bytesOf((await run(config)).state));
    // Without masked_loss they say nothing.
    expect((await run({ ...config, masked_loss: false }, masked(0))).losses).toEqual(white.losses);
  });
});
