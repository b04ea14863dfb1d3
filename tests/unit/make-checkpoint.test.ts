import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inspectFile } from "../../src/cli/inspect.ts";
import { checkpointSpecs, makeCheckpoint, runMakeCheckpoint } from "../../src/cli/make-checkpoint.ts";
import { createNodeFile, openNodeFile } from "../../src/cli/node-file.ts";
import { openSafetensors } from "../../src/formats/safetensors.ts";
import { writeLoraFile } from "../../src/lora/file.ts";
import { plainModule } from "./lora-module.ts";
import { openCheckpoint } from "../../src/models/config.ts";
import { networkBytes } from "./network-files.ts";

const real = JSON.parse(readFileSync(new URL("fixtures/ldm-key-shapes.json", import.meta.url), "utf8")) as Record<
  string,
  Record<string, number[]>
>;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lorasmith-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function digest(path: string): Promise<string> {
  return createHash("sha256").update(await readFile(path)).digest("hex");
}

test.each([
  ["sd15", "sd1"],
  ["sd21", "sd2"],
] as const)("%s would hold the tensors of a real file, in f16", (arch, family) => {
  const specs = checkpointSpecs(arch);
  expect(Object.fromEntries(specs.map(({ name, shape }) => [name, shape]))).toEqual(real[family]);
  const others = specs.filter(({ dtype }) => dtype !== "F16").map(({ name, dtype }) => `${name} ${dtype}`);
  const positionIds = "cond_stage_model.transformer.text_model.embeddings.position_ids I64";
  expect(others).toEqual(family === "sd1" ? [positionIds] : []);
});

describe.each([
  ["mini-sd15", "sd1", "epsilon"],
  ["mini-sd21", "sd2", "v_prediction"],
] as const)("%s", (arch, family, prediction) => {
  test("loads as a checkpoint, is small, and has lively finite weights", async () => {
    const out = join(folder, `${arch}.safetensors`);
    expect(await makeCheckpoint({ arch, seed: 1, out })).toBeLessThan(20e6);
    const source = await openNodeFile(out);
    const file = await openSafetensors(source);
    const checkpoint = await openCheckpoint(file);
    expect(checkpoint).toMatchObject({ family, predictionType: prediction });
    expect(checkpoint.textEncoder.vocab).toBe(49408);

    const deviation = (values: Float32Array): number =>
      Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length - mean(values) ** 2);
    const mean = (values: Float32Array): number => values.reduce((sum, v) => sum + v, 0) / values.length;
    const conv = await file.readF32("model.diffusion_model.middle_block.0.in_layers.2.weight");
    const fanIn = file.entry("model.diffusion_model.middle_block.0.in_layers.2.weight").shape[1]! * 9;
    expect(deviation(conv) * Math.sqrt(fanIn)).toBeCloseTo(1, 1);
    expect(mean(conv)).toBeCloseTo(0, 2);
    const norm = await file.readF32("model.diffusion_model.middle_block.0.in_layers.0.weight");
    expect(mean(norm)).toBeCloseTo(1, 1);
    const broken: string[] = [];
    for (const { name, dtype } of file.tensors.values()) {
      if (dtype === "F16" && !(await file.readF32(name)).every(Number.isFinite)) broken.push(name);
    }
    expect(broken).toEqual([]);
    await source.close();
  });

  test("is the same file for the same seed and another for another", async () => {
    const [a, b, c] = ["a", "b", "c"].map((name) => join(folder, `${arch}-${name}.safetensors`));
    await makeCheckpoint({ arch, seed: 7, out: a! });
    await makeCheckpoint({ arch, seed: 7, out: b! });
    await makeCheckpoint({ arch, seed: 8, out: c! });
    expect(await digest(b!)).toBe(await digest(a!));
    expect(await digest(c!)).not.toBe(await digest(a!));
  });
});

test.each([
  [["--arch", "sd99", "--out", "x"], "cli.usage"],
  [["--arch", "mini-sd15"], "cli.usage"],
  [["--arch", "mini-sd15", "--out", "x", "--seed", "-1"], "cli.usage"],
  [["--arch", "mini-sd15", "--nonsense"], "cli.usage"],
  [["--arch", "mini-sd15", "--out", "/nonexistent/folder/x"], "file.cannotWrite"],
])("make-checkpoint %j is refused with %s", async (argv, code) => {
  await expect(runMakeCheckpoint(argv)).rejects.toMatchObject({ code });
});

describe("inspect", () => {
  test("tells what a checkpoint is made of", async () => {
    const out = join(folder, "inspect.safetensors");
    await makeCheckpoint({ arch: "mini-sd21", seed: 1, out });
    const text = await inspectFile(out);
    expect(text).toMatch(/Kind +a Stable Diffusion 2 checkpoint/);
    expect(text).toMatch(/Prediction +v_prediction \(metadata modelspec.prediction_type\)/);
    expect(text).toMatch(/Text encoder +\d+ tensors, OpenCLIP, width 64, 2 of 3 layers used, 1 heads/);
    expect(text).toMatch(/UNet .*channels 64\/128, context 64, head size 64, linear projections/);
    expect(text).toMatch(/Types +F16: \d+/);
    expect(text).toContain("modelspec.title");
  });

  test("tells the ranks and the base of a LoRA, and keeps control characters off the terminal", async () => {
    const out = join(folder, "lora.safetensors");
    const module = plainModule({
      name: "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k",
      down: new Float32Array(4 * 768),
      up: new Float32Array(4),
      alpha: 1,
      rank: 4,
      in: 768,
      out: 1,
      fileRank: 2,
      kernel: 1,
    });
    const metadata = { ss_note: "\u001b[31mred", ss_long: "x".repeat(1000) };
    const sink = await createNodeFile(out);
    await sink.write(writeLoraFile({ modules: [module], metadata, savePrecision: "fp16" }));
    await sink.close();
    const text = await inspectFile(out);
    expect(text).toMatch(/Kind +a LoRA/);
    expect(text).toMatch(/Rank +4/);
    expect(text).toMatch(/Base model +Stable Diffusion 1/);
    expect(text).not.toContain("\u001b");
    expect(text).toContain("(800 more characters)");
  });

  test("tells every kind of adapter that can be applied, and what of it cannot", async () => {
    const text = await inspectFile(new URL("../reference/data/networks-lycoris.safetensors", import.meta.url).pathname);
    expect(text).toMatch(/Adapter +LoRA \+ LoHa \+ LoKr \+ full/);
    expect(text).toMatch(/Modules +10 in the UNet, 1 in the text encoder/);
    expect(text).toMatch(/Rank +1, 2, 3/);
    expect(text).toMatch(/Not applied +lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_out_0\.diff_b\n/);
  });

  test("says of a damaged adapter what is wrong, without what its names would do to a terminal", async () => {
    const out = join(folder, "half.safetensors");
    const sink = await createNodeFile(out);
    await sink.write(networkBytes([{ name: "lora_unet_\u001b[31mred.lora_down.weight", shape: [4, 8] }]));
    await sink.close();
    const text = await inspectFile(out);
    expect(text).toMatch(/Not usable +half\.safetensors lacks lora_unet_ \[31mred\.lora_up\.weight/);
  });

  test("describes a damaged checkpoint with what is wrong, and refuses what is no safetensors file", async () => {
    const sink = await createNodeFile(join(folder, "bad.safetensors"));
    await sink.write(new TextEncoder().encode("not a model at all"));
    await sink.close();
    await expect(inspectFile(join(folder, "bad.safetensors"))).rejects.toMatchObject({
      code: "safetensors.headerTooLarge",
    });
    await expect(inspectFile(join(folder, "none"))).rejects.toMatchObject({ code: "file.missing" });
    await expect(inspectFile(folder)).rejects.toMatchObject({ code: "file.notAFile" });
  });
});
