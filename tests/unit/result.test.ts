import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { suggestedConfig } from "../../src/config/parameters.ts";
import { blobSource } from "../../src/formats/byte-source.ts";
import { encodeSafetensors } from "../../src/formats/safetensors-writer.ts";
import { openTensorFile } from "../../src/formats/open-tensor-file.ts";
import { openSafetensors } from "../../src/formats/safetensors.ts";
import type { SafetensorsFile } from "../../src/formats/safetensors.ts";
import { describeOrigin } from "../../src/training/run-origin.ts";
import { writeResult } from "../../src/training/result.ts";
import { planDataset } from "../../src/training/run-plan.ts";
import type { RunState } from "../../src/training/state-file.ts";
import { readLora } from "./read-lora.ts";

const config = { ...suggestedConfig(), network_dim: 2, network_alpha: 0, seed: null, save_precision: null };

const pictures = [
  { path: "set/3_cat/a.png", size: [512, 512] as const, repeats: 3, caption: "Cat, sitting" },
  { path: "set/3_cat/b.png", size: [512, 512] as const, repeats: 3, caption: "cat" },
  { path: "set/1_dog/c.png", size: [640, 384] as const, repeats: 1, caption: "dog" },
];
const subset = (dir: string, classTokens: string, repeats: number) => ({
  dir,
  classTokens,
  repeats,
  hasRepeatsPrefix: true,
  isReg: false,
  images: pictures.filter(({ path }) => path.startsWith(dir)).map(({ path, caption }) => ({ path, caption, captionPath: null })),
});
const dataset = { subsets: [subset("set/1_dog", "dog", 1), subset("set/3_cat", "cat", 3)], pictures };

const base = encodeSafetensors([{ name: "x", dtype: "F32", shape: [300_000], data: new Uint8Array(1_200_000).fill(7) }], {});

async function origin() {
  const file = await openBytes(base, "base.safetensors");
  const plan = planDataset(pictures, config);
  return describeOrigin({ checkpoint: { file, family: "sd1" }, config, dataset, plan, sessionId: 5, startedAt: 1000 });
}

function openBytes(bytes: Uint8Array<ArrayBuffer>, name = "lora"): Promise<SafetensorsFile> {
  return openSafetensors(blobSource(new Blob([bytes]), name));
}

interface SavedFile { dtype: string; data: string; sshs_model_hash: string; stay_nan: boolean[] }
const saving = JSON.parse(readFileSync(new URL("fixtures/saving.json", import.meta.url), "utf8")) as {
  hard: number[]; not_numbers: number[]; files: Record<"none" | "float" | "fp16" | "bf16", SavedFile>;
};
const floats = (bits: readonly number[]): Float32Array<ArrayBuffer> => new Float32Array(Uint32Array.from(bits).buffer);

/** One module of those weights. */
async function stateOf(down: Float32Array<ArrayBuffer>, up: Float32Array<ArrayBuffer>, rank: number): Promise<RunState> {
  const factors = [
    { key: "lora_down.weight", shape: [rank, down.length / rank] },
    { key: "lora_up.weight", shape: [up.length / rank, rank] },
  ];
  const weights = new Map([["lora_unet_a", { "lora_down.weight": down, "lora_up.weight": up }]]);
  return { ...(await state()), modules: [{ name: "lora_unet_a", alpha: 0.3, factors }], weights };
}

async function state(): Promise<RunState> {
  const weights = new Map([["lora_unet_a", { "lora_down.weight": Float32Array.of(1, 2, 3, 4, 5, 6), "lora_up.weight": Float32Array.of(7, 8, 9, 10) }]]);
  const factors = [{ key: "lora_down.weight", shape: [2, 3, 1, 1] }, { key: "lora_up.weight", shape: [2, 2, 1, 1] }];
  const modules = [{ name: "lora_unet_a", alpha: 2, factors }];
  return { update: 8, seed: 77, config, facts: await origin(), modules, weights, optimizer: [], kept: new Map() };
}

describe("describeOrigin", () => {
  test("counts pictures with repeats, and folders and tags without", async () => {
    const facts = await origin();
    expect(facts.numTrainImages).toBe(7);
    expect(facts.dataset.dirs).toEqual({ "1_dog": { repeats: 1, images: 1 }, "3_cat": { repeats: 3, images: 2 } });
    expect(facts.dataset.tagFrequency).toEqual({ "1_dog": { dog: 1 }, "3_cat": { cat: 2, sitting: 1 } });
    expect(facts).toMatchObject({ family: "sd1", predictionType: "epsilon", numBatchesPerEpoch: 7, numEpochs: 10, maxTrainSteps: 70 });
  });

  test("counts regularization pictures and their folders apart, before they are balanced", async () => {
    const file = await openBytes(base);
    const reg = { path: "reg/2_animal/r.png", size: [512, 512] as const, repeats: 2, caption: "animal", isReg: true };
    const regSubset = { ...subset("reg/2_animal", "animal", 2), isReg: true, images: [{ ...reg, captionPath: null }] };
    const withReg = { subsets: [...dataset.subsets, regSubset], pictures: [...pictures, reg] };
    const plan = planDataset(withReg.pictures, config);
    const facts = await describeOrigin({ checkpoint: { file, family: "sd1" }, config, dataset: withReg, plan, sessionId: 5, startedAt: 1 });
    expect(facts).toMatchObject({ numTrainImages: 7, numRegImages: 2, numBatchesPerEpoch: 14 });
    expect(facts.dataset.regDirs).toEqual({ "2_animal": { repeats: 2, images: 1 } });
    expect(Object.keys(facts.dataset.dirs)).toEqual(["1_dog", "3_cat"]);
    expect(facts.dataset.tagFrequency["2_animal"]).toEqual({ animal: 1 });
  });

  test("names the base model with the web UI's short hash", async () => {
    const expected = createHash("sha256").update(base.subarray(0x100000, 0x110000)).digest("hex").slice(0, 8);
    expect((await origin()).model).toEqual({ name: "base.safetensors", hash: expected });
  });

  test("tells the prediction type that is trained, not the one that was detected", async () => {
    const file = await openBytes(base);
    const v = { ...config, v_parameterization: true };
    const facts = await describeOrigin({
      checkpoint: { file, family: "sd2" }, config: v, dataset, plan: planDataset(pictures, v), sessionId: 5, startedAt: 1,
    });
    expect(facts.predictionType).toBe("v_prediction");
  });
});

describe("writeResult", () => {
  test("writes the factors, and alpha 0 as the rank that it means", async () => {
    const file = await openBytes(writeResult(await state(), 1234.5));
    expect(file.entry("lora_unet_a.lora_down.weight")).toMatchObject({ dtype: "F32", shape: [2, 3, 1, 1] });
    const [module] = await readLora(file);
    expect(module).toMatchObject({ name: "lora_unet_a", alpha: 2, rank: 2 });
    expect([...module!.down]).toEqual([1, 2, 3, 4, 5, 6]);
    expect([...module!.up]).toEqual([7, 8, 9, 10]);
  });

  test("says where the run stood: steps, epoch, and the seed that was drawn", async () => {
    const { metadata } = await openBytes(writeResult(await state(), 1234.5));
    expect(metadata.get("ss_steps")).toBe("8");
    expect(metadata.get("ss_epoch")).toBe("2");
    expect(metadata.get("ss_seed")).toBe("77");
    expect(metadata.get("ss_network_alpha")).toBe("0.0");
    expect(metadata.get("ss_training_finished_at")).toBe("1234.5");
  });

  test("calls the epoch of a file on the way what the schedule of such files says", async () => {
    const { metadata } = await openBytes(writeResult(await state(), 1, 0));
    expect([metadata.get("ss_epoch"), metadata.get("ss_steps")]).toEqual(["0", "8"]);
  });

  test.each(["none", "float", "fp16", "bf16"] as const)("rounds as PyTorch does with save_precision %s, and hashes what it wrote", async (name) => {
    const { dtype, data, sshs_model_hash: hash, stay_nan: areNan } = saving.files[name];
    const save_precision = name === "none" ? null : name;
    const write = (run: RunState) => writeResult({ ...run, config: { ...config, save_precision } }, 1);
    const bytes = write(await stateOf(floats(saving.hard), floats(saving.hard.toReversed()), 3));
    const file = await openBytes(bytes);
    const dtypes = { "torch.float32": "F32", "torch.float16": "F16", "torch.bfloat16": "BF16" };
    expect([...file.tensors.values()].map((entry) => entry.dtype)).toEqual(Array(3).fill(dtypes[dtype as keyof typeof dtypes]));
    const headerBytes = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(Buffer.from(bytes.subarray(headerBytes)).toString("base64")).toBe(data);
    expect(file.metadata.get("sshs_model_hash")).toBe(hash);
    // What is no number stays none; which one it is, processors decide.
    const broken = await openBytes(write(await stateOf(floats(saving.not_numbers), floats(saving.not_numbers), 2)));
    expect([...(await broken.readF32("lora_unet_a.lora_down.weight"))].map(Number.isNaN)).toEqual(areNan);
  });

  test.each(["pt", "ckpt"] as const)("follows save_model_as %s, of a LoRA and of an embedding", async (save_model_as) => {
    const run = { ...(await state()), config: { ...config, save_model_as } };
    const lora = await openTensorFile(blobSource(new Blob([writeResult(run, 1)]), "a"));
    expect([...lora.tensors.keys()]).toEqual(["lora_unet_a.alpha", "lora_unet_a.lora_down.weight", "lora_unet_a.lora_up.weight"]);
    const words = { width: 2, vectors: Float32Array.of(1, 2), optimizer: [] };
    const embedding = await openTensorFile(blobSource(new Blob([writeResult({ ...run, words }, 1)]), "a"));
    expect([...embedding.tensors.keys()]).toEqual(["string_to_param.*"]);
    expect(embedding.metadata.get("step")).toBe("8");
    expect(embedding.metadata.get("sd_checkpoint_name")).toBe("base");
  });
});
