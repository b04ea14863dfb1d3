/**
 * mixed_precision against PyTorch's own (tests/reference/make_half_replays.py: autocast, half frozen weights, GradScaler).
 * Two ways of computing in 16 bits differ in every rounding, so both are measured by how far they are from f32: ours may not
 * be farther. And the two must agree with each other.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readFile } from "node:fs/promises";
import { AdapterSet } from "../../src/lora/adapter-set.ts";
import { gaussian } from "../../src/random/rng.ts";
import { adamW, adamWDefaults } from "../../src/gpu/optimizers/adamw.ts";
import { loraTargets } from "../../src/models/names.ts";
import { initialAdapter } from "../../src/training/adapter-init.ts";
import { replay, type ReplayResult } from "../../src/training/replay.ts";
import { StepEngine, type MicroBatch, type UpdateReport } from "../../src/training/step-engine.ts";
import { planTraining } from "../../src/training/training-plan.ts";
import { isSlowAdapter, openTestGpu } from "./harness/adapter.ts";
import { openMini, openReference, referencePath } from "./harness/reference-data.ts";
import type { ActivationType } from "../../src/gpu/graph/graph.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import type { SafetensorsFile } from "../../src/formats/safetensors.ts";

interface Trajectory {
  readonly losses: readonly number[];
  readonly grad_norms: readonly number[];
}
interface HalfTrajectory extends Trajectory {
  readonly skipped?: number;
  /** How far PyTorch's is from PyTorch in f32. */
  readonly f32: { readonly loss_relative: number; readonly adapter_change_cosine: number };
}

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => gpu.destroy());

const runs = ["sd1-adamw-both-b1-accumulate-minsnr", "sd2-adamw-both-b1-v", "sd1-adamw-unet-b2-locon"];
/** Largest relative difference of a loss from f32, and the least cosine of the adapter's change with PyTorch's of the same type. */
const bounds = { fp16: { loss: 1e-3, change: 0.999 }, bf16: { loss: 5e-3, change: 0.98 } } as const;

describe.each(runs)("%s", (name) => {
  describe.each(["fp16", "bf16"] as const)("in %s", (precision) => {
    it.skipIf(isSlowAdapter)("is no farther from f32 than PyTorch's autocast, and ends where it ends", async () => {
      const read = async <T>(file: string): Promise<T> => JSON.parse(await readFile(referencePath(`replay/${name}.${file}.json`), "utf8")) as T;
      const [full, half] = [await read<Trajectory>("expected"), await read<HalfTrajectory>(precision)];
      const trace = await openReference(`replay/${name}.trace.safetensors`);
      const result = await run(name, { mixed_precision: precision });
      expect(result.losses).toHaveLength(full.losses.length);

      const loss = Math.max(...result.losses.map((value, i) => Math.abs(value / full.losses[i]! - 1)));
      const change = await changeCosine(result, trace, await openReference(`replay/${name}.expected.safetensors`));
      console.log(`${name} ${precision}: loss ${loss.toExponential(1)} (PyTorch ${half.f32.loss_relative.toExponential(1)}), change ${change.toFixed(4)} (PyTorch ${half.f32.adapter_change_cosine.toFixed(4)})`);
      expect(loss).toBeLessThan(bounds[precision].loss);
      expect(loss).toBeLessThanOrEqual(half.f32.loss_relative * 1.1);
      expect(change).toBeGreaterThanOrEqual(half.f32.adapter_change_cosine - 1e-4);
      if (name.includes("locon")) return;
      expect(await changeCosine(result, trace, await openReference(`replay/${name}.${precision}.safetensors`))).toBeGreaterThanOrEqual(bounds[precision].change);
    });
  });
});

describe("fp8_base", () => {
  it.skipIf(isSlowAdapter)("gives PyTorch's run on weights that are rounded to float8_e4m3fn", async () => {
    const [name] = runs;
    const expected = JSON.parse(await readFile(referencePath(`replay/${name}.fp8.json`), "utf8")) as Trajectory;
    const result = await run(name!, { fp8_base: true });
    result.losses.forEach((loss, i) => expect(Math.abs(loss / expected.losses[i]! - 1), `loss ${i}`).toBeLessThan(1e-4));
    result.gradNorms.forEach((norm, i) => expect(Math.abs(norm / expected.grad_norms[i]! - 1), `norm ${i}`).toBeLessThan(5e-5));
    const trace = await openReference(`replay/${name}.trace.safetensors`);
    expect(await changeCosine(result, trace, await openReference(`replay/${name}.fp8.safetensors`))).toBeGreaterThanOrEqual(0.9999);
  });
});

describe("gradient checkpointing", () => {
  it.skipIf(isSlowAdapter).each(["fp16", "bf16"])("changes not a bit in %s either", async (mixed_precision) => {
    const hashOf = async (gradient_checkpointing: boolean): Promise<string> =>
      JSON.stringify([...(await run(runs[1]!, { mixed_precision, gradient_checkpointing, max_train_steps: 3 })).weights].map(([module, factors]) => [module, Object.values(factors).map((values) => [...values])]));
    expect(await hashOf(true)).toBe(await hashOf(false));
  });
});

describe("a loss scale", () => {
  it("that overflows f16 is told, and leaves the adapter as it was", async () => {
    const { losses, isFinite, changed } = await update("f16", 2 ** 40);
    expect(losses.every(Number.isFinite)).toBe(true);
    expect(isFinite).toBe(false);
    expect(changed).toBe(false);
  });

  it.skipIf(isSlowAdapter)("is no part of clipped gradients: in f32 the update is the same bit for bit", async () => {
    const [plain, scaled] = [await update("f32", 1), await update("f32", 1024)];
    expect(scaled.gradNorm).toBe(plain.gradNorm);
    expect(scaled.weights).toBe(plain.weights);
  });
});

async function run(name: string, overrides: Readonly<Record<string, unknown>>): Promise<ReplayResult> {
  const family = name.startsWith("sd1") ? "sd1" : "sd2";
  return replay(gpu, await openMini(family), await openReference(`replay/${name}.trace.safetensors`), { overrides });
}

/** Cosine of what two runs of a trace made of its starting adapter. */
async function changeCosine(result: ReplayResult, trace: SafetensorsFile, end: SafetensorsFile): Promise<number> {
  let [dot, a, b] = [0, 0, 0];
  for (const [module, factors] of result.weights) {
    for (const [factor, values] of Object.entries(factors)) {
      const key = `${module}.${factor}`;
      const [start, wanted] = [await trace.readF32(`adapter.${key}`), await end.readF32(key)];
      values.forEach((value, i) => {
        const [x, y] = [value - start[i]!, wanted[i]! - start[i]!];
        dot += x * y;
        a += x * x;
        b += y * y;
      });
    }
  }
  return dot / Math.sqrt(a * b);
}

interface OneUpdate extends UpdateReport {
  readonly changed: boolean;
  readonly weights: string;
}

/** One update of the mini SD1's UNet. */
async function update(activations: ActivationType, lossScale: number): Promise<OneUpdate> {
  const checkpoint = await openMini("sd1");
  const shape = { batch: 2, height: 8, width: 8 };
  const settings = { rank: 4, alpha: 4, trains: { unet: true, textEncoder: false } };
  const plan = planTraining({
    checkpoint, tier: gpu.tier, activations,
    adapters: new AdapterSet(loraTargets(checkpoint), settings), optimizer: adamW(adamWDefaults),
    shapes: [shape], checkpointing: false, clipSkip: 1, lossType: "l2", accumulation: 1,
  });
  const engine = await StepEngine.create(gpu, plan);
  try {
    const start = initialAdapter(plan.options.adapters, 1);
    for (const factors of start.values()) factors["lora_up.weight"]?.set(gaussian(3, "noise", 1, factors["lora_up.weight"].length).map((value) => value * 0.05));
    engine.adapters.write("params", start);
    const read = async (): Promise<string> => JSON.stringify([...(await engine.adapters.read("params")).values()].map((factors) => Object.values(factors).map((values) => [...values])));
    const before = await read();
    const values = (stream: number, count: number): Float32Array<ArrayBuffer> => gaussian(5, "noise", stream, count);
    const batch: MicroBatch = {
      shape, x: values(0, 512), target: values(1, 512), timesteps: Int32Array.of(17, 500), lossWeights: Float32Array.of(1, 1),
      text: { context: values(2, 2 * 77 * checkpoint.unet.contextDim) },
    };
    const report = await engine.runUpdate([batch], { unet: 1e-3 }, 1, 0.01, lossScale);
    const weights = await read();
    return { ...report, weights, changed: weights !== before };
  } finally {
    engine.destroy();
  }
}
