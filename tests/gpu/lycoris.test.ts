/**
 * LyCORIS networks as whole runs: ten updates against LyCORIS' own modules in PyTorch (tests/reference/make_lycoris_replays.py);
 * and what comes out of a run is the same after an interruption, and draws the same pictures as a file.
 */
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defaultConfig, type TrainingConfig } from "../../src/config/parameters.ts";
import { blobSource } from "../../src/formats/byte-source.ts";
import { openSafetensors } from "../../src/formats/safetensors.ts";
import { Generator } from "../../src/generation/generator.ts";
import { replay } from "../../src/training/replay.ts";
import { writeResult } from "../../src/training/result.ts";
import { describeOrigin } from "../../src/training/run-origin.ts";
import { planDataset } from "../../src/training/run-plan.ts";
import { decodeState, encodeState, type RunState } from "../../src/training/state-file.ts";
import { train } from "../../src/training/trainer.ts";
import { isSlowAdapter, openTestGpu } from "./harness/adapter.ts";
import { openWideMini } from "./harness/generation-models.ts";
import { openMini, openReference, referencePath } from "./harness/reference-data.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import type { ModuleWeights } from "../../src/lora/factors.ts";
import type { SamplePicture } from "../../src/training/events.ts";

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu({ defaultLimitsOnly: true });
});
afterAll(() => gpu.destroy());

// SwiftShader compiles for minutes what lavapipe checks in seconds; each kernel runs there in adapters.test.ts.
describe.skipIf(isSlowAdapter)("ten updates", () => {
  it.each(["sd1-loha-both", "sd1-lokr-unet", "sd2-dora-both"])("follow LyCORIS: %s", async (name) => {
    const trace = await openReference(`replay/${name}.trace.safetensors`);
    const final = await openReference(`replay/${name}.expected.safetensors`);
    const expected = JSON.parse(await readFile(referencePath(`replay/${name}.expected.json`), "utf8")) as { losses: number[]; grad_norms: number[] };
    const result = await replay(gpu, await openMini(name.startsWith("sd1") ? "sd1" : "sd2"), trace, {});
    expect(relative(result.losses, expected.losses), "losses").toBeLessThan(1e-4);
    expect(relative(result.gradNorms, expected.grad_norms), "gradient norms").toBeLessThan(3e-4);

    const [whole, change] = [[0, 0, 0], [0, 0, 0]];
    let count = 0;
    for (const [module, factors] of result.weights) {
      for (const [key, values] of Object.entries(factors)) {
        const wanted = await final.readF32(`${module}.${key}`);
        const start = await trace.readF32(`adapter.${module}.${key}`);
        values.forEach((value, i) => {
          add(whole, value, wanted[i]!);
          add(change, value - start[i]!, wanted[i]! - start[i]!);
        });
        count++;
      }
    }
    expect(count, "every tensor of LyCORIS is one of ours").toBe([...final.tensors.keys()].length);
    expect(cosine(whole)).toBeGreaterThanOrEqual(0.9999);
    expect(cosine(change), "cosine of the change").toBeGreaterThanOrEqual(0.9999);
  });

  it("are the same bit for bit with gradient checkpointing", async () => {
    const trace = await openReference("replay/sd2-dora-both.trace.safetensors");
    const finals = [];
    for (const gradient_checkpointing of [false, true]) {
      const { weights } = await replay(gpu, await openMini("sd2"), trace, { overrides: { gradient_checkpointing } });
      finals.push(bytesOf([weights]));
    }
    expect(finals[1]).toBe(finals[0]);
  });
});

const size = 64;
const pictures = [0, 1].map((i) => ({
  path: `${i}.png`,
  size: [size, size] as const,
  repeats: 1,
  caption: ["a cat", "a dog"][i]!,
  decode: async () => ({
    width: size,
    height: size,
    data: Uint8Array.from({ length: size * size * 4 }, (_, at) => (at % 4 === 3 ? 255 : (at * (3 + i) + (at >> 7) * 31) & 255)),
  }),
}));

describe.skipIf(isSlowAdapter)("a run", () => {
  it.each([
    ["LoHa with cores and DoRA", { algo: "loha", use_tucker: true, dora_wd: true, use_scalar: true, rank_dropout: 0.2, module_dropout: 0.2 }],
    ["LoKr of the attentions", { algo: "lokr", preset: "attn-mlp", factor: 4 }],
  ] as const)("of a %s ends the same after an interruption, and its file draws what its last sample was", async (_, values) => {
    const config: TrainingConfig = {
      ...defaultConfig(), resolution: [size, size], enable_bucket: false, network_module: "lycoris.kohya", network_dim: 4, network_alpha: 4,
      learning_rate: 2e-2, max_train_steps: 3, seed: 11, optimizer_type: "AdamW", sample_prompts: "a cat --s 3 --l 5 --d 7 --ss euler_a",
      sample_every_n_steps: 3, ...values,
    };
    const checkpoint = await openWideMini("sd1");
    const facts = await describeOrigin({
      checkpoint, config, dataset: { subsets: [], pictures }, plan: planDataset(pictures, config), sessionId: 1, startedAt: 0,
    });
    const samples: SamplePicture[] = [];
    const run = (stopAfter: number, resume?: RunState): Promise<RunState> =>
      train(gpu, { checkpoint, config, pictures, facts, ...(resume && { resume }) }, {
        signal: new AbortController().signal,
        phase: () => undefined,
        log: () => undefined,
        keepCheckpoint: async () => undefined,
        afterStep: async ({ step }) => (step === stopAfter ? "stop" : "continue"),
        sample: async (picture) => void samples.push(picture),
      });
    const whole = await run(9);
    const half = await decodeState(encodeState(await run(1)));
    const resumed = await run(9, half);
    expect(bytesOf([resumed.weights, ...resumed.optimizer])).toBe(bytesOf([whole.weights, ...whole.optimizer]));

    const file = await openSafetensors(blobSource(new Blob([writeResult(whole, 0)]), "trained.safetensors"));
    expect(file.metadata.get("ss_network_module")).toBe("lycoris.kohya");
    expect(JSON.parse(file.metadata.get("ss_network_args") ?? "")).toMatchObject({ algo: config.algo });
    const generator = await Generator.open(gpu, { checkpoint });
    try {
      const request = {
        prompt: "a cat", negative: "", seed: 7, steps: 3, cfg: 5, sampler: "euler_a", schedule: "automatic", width: 64, height: 64, clipSkip: 1,
      } as const;
      const untrained = await generator.generate(request);
      await generator.addAdapter(file);
      const merged = await generator.generate(request, { adapters: [{ name: "trained", unet: 1, textEncoder: 1 }] });
      // Merging rounds the weights to f16, what the run makes of its factors it does not.
      const close = difference(samples[0]!.rgba, merged.rgba);
      expect(close).toBeLessThan(0.5);
      expect(difference(samples[0]!.rgba, untrained.rgba), "the adapter shows").toBeGreaterThan(10 * close);
    } finally {
      await generator.destroy();
    }
  });
});

function relative(values: readonly number[], wanted: readonly number[]): number {
  expect(values.length).toBe(wanted.length);
  return Math.max(...values.map((value, i) => Math.abs(value / wanted[i]! - 1)));
}

/** Sums of products for a cosine: [a · b, a · a, b · b]. */
function add(sums: number[], a: number, b: number): void {
  [a * b, a * a, b * b].forEach((product, i) => (sums[i]! += product));
}

function cosine([ab = 0, aa = 0, bb = 0]: readonly number[]): number {
  return ab / Math.sqrt(aa * bb);
}

function bytesOf(banks: readonly ReadonlyMap<string, ModuleWeights>[]): string {
  return JSON.stringify(banks.map((bank) => [...bank].map(([name, factors]) => [name, ...Object.values(factors).map((values) => [...values])])));
}

/** Mean difference of two pictures. */
function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i]! - b[i]!);
  return sum / a.length;
}
