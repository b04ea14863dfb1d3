/** What the generator promises besides right numbers: repeatability, adapters, memory, tiles, stopping, refusals. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { planGeneration } from "../../src/generation/forecast.ts";
import { Generator } from "../../src/generation/generator.ts";
import { openModels } from "../../src/generation/models.ts";
import { Gpu } from "../../src/gpu/device.ts";
import { openCheckpoint } from "../../src/models/config.ts";
import { matchNetwork } from "../../src/lora/network-match.ts";
import { readNetwork } from "../../src/lora/network-reader.ts";
import { fileOf, floatTensor, openWideMini, tensorsOf, type TestTensor } from "./harness/generation-models.ts";
import { expectClose, random } from "./harness/check-op.ts";
import { openReference } from "./harness/reference-data.ts";
import { isSlowAdapter, openTestGpu } from "./harness/adapter.ts";
import type { GeneratedPicture, GenerationRequest } from "../../src/generation/request.ts";
import type { Checkpoint } from "../../src/models/checkpoint-types.ts";

const request: GenerationRequest = {
  prompt: "A photo of a cat", negative: "", seed: 7, steps: 2, cfg: 5, sampler: "euler_a", schedule: "automatic",
  width: 64, height: 64, clipSkip: 1,
};

let gpu: Gpu;
let checkpoint: Checkpoint;
beforeAll(async () => {
  gpu = await openTestGpu({ defaultLimitsOnly: true });
  checkpoint = await openWideMini("sd1");
});
afterAll(() => gpu.destroy());

const bytesOf = ({ rgba }: GeneratedPicture): string => Buffer.from(rgba).toString("base64");

describe("a generator", () => {
  let generator: Generator;
  beforeAll(async () => {
    generator = await Generator.open(gpu, { checkpoint });
  });
  afterAll(() => generator.destroy());

  it("gives the same bytes for the same seed and others for another, whatever was made between", async () => {
    const first = await generator.generate(request);
    const other = await generator.generate({ ...request, seed: 8 });
    await generator.generate({ ...request, width: 72, cfg: 1 });
    expect(bytesOf(await generator.generate(request))).toBe(bytesOf(first));
    expect(bytesOf(other)).not.toBe(bytesOf(first));
    expect(first).toMatchObject({ width: 64, height: 64, request, adapters: [] });
    expect(first.rgba.length).toBe(64 * 64 * 4);
  });

  it.skipIf(isSlowAdapter)("makes pictures one after the other when several are asked for", async () => {
    const order: number[] = [];
    const asked = [64, 72, 64].map(async (width, i) => {
      const picture = await generator.generate({ ...request, width });
      order.push(i);
      return picture;
    });
    const [first, , last] = await Promise.all(asked);
    expect(order).toEqual([0, 1, 2]);
    expect(bytesOf(last!)).toBe(bytesOf(first!));
  });

  it.skipIf(isSlowAdapter)("tells each step, with a rough picture of latent size where asked", async () => {
    const seen: [number, number, string][] = [];
    await generator.generate({ ...request, width: 72, steps: 3 }, {
      previews: true,
      onProgress: ({ step, steps, preview }) => seen.push([step, steps, `${preview?.width}x${preview?.height} ${preview?.rgba.length}`]),
    });
    expect(seen).toEqual([1, 2, 3].map((step) => [step, 3, "9x8 288"]));
    let previews = 0;
    await generator.generate(request, { onProgress: ({ preview }) => (previews += preview === undefined ? 0 : 1) });
    expect(previews).toBe(0);
  });

  it("tells how far compiling is before the first step at a new size, and nothing where all is ready", async () => {
    const drawn = async (): Promise<string[]> => {
      const seen: string[] = [];
      await generator.generate({ ...request, width: 80 }, {
        onCompile: (done, total) => seen.push(`${done}/${total}`),
        onProgress: ({ step }) => seen.push(`step ${step}`),
      });
      return seen;
    };
    const steps = ["step 1", "step 2"];
    const first = await drawn();
    const counts = first.slice(0, -steps.length);
    expect(counts.length).toBeGreaterThan(100);
    expect(counts).toEqual(counts.map((_, i) => `${i + 1}/${counts.length}`));
    expect(first.slice(counts.length)).toEqual(steps);
    expect(await drawn()).toEqual(steps);
  });

  it("stops before the next evaluation, and goes on with the next picture", async () => {
    const stop = new AbortController();
    const steps: number[] = [];
    const stopped = generator.generate({ ...request, steps: 20 }, {
      signal: stop.signal,
      onProgress: ({ step }) => {
        steps.push(step);
        if (step === 2) stop.abort();
      },
    });
    await expect(stopped).rejects.toMatchObject({ code: "cancelled" });
    expect(steps).toEqual([1, 2]);
    await expect(generator.generate(request, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "cancelled" });
    await expect(generator.generate(request)).resolves.toMatchObject({ width: 64 });
  });

  it.each<[string, Partial<GenerationRequest>, Readonly<Record<string, unknown>>]>([
    ["generation.size", { width: 60 }, { width: 60, height: 64 }],
    ["generation.size", { height: 56 }, { least: 64 }],
    ["generation.size", { width: 100 }, { multiple: 8 }],
    ["generation.cfg", { cfg: -1 }, { cfg: -1 }],
    ["generation.cfg", { cfg: Number.NaN }, {}],
    ["generation.seed", { seed: -1 }, {}],
    ["generation.seed", { seed: 2 ** 53 }, {}],
    ["sampling.steps", { steps: 0 }, { most: 1000 }],
    ["sampling.steps", { steps: 51, sampler: "lcm" }, { most: 50 }],
    ["config.clip_skip", { clipSkip: 3 }, {}],
    ["generation.unknownLora", { prompt: "<lora:nobody:1>" }, { name: "nobody", loaded: [] }],
    ["generation.unknownNetwork", { prompt: "<hypernet:old:1>" }, { tag: "<hypernet:old:1>" }],
    ["prompt.lora-weight", { prompt: "<lora:nobody:much>" }, { value: "much" }],
  ])("refuses with %s: %o", async (code, wrong, data) => {
    const before = { ...gpu.counters };
    await expect(generator.generate({ ...request, ...wrong })).rejects.toMatchObject({ code, data });
    expect(gpu.counters).toEqual(before);
  });

  it("reads prompts with unbalanced brackets as they are", async () => {
    await expect(generator.generate({ ...request, prompt: "((a cat:1.2, [dog|" })).resolves.toMatchObject({ width: 64 });
  });
});

describe("a generator's memory", () => {
  it("is what was forecast, also after a larger picture, and is given back", async () => {
    const before = gpu.counters.bufferBytes;
    const models = await openModels({ checkpoint });
    const network = matchNetwork(await readNetwork(await openReference("networks-lora.safetensors")), checkpoint);
    const generator = await Generator.open(gpu, { checkpoint });
    expect(gpu.counters.bufferBytes - before).toBe(planGeneration(models, request, gpu.tier).weightsBytes);
    for (const width of [64, 96, 64]) {
      const asked = { ...request, width };
      const forecast = planGeneration(models, asked, gpu.tier);
      expect(generator.forecast(asked)).toEqual(forecast);
      await generator.generate(asked);
      expect(gpu.counters.bufferBytes - before).toBe(forecast.peakBytes);
    }
    await generator.addAdapter(await openReference("networks-lora.safetensors"));
    const forecast = planGeneration(models, request, gpu.tier, [network]);
    await generator.generate(request, { adapters: [{ name: "networks-lora", unet: 1, textEncoder: 1 }] });
    expect(gpu.counters.bufferBytes - before).toBe(forecast.peakBytes);
    await generator.destroy();
    expect(gpu.counters.bufferBytes).toBe(before);
  });

  it("is given back when it is closed while it draws", async () => {
    const before = gpu.counters.bufferBytes;
    const generator = await Generator.open(gpu, { checkpoint });
    let closed: Promise<void> | undefined;
    const drawing = generator.generate({ ...request, steps: 20 }, { onProgress: () => void (closed ??= generator.destroy()) });
    await expect(drawing).rejects.toMatchObject({ code: "cancelled" });
    await closed;
    expect(gpu.counters.bufferBytes).toBe(before);
    await expect(generator.generate(request)).rejects.toMatchObject({ code: "cancelled" });
  });

  it("is given back when loading is stopped", async () => {
    const before = gpu.counters.bufferBytes;
    await expect(Generator.open(gpu, { checkpoint, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "cancelled" });
    expect(gpu.counters.bufferBytes).toBe(before);
  });
});

describe.skipIf(isSlowAdapter)("adapters", () => {
  let generator: Generator;
  beforeAll(async () => {
    generator = await Generator.open(gpu, { checkpoint });
    for (const name of ["networks-lora", "networks-lycoris"]) await generator.addAdapter(await openReference(`${name}.safetensors`));
  });
  afterAll(() => generator.destroy());
  const at = (name: string, unet: number, textEncoder = unet) => ({ name, unet, textEncoder });

  it("at weight 0 give the base's picture bit for bit, also after having acted", async () => {
    const base = await Generator.open(gpu, { checkpoint });
    const wanted = await base.sampleLatents(request);
    await base.destroy();
    const acted = await generator.sampleLatents(request, { adapters: [at("networks-lora", 1)] });
    const silent = await generator.sampleLatents(request, { adapters: [at("networks-lora", 0)] });
    expect(acted).not.toEqual(wanted);
    expect(silent).toEqual(wanted);
    expect(await generator.sampleLatents(request)).toEqual(wanted);
  });

  it("act by the prompt's tags on top of the given weights, and the picture says how", async () => {
    const given = await generator.generate(request, { adapters: [at("networks-lora", 0.75, 0.5), at("networks-lycoris", 0.5)] });
    const prompt = `${request.prompt}<lora:networks-lora:0.25:0.5>`;
    const tagged = await generator.generate({ ...request, prompt }, { adapters: [at("networks-lora", 0.25), at("networks-lycoris", 0.5)] });
    expect(bytesOf(tagged)).toBe(bytesOf(given));
    expect(tagged.adapters).toEqual([at("networks-lora", 0.75, 0.5), at("networks-lycoris", 0.5)]);
    const taken = await generator.generate({ ...request, prompt }, { adapters: [at("networks-lora", -0.5, -0.25)] });
    expect(taken.adapters).toEqual([]);
  });

  it("that are not loaded, or loaded twice, are refused by name", async () => {
    const unknown = generator.generate({ ...request, prompt: "<lora:smith:1>" });
    await expect(unknown).rejects.toMatchObject({
      code: "generation.unknownLora", data: { name: "smith", loaded: ["networks-lora", "networks-lycoris"] },
    });
    await expect(generator.generate({ ...request, prompt: "<lora:networks-lora:1:dyn=4>" })).rejects.toMatchObject({ code: "generation.loraRank" });
    await expect(generator.addAdapter(await openReference("networks-lora.safetensors"))).rejects.toMatchObject({ code: "generation.adapterName" });
  });

  it("can be exchanged for another under the same name, text encoder included", async () => {
    const one = await generator.sampleLatents(request, { adapters: [at("networks-lora", 0, 1)] });
    await generator.removeAdapter("networks-lora");
    const report = await generator.addAdapter(await openReference("networks-dora.safetensors"), { name: "networks-lora" });
    expect(report.name).toBe("networks-lora");
    expect(await generator.sampleLatents(request, { adapters: [at("networks-lora", 0, 1)] })).not.toEqual(one);
    await generator.removeAdapter("networks-lora");
    await generator.addAdapter(await openReference("networks-lora.safetensors"));
    expect(await generator.sampleLatents(request, { adapters: [at("networks-lora", 0, 1)] })).toEqual(one);
  });

  it("together give what a checkpoint with both merged into it gives", async () => {
    const modules = [
      ["lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q", "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn1.to_q.weight"],
      ["lora_unet_mid_block_attentions_0_transformer_blocks_0_ff_net_2", "model.diffusion_model.middle_block.1.transformer_blocks.0.ff.net.2.weight"],
      ["lora_te_text_model_encoder_layers_0_mlp_fc1", "cond_stage_model.transformer.text_model.encoder.layers.0.mlp.fc1.weight"],
    ] as const;
    const weights = [at("one", 0.8, 0.3), at("two", -0.5, 1.2)];
    const tensors = await tensorsOf(checkpoint.file);
    const next = random(5);
    const files: TestTensor[][] = [[], []];
    for (const [module, key] of modules) {
      const target = tensors.findIndex(({ name }) => name === key);
      const [out = 0, width = 0] = tensors[target]!.shape;
      const merged = await checkpoint.file.readF32(key);
      for (const [i, { unet, textEncoder }] of weights.entries()) {
        const [up, down] = [out * 2, 2 * width].map((count) => Float32Array.from({ length: count }, () => next() - 0.5));
        files[i]!.push(floatTensor(`${module}.lora_up.weight`, [out, 2], up!));
        files[i]!.push(floatTensor(`${module}.lora_down.weight`, [2, width], down!));
        files[i]!.push(floatTensor(`${module}.alpha`, [], [1]));
        const strength = (module.startsWith("lora_te") ? textEncoder : unet) * 0.5;
        for (let r = 0; r < out; r++) {
          for (let c = 0; c < width; c++) {
            merged[r * width + c]! += strength * (up![r * 2]! * down![c]! + up![r * 2 + 1]! * down![width + c]!);
          }
        }
      }
      tensors[target] = floatTensor(key, [out, width], merged);
    }
    for (const [i, { name }] of weights.entries()) await generator.addAdapter(await fileOf(`${name}.safetensors`, files[i]!));
    const both = await generator.sampleLatents(request, { adapters: weights });
    const base = await generator.sampleLatents(request);
    const whole = await Generator.open(gpu, { checkpoint: await openCheckpoint(await fileOf("merged.safetensors", tensors)) });
    const wanted = await whole.sampleLatents(request);
    await whole.destroy();
    expectClose(both, wanted, 1e-3, "merged");
    expect(() => expectClose(base, wanted, 1e-2, "base")).toThrow(/base: worst at/);
  });
});

describe.skipIf(isSlowAdapter)("the VAE", () => {
  it("may come from a file of its own", async () => {
    const own = (await tensorsOf(checkpoint.file)).filter(({ name }) => name.startsWith("first_stage_model."));
    const bare = own.map((tensor) => ({ ...tensor, name: tensor.name.replace("first_stage_model.", "") }));
    const darker = bare.map((tensor) =>
      tensor.name === "decoder.conv_out.bias" ? floatTensor(tensor.name, [3], [-1, -1, -1]) : tensor,
    );
    const draw = async (vae?: readonly TestTensor[]): Promise<GeneratedPicture> => {
      const generator = await Generator.open(gpu, { checkpoint, ...(vae && { vae: await fileOf("vae.safetensors", vae) }) });
      const picture = await generator.generate(request);
      await generator.destroy();
      return picture;
    };
    const usual = await draw();
    expect(bytesOf(await draw(bare))).toBe(bytesOf(usual));
    const sum = ({ rgba }: GeneratedPicture): number => rgba.reduce((total, value) => total + value, 0);
    expect(sum(await draw(darker))).toBeLessThan(0.9 * sum(usual));
  });

  it("decodes in tiles that agree with the whole picture, where bindings are small", async () => {
    const limits = { ...gpu.tier.limits, maxStorageBufferBindingSize: 3 * 2 ** 20 };
    const narrow = new Gpu(gpu.device, gpu.info, { ...gpu.tier, limits });
    const asked = { ...request, width: 192, height: 128 };
    const pictures: GeneratedPicture[] = [];
    const tiles: number[] = [];
    for (const on of [gpu, narrow]) {
      const generator = await Generator.open(on, { checkpoint });
      tiles.push(generator.forecast(asked).tiles);
      pictures.push(await generator.generate(asked));
      await generator.destroy();
    }
    expect(tiles[0]).toBe(1);
    expect(tiles[1]).toBeGreaterThan(1);
    const [whole, tiled] = pictures as [GeneratedPicture, GeneratedPicture];
    const distances = Array.from(whole.rgba, (value, i) => Math.abs(value - tiled.rgba[i]!));
    const mean = distances.reduce((a, b) => a + b, 0) / distances.length;
    // Norms and attention see a tile each; random weights make more of that than trained ones.
    expect(mean).toBeLessThan(6);
    expect(Math.max(...distances)).toBeLessThan(64);
  });
});
