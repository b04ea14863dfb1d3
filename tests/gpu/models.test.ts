/** UNet, text encoders, VAE encoder and every adapter gradient against PyTorch (tests/reference/make_goldens.py). */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Graph } from "../../src/gpu/graph/graph.ts";
import { ModelBuilder } from "../../src/models/model-builder.ts";
import { buildUNet, timestepEmbedding } from "../../src/models/unet.ts";
import { AdapterSet } from "../../src/lora/adapter-set.ts";
import type { ModuleWeights } from "../../src/lora/factors.ts";
import { loraTargets } from "../../src/models/names.ts";
import { adamW, adamWDefaults } from "../../src/gpu/optimizers/adamw.ts";
import { openForward, planForward, variantOf } from "../../src/training/forward-plan.ts";
import { buildDecodeGraph, buildTextGraph, buildVaeGraph, names, weightShapes } from "../../src/models/forward-graphs.ts";
import { nchwToNhwc } from "../../src/training/micro-batch.ts";
import { planTraining } from "../../src/training/training-plan.ts";
import { StepEngine } from "../../src/training/step-engine.ts";
import { expectClose } from "./harness/check-op.ts";
import { nhwcToNchw, openMini, openReference } from "./harness/reference-data.ts";
import { openTestGpu } from "./harness/adapter.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import type { Checkpoint } from "../../src/models/checkpoint-types.ts";
import type { SafetensorsFile } from "../../src/formats/safetensors.ts";

const tolerance = 1e-4;

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu({ defaultLimitsOnly: true });
});
afterAll(() => gpu.destroy());

describe.each(["sd1", "sd2"] as const)("%s", (family) => {
  let checkpoint: Checkpoint;
  let golden: SafetensorsFile;
  beforeAll(async () => {
    checkpoint = await openMini(family);
    golden = await openReference(`golden-${family}.safetensors`);
  });

  it.each(["unet", "unet_wide", "unet_odd"])("computes the UNet's output as diffusers does (%s)", async (name) => {
    const [batch = 0, , height = 0, width = 0] = golden.entry(`${name}.x`).shape;
    const graph = new Graph();
    const b = new ModelBuilder(graph, weightShapes(checkpoint));
    const { unet } = checkpoint;
    const inputs = {
      x: graph.input("x", [batch, height, width, 4]),
      timestepEmbedding: graph.input("t", [batch, unet.modelChannels]),
      context: graph.input("context", golden.entry(`${name}.context`).shape),
    };
    const y = buildUNet(b, unet, inputs, false);
    graph.keep(y);
    const plan = planForward([{ key: "unet", graph, result: y }], gpu.tier);
    const runner = await openForward(gpu, checkpoint, plan);
    const result = await runner.run(variantOf(plan, "unet"), {
      x: nchwToNhwc(await golden.readF32(`${name}.x`), [batch, 4, height, width]),
      t: timestepEmbedding(await golden.readInts(`${name}.timesteps`), unet.modelChannels),
      context: await golden.readF32(`${name}.context`),
    });
    runner.destroy();
    expectClose(nhwcToNchw(result, y.shape), await golden.readF32(`${name}.y`), tolerance, name);
  });

  it("computes the text encoder's hidden states as transformers does", async () => {
    const [batch = 0] = golden.entry("te.input_ids").shape;
    const { graph, hidden } = buildTextGraph(checkpoint, batch, 1);
    const plan = planForward([{ key: "te", graph, result: hidden }], gpu.tier);
    const runner = await openForward(gpu, checkpoint, plan);
    const result = await runner.run(variantOf(plan, "te"), { [names.ids]: Int32Array.from(await golden.readInts("te.input_ids")) });
    runner.destroy();
    expectClose(result, await golden.readF32("te.hidden"), tolerance, "hidden");
  });

  it.each(["vae", "vae_wide"])("encodes pictures as the VAE of diffusers does (%s)", async (name) => {
    const [, , height = 0, width = 0] = golden.entry(`${name}.image`).shape;
    const { graph, moments } = buildVaeGraph(checkpoint, height, width);
    const plan = planForward([{ key: "vae", graph, result: moments }], gpu.tier);
    const runner = await openForward(gpu, checkpoint, plan);
    const rgb = nchwToNhwc(await golden.readF32(`${name}.image`), [1, 3, height, width]);
    const image = new Float32Array((rgb.length / 3) * 4);
    for (let i = 0; i < rgb.length; i++) image[Math.floor(i / 3) * 4 + (i % 3)] = rgb[i]!;
    const result = await runner.run(variantOf(plan, "vae"), { [names.image]: image });
    runner.destroy();
    expectClose(nhwcToNchw(result, moments.shape), await golden.readF32(`${name}.moments`), tolerance, name);
  });

  it("decodes latents as the VAE of diffusers does", async () => {
    const [, , height = 0, width = 0] = golden.entry("vae_decode.z").shape;
    const { graph, image } = buildDecodeGraph(checkpoint, height, width);
    const plan = planForward([{ key: "decode", graph, result: image }], gpu.tier);
    const runner = await openForward(gpu, checkpoint, plan);
    const result = await runner.run(variantOf(plan, "decode"), { [names.latents]: nchwToNhwc(await golden.readF32("vae_decode.z"), [1, 4, height, width]) });
    runner.destroy();
    const rgb = nhwcToNchw(result, image.shape).subarray(0, (result.length / 4) * 3);
    expectClose(rgb, await golden.readF32("vae_decode.image"), tolerance, "picture");
    expect(nhwcToNchw(result, image.shape).subarray(rgb.length).every((value) => value === 0), "the padding stays empty").toBe(true);
  });

  it.each([false, true])("gives PyTorch's loss and adapter gradients by name, gradient checkpointing %s", async (checkpointing) => {
    const [batch = 0, , height = 0, width = 0] = golden.entry("train.latents").shape;
    const shape = { batch, height, width };
    const loaded = new Map<string, ModuleWeights>();
    let alpha = 0;
    let rank = 0;
    for (const target of loraTargets(checkpoint)) {
      const down = await golden.readF32(`adapter.${target.name}.lora_down.weight`);
      loaded.set(target.name, { "lora_down.weight": down, "lora_up.weight": await golden.readF32(`adapter.${target.name}.lora_up.weight`) });
      alpha = (await golden.readF32(`adapter.${target.name}.alpha`))[0]!;
      rank = down.length / target.in;
    }
    const adapters = new AdapterSet(loraTargets(checkpoint), { rank, alpha, trains: { unet: true, textEncoder: true } });
    const plan = planTraining({
      checkpoint,
      tier: gpu.tier,
      adapters,
      optimizer: adamW(adamWDefaults),
      shapes: [shape],
      checkpointing,
      clipSkip: 1,
      lossType: "l2",
      accumulation: 1,
    });
    const engine = await StepEngine.create(gpu, plan);
    engine.adapters.write("params", loaded);
    const size = [batch, 4, height, width] as const;
    const { losses } = await engine.runMicroBatches([
      {
        shape,
        x: nchwToNhwc(await golden.readF32("train.noisy"), size),
        target: nchwToNhwc(await golden.readF32("train.target"), size),
        timesteps: await golden.readInts("train.timesteps"),
        lossWeights: new Float32Array(batch).fill(1),
        text: { ids: Int32Array.from(await golden.readInts("train.input_ids")) },
      },
    ]);
    const expectedLoss = (await golden.readF32("train.loss"))[0]!;
    expect(Math.abs(losses[0]! / expectedLoss - 1)).toBeLessThan(tolerance);
    const gradients = await engine.adapters.read("grads");
    engine.destroy();
    expect(gradients.size).toBe(loaded.size);
    for (const [name, factors] of gradients) {
      for (const [key, values] of Object.entries(factors)) {
        expectClose(values, await golden.readF32(`grad.${name}.${key}`), tolerance, `${name}.${key}`);
      }
    }
  });
});
