import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { openNodeFile } from "../../src/cli/node-file.ts";
import { LorasmithError } from "../../src/errors.ts";
import { blobSource } from "../../src/formats/byte-source.ts";
import type { Dtype } from "../../src/formats/dtypes.ts";
import { openSafetensors } from "../../src/formats/safetensors.ts";
import type { Metadata } from "../../src/formats/safetensors-writer.ts";
import { encodeSafetensors } from "../../src/formats/safetensors-writer.ts";
import { openCheckpoint } from "../../src/models/config.ts";
import { checkpointShapes, recipes } from "../../src/models/layout.ts";
import { sparseFile, specsOf } from "./sparse-file.ts";

type ShapeMap = Map<string, readonly number[]>;

const real = JSON.parse(readFileSync(new URL("fixtures/ldm-key-shapes.json", import.meta.url), "utf8")) as Record<
  "sd1" | "sd2",
  Record<string, number[]>
>;

async function open(shapes: Iterable<readonly [string, readonly number[]]>, metadata?: Metadata) {
  return openCheckpoint(await sparseFile(specsOf(shapes), metadata));
}

async function errorOf(shapes: Iterable<readonly [string, readonly number[]]>, metadata?: Metadata) {
  const result: unknown = await open(shapes, metadata).catch((error: unknown) => error);
  if (!(result instanceof LorasmithError)) throw new Error(`no typed error but ${String(result)}`);
  return result;
}

const unet = "model.diffusion_model";
const mini1 = (): ShapeMap => checkpointShapes(recipes["mini-sd15"]);
const mini2 = (): ShapeMap => checkpointShapes(recipes["mini-sd21"]);

function renamed(shapes: ShapeMap, from: string | RegExp, to: string): [string, readonly number[]][] {
  return [...shapes].map(([key, shape]) => [key.replace(from, to), shape]);
}

describe("a real checkpoint's configuration", () => {
  test("SD1 is recognized from its keys and shapes", async () => {
    const checkpoint = await open(Object.entries(real.sd1));
    expect(checkpoint).toMatchObject({ family: "sd1", predictionType: "epsilon", predictionSource: "default" });
    expect(checkpoint.keys.size).toBe(686 + 248 + 196);
    expect(checkpoint.unet).toMatchObject({
      modelChannels: 320,
      timeEmbedDim: 1280,
      inChannels: 4,
      outChannels: 4,
      contextDim: 768,
      linearProjection: false,
      headRule: { heads: 8 },
    });
    const describeBlock = (layers: readonly { kind: string; cin: number; cout: number }[]): string =>
      layers.map(({ kind, cin, cout }) => `${kind} ${cin}>${cout}`).join(", ");
    expect(checkpoint.unet.inputBlocks.map(({ layers }) => describeBlock(layers))).toEqual([
      "conv 4>320",
      "res 320>320, transformer 320>320",
      "res 320>320, transformer 320>320",
      "down 320>320",
      "res 320>640, transformer 640>640",
      "res 640>640, transformer 640>640",
      "down 640>640",
      "res 640>1280, transformer 1280>1280",
      "res 1280>1280, transformer 1280>1280",
      "down 1280>1280",
      "res 1280>1280",
      "res 1280>1280",
    ]);
    expect(describeBlock(checkpoint.unet.middleBlock.layers)).toBe(
      "res 1280>1280, transformer 1280>1280, res 1280>1280",
    );
    expect(checkpoint.unet.outputBlocks.map(({ layers }) => describeBlock(layers))).toEqual([
      "res 2560>1280",
      "res 2560>1280",
      "res 2560>1280, up 1280>1280",
      "res 2560>1280, transformer 1280>1280",
      "res 2560>1280, transformer 1280>1280",
      "res 1920>1280, transformer 1280>1280, up 1280>1280",
      "res 1920>640, transformer 640>640",
      "res 1280>640, transformer 640>640",
      "res 960>640, transformer 640>640, up 640>640",
      "res 960>320, transformer 320>320",
      "res 640>320, transformer 320>320",
      "res 640>320, transformer 320>320",
    ]);
    expect(checkpoint.unet.outputBlocks[2]!.layers[1]!.prefix).toBe(`${unet}.output_blocks.2.1.conv`);
    expect(checkpoint.unet.inputBlocks[1]!.layers[1]).toMatchObject({ heads: 8, headDim: 40, depth: 1 });
    expect(checkpoint.textEncoder).toMatchObject({
      layout: "hf",
      width: 768,
      layers: 12,
      layersUsed: 12,
      heads: 12,
      mlp: 3072,
      vocab: 49408,
      positions: 77,
      activation: "quick_gelu",
    });
    expect(checkpoint.vae).toMatchObject({
      ch: 128,
      chMult: [1, 2, 4, 4],
      numResBlocks: 2,
      zChannels: 4,
      embedDim: 4,
      scaleFactor: 0.18215,
    });
  });

  test("SD2 is recognized from its keys and shapes", async () => {
    const checkpoint = await open(Object.entries(real.sd2));
    expect(checkpoint).toMatchObject({ family: "sd2" });
    expect(checkpoint.unet).toMatchObject({ contextDim: 1024, linearProjection: true, headRule: { headDim: 64 } });
    expect(checkpoint.unet.inputBlocks[8]!.layers[1]).toMatchObject({ heads: 20, headDim: 64 });
    expect(checkpoint.textEncoder).toMatchObject({
      layout: "openclip",
      width: 1024,
      layers: 24,
      layersUsed: 23,
      heads: 16,
      mlp: 4096,
      activation: "gelu",
    });
  });

  test.each(["mini-sd1", "mini-sd2"])("the checkpoint %s that PyTorch wrote is recognized", async (name) => {
    const file = await openNodeFile(new URL(`../reference/data/${name}.safetensors`, import.meta.url).pathname);
    const checkpoint = await openCheckpoint(await openSafetensors(file));
    expect(checkpoint.family).toBe(name.slice("mini-".length));
    expect(checkpoint.textEncoder.heads).toBe(1);
    await file.close();
  });
});

describe("variants of the layout", () => {
  const textModel = "cond_stage_model.transformer.text_model.";

  test.each<[string, [string, readonly number[]][]]>([
    ["SD1 text keys without text_model", renamed(mini1(), textModel, "cond_stage_model.transformer.")],
    ["a UNet without its prefix", renamed(mini1(), `${unet}.`, "")],
    ["SD2 in the sgm layout", renamed(mini2(), "cond_stage_model.", "conditioner.embedders.0.")],
    [
      "EMA copies and schedule buffers",
      [...mini1(), ["model_ema.diffusion_modelout2bias", [4]], ["alphas_cumprod", [1000]], ["betas", [1000]]],
    ],
  ])("%s: loads with standard keys", async (_, shapes) => {
    const family = shapes.some(([key]) => key.includes("resblocks")) ? "sd2" : "sd1";
    const checkpoint = await open(shapes);
    expect(checkpoint.family).toBe(family);
    const standard = await open(family === "sd1" ? mini1() : mini2());
    expect([...checkpoint.keys.keys()].sort()).toEqual([...standard.keys.keys()].sort());
    const fileKeys = new Set(shapes.map(([key]) => key));
    expect([...checkpoint.keys.values()].filter((key) => !fileKeys.has(key))).toEqual([]);
  });

  test("a model pruned of its middle block and of a transformer follows its keys", async () => {
    const pruned = [...mini1()].filter(
      ([key]) => !key.startsWith(`${unet}.middle_block.`) && !key.startsWith(`${unet}.input_blocks.3.1.`),
    );
    const { unet: config } = await open(pruned);
    expect(config.middleBlock.layers).toEqual([]);
    expect(config.inputBlocks[3]!.layers.map(({ kind }) => kind)).toEqual(["res"]);
  });

  test("a model without a VAE, or with only its encoder, loads", async () => {
    const without = [...mini1()].filter(([key]) => !key.startsWith("first_stage_model."));
    expect((await open(without)).vae).toBeUndefined();
    const encoderOnly = [...mini1()].filter(
      ([key]) => !/^first_stage_model\.(decoder|post_quant_conv)\./.test(key),
    );
    const full = (await open(mini1())).vae!;
    expect((await open(encoderOnly)).vae).toEqual({ ...full, hasDecoder: false });
  });

  test("metadata overrides the head size", async () => {
    const { unet: config } = await open(mini1(), { "lorasmith.head_dim": "16" });
    expect(config.inputBlocks[1]!.layers[1]).toMatchObject({ heads: 2, headDim: 16 });
    expect(await errorOf(mini1(), { "lorasmith.head_dim": "x" })).toMatchObject({ code: "checkpoint.override" });
    expect(await errorOf(mini1(), { "lorasmith.heads": "5" })).toMatchObject({ code: "checkpoint.heads" });
  });
});

describe("the prediction type", () => {
  test("is taken from the metadata", async () => {
    const v = await open(mini1(), { "modelspec.prediction_type": "v" });
    expect(v).toMatchObject({ predictionType: "v_prediction", predictionSource: "metadata modelspec.prediction_type" });
    const epsilon = await open(mini2(), { "modelspec.prediction_type": "epsilon" });
    expect(epsilon.predictionType).toBe("epsilon");
  });

  test.each([
    [0.1, "v_prediction"],
    [0.08, "epsilon"],
  ])("of SD2 follows the spread %f of one norm's biases: %s", async (spread, expected) => {
    const telling = `${unet}.output_blocks.11.1.transformer_blocks.0.norm1.bias`;
    const shapes = checkpointShapes({
      ...recipes["mini-sd21"],
      unet: { ...recipes["mini-sd21"].unet, numResBlocks: 2 },
    });
    const tensors = [...shapes].map(([name, shape]) => {
      const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
      if (name === telling) values.forEach((_, i) => (values[i] = 1 + (i % 2 ? spread : -spread)));
      return { name, shape, dtype: "F32" as Dtype, data: new Uint8Array(values.buffer) };
    });
    const bytes = encodeSafetensors(tensors);
    const checkpoint = await openCheckpoint(await openSafetensors(blobSource(new Blob([bytes]), "x")));
    expect(checkpoint.predictionType).toBe(expected);
    expect(checkpoint.predictionSource).toContain("spread");
  });
});

describe("files that cannot be trained on", () => {
  test("missing tensors are named", async () => {
    const shapes = mini1();
    shapes.delete(`${unet}.input_blocks.1.0.out_layers.3.weight`);
    shapes.delete("cond_stage_model.transformer.text_model.encoder.layers.1.mlp.fc2.bias");
    const error = await errorOf(shapes);
    expect(error).toMatchObject({ code: "checkpoint.missingTensors", data: { count: 2 } });
    expect(error.message).toContain(`${unet}.input_blocks.1.0.out_layers.3.weight`);
    expect(error.message).toContain("encoder.layers.1.mlp.fc2.bias");
  });

  test.each([
    `${unet}.input_blocks.0.0.weight`,
    `${unet}.time_embed.0.weight`,
    `${unet}.out.2.weight`,
    `${unet}.out.2.bias`,
    `${unet}.middle_block.1.proj_in.weight`,
    "first_stage_model.encoder.conv_in.weight",
    "first_stage_model.encoder.down.1.block.0.conv1.weight",
    "first_stage_model.quant_conv.bias",
    "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight",
    "cond_stage_model.transformer.text_model.final_layer_norm.bias",
  ])("a file without %s is refused by that name", async (key) => {
    const shapes = mini1();
    shapes.delete(key);
    expect(await errorOf(shapes)).toMatchObject({ code: "checkpoint.missingTensors", data: { tensors: [key] } });
  });

  test("whole missing blocks are named", async () => {
    const gap = [...mini1()].filter(([key]) => !key.startsWith(`${unet}.input_blocks.3.`));
    expect((await errorOf(gap)).data.tensors).toEqual([`${unet}.input_blocks.3.*`]);
    const last = mini1();
    const end = [...last].filter(([key]) => !key.startsWith(`${unet}.output_blocks.7.`));
    expect((await errorOf(end)).data.tensors).toEqual([`${unet}.output_blocks.7.*`]);
  });

  test("the shape of a tensor that does not fit is shown", async () => {
    const shapes = mini1();
    shapes.set(`${unet}.input_blocks.1.1.transformer_blocks.0.ff.net.2.weight`, [32, 100]);
    const error = await errorOf(shapes);
    expect(error.code).toBe("checkpoint.wrongShape");
    expect(error.message).toContain("ff.net.2.weight is [32, 100], not [32, 128]");
  });

  test("a LoRA picked as the base model is called one", async () => {
    const lora: [string, number[]][] = [["lora_unet_mid_block_attentions_0_proj_in.lora_down.weight", [4, 32, 1, 1]]];
    expect(await errorOf(lora)).toMatchObject({ code: "checkpoint.lora" });
  });

  test.each<[string, [string, number[]][], string]>([
    ["a VAE", [["encoder.down.0.block.0.conv1.weight", [1]]], "checkpoint.notAModel"],
    ["an embedding", [["emb_params", [4, 768]]], "checkpoint.notAModel"],
    ["unrelated tensors", [["a", [3]]], "checkpoint.notAModel"],
    ["a ControlNet", [["control_model.input_blocks.0.0.weight", [320, 4, 3, 3]]], "checkpoint.notAModel"],
    ["FLUX", [["model.diffusion_model.double_blocks.0.img_attn.qkv.weight", [1]]], "checkpoint.unsupported"],
    ["a bare UNet", [["input_blocks.0.0.weight", [320, 4, 3, 3]]], "checkpoint.unsupported"],
  ])("%s is refused with what it is", async (_, shapes, code) => {
    expect(await errorOf(shapes)).toMatchObject({ code });
  });

  test("SDXL, inpainting and unCLIP models are refused by name", async () => {
    const sdxl = [...mini1(), ["conditioner.embedders.1.model.transformer.resblocks.0.ln_1.bias", [1]] as const];
    expect((await errorOf(sdxl)).message).toContain("SDXL");
    const inpainting = mini1().set(`${unet}.input_blocks.0.0.weight`, [32, 9, 3, 3]);
    expect((await errorOf(inpainting)).message).toContain("inpainting");
    const unclip = mini2().set(`${unet}.label_emb.0.0.weight`, [256, 1536]);
    expect(await errorOf(unclip)).toMatchObject({ code: "checkpoint.unsupported" });
  });

  test("a UNet with tensors of another architecture is refused", async () => {
    const shapes = mini1().set(`${unet}.time_embed.cond_proj.weight`, [32, 256]);
    expect(await errorOf(shapes)).toMatchObject({ code: "checkpoint.unknownTensors" });
  });

  test("channel counts that group normalization cannot divide are refused", async () => {
    const narrow = checkpointShapes({
      ...recipes["mini-sd15"],
      unet: { ...recipes["mini-sd15"].unet, modelChannels: 24 },
    });
    expect(await errorOf(narrow)).toMatchObject({ code: "checkpoint.channels" });
  });

  test("a text encoder that does not fit the UNet is refused", async () => {
    const wider = new Map(mini1());
    for (const [key, [rows]] of mini1()) if (/attn2\.to_[kv]\.weight$/.test(key)) wider.set(key, [rows!, 128]);
    expect(await errorOf(wider)).toMatchObject({ code: "checkpoint.unsupported" });
  });

  test("8-bit weights are refused with advice", async () => {
    const specs = specsOf(mini1()).map((spec) =>
      spec.name === `${unet}.out.2.weight` ? { ...spec, dtype: "F8_E4M3" as Dtype } : spec,
    );
    const opened = openCheckpoint(await sparseFile(specs));
    await expect(opened).rejects.toMatchObject({ code: "checkpoint.dtype", data: { dtype: "F8_E4M3" } });
  });
});
