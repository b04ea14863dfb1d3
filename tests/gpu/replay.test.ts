/**
 * Replays of ten to twenty updates against PyTorch's trajectory (tests/reference/make_replays.py). Losses alone would not notice
 * a missing weight decay or clip, so gradient norms and the adapter's change from its start are compared as well.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readFile } from "node:fs/promises";
import { replay } from "../../src/training/replay.ts";
import { openMini, openReference, referencePath } from "./harness/reference-data.ts";
import { isSlowAdapter, openTestGpu } from "./harness/adapter.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import type { ModuleWeights } from "../../src/lora/factors.ts";

interface Expected {
  readonly losses: readonly number[];
  readonly grad_norms: readonly number[];
}

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => gpu.destroy());

const traces = [
  "sd1-adamw-unet-b1-cosine",
  "sd1-lion-both-b3",
  "sd1-adamw-both-b1-accumulate-minsnr",
  "sd1-adamw-text-b1",
  "sd2-adamw-both-b1-v",
  "sd2-lion-unet-b3",
  "sd2-adamw-unet-b3-v-minsnr",
  "sd1-adamw-unet-b2-locon",
];

/** SwiftShader takes about a minute for each: there one trace with text encoder, momentum signs and batches is enough. */
/** With checkpointing, which has all the kernels of a run without. */
const onSlowAdapters = ["sd1-lion-both-b3"];

const finals = new Map<string, string>();

describe.each(traces)("%s", (name) => {
  describe.each([false, true])("gradient checkpointing %s", (checkpointing) => {
    it.skipIf(isSlowAdapter && !(checkpointing && onSlowAdapters.includes(name)))("follows PyTorch", async () => {
      const family = name.startsWith("sd1") ? "sd1" : "sd2";
      const trace = await openReference(`replay/${name}.trace.safetensors`);
      const expected = JSON.parse(await readFile(referencePath(`replay/${name}.expected.json`), "utf8")) as Expected;
      const final = await openReference(`replay/${name}.expected.safetensors`);
      const result = await replay(gpu, await openMini(family), trace, { overrides: { gradient_checkpointing: checkpointing } });

      expect(result.losses).toHaveLength(expected.losses.length);
      result.losses.forEach((loss, i) => {
        expect(Math.abs(loss / expected.losses[i]! - 1), `loss ${i}: ${loss} vs ${expected.losses[i]}`).toBeLessThan(1e-4);
      });
      const normTolerance = name.includes("lion") ? 3e-4 : 5e-5;
      result.gradNorms.forEach((norm, i) => {
        expect(Math.abs(norm / expected.grad_norms[i]! - 1), `norm ${i}: ${norm} vs ${expected.grad_norms[i]}`).toBeLessThan(normTolerance);
      });

      const [whole, change] = [new Similarity(), new Similarity()];
      for (const [module, factors] of result.weights) {
        for (const [factor, values] of Object.entries(factors)) {
          const key = `${module}.${factor}`;
          const wanted = await final.readF32(key);
          const start = await trace.readF32(`adapter.${key}`);
          values.forEach((value, i) => {
            whole.add(value, wanted[i]!);
            change.add(value - start[i]!, wanted[i]! - start[i]!);
          });
        }
      }
      expect(whole.cosine).toBeGreaterThanOrEqual(0.9999);
      expect(change.cosine, "cosine of the change").toBeGreaterThanOrEqual(name.includes("lion") ? 0.999 : 0.9999);
      expect(Math.abs(change.ratio - 1), "length of the change").toBeLessThan(1e-3);

      // Recomputation runs the same kernels on the same values: not a bit may differ.
      const bytes = hashes(result.weights);
      const first = finals.get(name) ?? bytes;
      finals.set(name, first);
      expect(bytes).toBe(first);
    });
  });
});

describe("dropout", () => {
  it.skipIf(isSlowAdapter)("follows from seed and micro-batch alone, also where activations are computed again", async () => {
    const trace = await openReference("replay/sd1-adamw-unet-b2-locon.trace.safetensors");
    const checkpoint = await openMini("sd1");
    const run = async (overrides: object): Promise<{ bytes: string; losses: readonly number[] }> => {
      const { weights, losses } = await replay(gpu, checkpoint, trace, { overrides: { ...overrides } });
      return { bytes: hashes(weights), losses };
    };
    const rates = { network_dropout: 0.1, network_args: ["conv_dim=3", "conv_alpha=2", "rank_dropout=0.2", "module_dropout=0.2"], seed: 5 };
    const first = await run(rates);
    expect((await run({ ...rates, gradient_checkpointing: true })).bytes).toBe(first.bytes);
    const plain = await run({ seed: 5 });
    const none = await run({ seed: 5, network_dropout: 0, rank_dropout: 0, module_dropout: 0 });
    expect(none.bytes).toBe(plain.bytes);
    expect(plain.losses[0]).not.toBe(first.losses[0]);
    expect((await run({ ...rates, seed: 6 })).losses[0]).not.toBe(first.losses[0]);
  });
});

class Similarity {
  #dot = 0;
  #a = 0;
  #b = 0;
  add(a: number, b: number): void {
    this.#dot += a * b;
    this.#a += a * a;
    this.#b += b * b;
  }
  get cosine(): number {
    return this.#dot / Math.sqrt(this.#a * this.#b);
  }
  get ratio(): number {
    return Math.sqrt(this.#a / this.#b);
  }
}

function hashes(weights: ReadonlyMap<string, ModuleWeights>): string {
  return [...weights].map(([module, factors]) => `${module} ${Object.values(factors).map(hash).join(" ")}`).join("\n");
}

/** FNV-1a over the bits. */
function hash(values: Float32Array): number {
  let h = 0x811c9dc5;
  for (const byte of new Uint8Array(values.buffer, values.byteOffset, values.byteLength)) h = Math.imul(h ^ byte, 0x01000193) >>> 0;
  return h;
}
