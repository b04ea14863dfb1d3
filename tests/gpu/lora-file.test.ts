/**
 * LoRA files and other programs: what PyTorch wrote is applied here as there, and what we wrote was loaded by
 * diffusers' and peft's own loader (tests/reference/check_lora.py) with the same effect.
 */
import { readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Graph } from "../../src/gpu/graph/graph.ts";
import { AdapterSet } from "../../src/lora/adapter-set.ts";
import { writeLoraFile } from "../../src/lora/file.ts";
import { ModelBuilder } from "../../src/models/model-builder.ts";
import { loraTargets } from "../../src/models/names.ts";
import { buildTextEncoder } from "../../src/models/text-encoder.ts";
import { buildUNet, timestepEmbedding } from "../../src/models/unet.ts";
import { AdapterMemory } from "../../src/training/adapter-memory.ts";
import { loadWeights } from "../../src/models/weight-loader.ts";
import { weightShapes } from "../../src/models/forward-graphs.ts";
import { nchwToNhwc } from "../../src/training/micro-batch.ts";
import { PipelineCache } from "../../src/gpu/program/pipelines.ts";
import { planProgram } from "../../src/gpu/program/plan.ts";
import { Arena, Program } from "../../src/gpu/program/program.ts";
import { planResidents, Residents } from "../../src/gpu/program/residents.ts";
import { readLora } from "../unit/read-lora.ts";
import { expectClose } from "./harness/check-op.ts";
import { nhwcToNchw, openMini, openReference, referencePath } from "./harness/reference-data.ts";
import { isSlowAdapter, openTestGpu } from "./harness/adapter.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import type { SafetensorsFile } from "../../src/formats/safetensors.ts";

const written = "lora-written-sd1.safetensors";
const trained = "replay/sd1-adamw-both-b1-accumulate-minsnr.expected.safetensors";

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu({ defaultLimitsOnly: true });
});
afterAll(() => gpu.destroy());

// SwiftShader compiles for minutes what lavapipe checks in seconds.
describe.skipIf(isSlowAdapter)("a LoRA applied to the mini SD1 model", () => {
  it.each([
    ["lora-sd1.safetensors", "lora-sd1-golden.safetensors"],
    [written, "lora-written-sd1-golden.safetensors"],
  ])("%s gives PyTorch's UNet and text encoder outputs", async (file, goldenFile) => {
    const result = await applyLora(await openReference(file), await openReference("lora-sd1-golden.safetensors"));
    const golden = await openReference(goldenFile);
    expectClose(result.unet, await golden.readF32("lora.unet.y"), 1e-4, "UNet");
    expectClose(result.full, await golden.readF32("lora.full.y"), 1e-4, "UNet on the adapted text encoder");
    const base = await golden.readF32("base.unet.y");
    expect(result.unet.some((value, i) => Math.abs(value - base[i]!) > 1e-3), "the LoRA has an effect").toBe(true);
  });

  it("is still written byte for byte as it was when diffusers and peft loaded it", async () => {
    const source = await openReference(trained);
    const modules = (await readLora(source)).map((module) => ({ ...module, alpha: 1 }));
    const bytes = writeLoraFile({ modules, metadata: { ss_network_dim: "2", ss_network_alpha: "1.0" }, savePrecision: "float" });
    if (process.env["LORASMITH_UPDATE"] === "1") await writeFile(referencePath(written), bytes);
    expect(Buffer.compare(Buffer.from(bytes), await readFile(referencePath(written)))).toBe(0);
  });
});

/** Runs the UNet with a given context, and text encoder plus UNet, with the adapter of a kohya file. */
async function applyLora(lora: SafetensorsFile, inputs: SafetensorsFile): Promise<{ unet: Float32Array; full: Float32Array }> {
  const checkpoint = await openMini("sd1");
  const modules = await readLora(lora);
  const rank = modules[0]!.rank;
  const targets = loraTargets(checkpoint).filter(({ name }) => modules.some((module) => module.name === name));
  expect(targets.length, "every module of the file has a place").toBe(modules.length);
  const adapters = new AdapterSet(targets, { rank, alpha: modules[0]!.alpha, trains: { unet: true, textEncoder: true } });

  const [batch = 0, , height = 0, width = 0] = inputs.entry("unet.x").shape;
  const graph = new Graph();
  const b = new ModelBuilder(graph, weightShapes(checkpoint), adapters);
  const { unet } = checkpoint;
  const common = {
    x: graph.input("x", [batch, height, width, 4]),
    timestepEmbedding: graph.input("t", [batch, unet.modelChannels]),
  };
  const direct = buildUNet(b, unet, { ...common, context: graph.input("context", inputs.entry("unet.context").shape) }, false);
  const hidden = buildTextEncoder(b, checkpoint.textEncoder, graph.input("ids", [batch, 77], { dtype: "i32" }), { clipSkip: 1, checkpointing: false });
  const full = buildUNet(b, unet, { ...common, context: hidden }, false);
  graph.keep(direct);
  graph.keep(full);

  const plan = planProgram("lora", graph, gpu.tier);
  const residents = await Residents.allocate(gpu, planResidents(plan.residents, gpu.tier.limits));
  const arena = await Arena.allocate(gpu, [plan]);
  await loadWeights(gpu, checkpoint, graph.weights, residents);
  new AdapterMemory(gpu, residents, adapters).write("params", new Map(modules.map((module) => [module.name, { "lora_down.weight": new Float32Array(module.down), "lora_up.weight": new Float32Array(module.up) }])));
  const program = await Program.compile(gpu, plan, { residents, arena, pipelines: new PipelineCache(gpu) });
  residents.write("x", nchwToNhwc(await inputs.readF32("unet.x"), [batch, 4, height, width]));
  residents.write("t", timestepEmbedding(await inputs.readInts("unet.timesteps"), unet.modelChannels));
  residents.write("context", await inputs.readF32("unet.context"));
  residents.write("ids", Int32Array.from(await inputs.readInts("te.input_ids")));
  program.run();
  const read = async (tensor: typeof direct): Promise<Float32Array> => nhwcToNchw(new Float32Array(await program.readTemp(tensor)), tensor.shape);
  const result = { unet: await read(direct), full: await read(full) };
  program.destroy();
  arena.destroy();
  residents.destroy();
  return result;
}
