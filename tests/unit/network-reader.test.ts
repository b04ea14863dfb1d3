/** What adapter files are understood to be, and which of their layers fit a model. */
import { beforeAll, describe, expect, it } from "vitest";
import { blobSource } from "../../src/formats/byte-source.ts";
import { openSafetensors } from "../../src/formats/safetensors.ts";
import { adapterReport } from "../../src/generation/adapter-report.ts";
import { matchNetwork, type NetworkMatch } from "../../src/lora/network-match.ts";
import { readNetwork } from "../../src/lora/network-reader.ts";
import { openCheckpoint } from "../../src/models/config.ts";
import type { Checkpoint } from "../../src/models/checkpoint-types.ts";
import { checkpointShapes, recipes, type Arch } from "../../src/models/layout.ts";
import { loraTargets } from "../../src/models/names.ts";
import { networkBytes, networkFile, type FileTensor } from "./network-files.ts";
import { sparseFile, specsOf } from "./sparse-file.ts";

const layer = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q";
const path = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q";

function lora(name: string, rank = 4, [out, width]: readonly [number, number] = [320, 320]): FileTensor[] {
  return [{ name: `${name}.lora_down.weight`, shape: [rank, width] }, { name: `${name}.lora_up.weight`, shape: [out, rank] }];
}

async function read(tensors: readonly FileTensor[], metadata?: Record<string, string>) {
  return readNetwork(await networkFile(tensors, metadata));
}

let sd1: Checkpoint;
beforeAll(async () => {
  sd1 = await checkpointOf("sd15");
});

async function checkpointOf(arch: Arch): Promise<Checkpoint> {
  return openCheckpoint(await sparseFile(specsOf(checkpointShapes(recipes[arch]))));
}

describe("names", () => {
  it.each([
    [layer, "lora_down.weight", "lora_up.weight"],
    [path, "lora_A.weight", "lora_B.weight"],
    [path, "lora_A.default.weight", "lora_B.default.weight"],
    [path, "lora.down.weight", "lora.up.weight"],
    [`base_model.model.${path}`, "lora_A.weight", "lora_B.weight"],
    [path.replace("unet.", ""), "lora_A.weight", "lora_B.weight"],
    [path.replace(".to_q", ""), "processor.to_q_lora.down.weight", "processor.to_q_lora.up.weight"],
    [layer.replace("lora_unet_", "lycoris_"), "lora_down.weight", "lora_up.weight"],
  ])("%s.%s is kohya's", async (name, down, up) => {
    const { modules, kind, rank } = await read([{ name: `${name}.${down}`, shape: [4, 320] }, { name: `${name}.${up}`, shape: [320, 4] }]);
    expect(modules.map((module) => module.name)).toEqual([layer]);
    expect([kind, rank]).toEqual(["LoRA", 4]);
  });

  it.each([
    ["lora_te_text_model_encoder_layers_0_mlp_fc1", "lora_down.weight", "lora_up.weight"],
    ["lora_te_encoder_layers_0_mlp_fc1", "lora_down.weight", "lora_up.weight"],
    ["text_encoder.text_model.encoder.layers.0.mlp.fc1", "lora_A.weight", "lora_B.weight"],
    ["text_encoder.text_model.encoder.layers.0.mlp.fc1", "lora_linear_layer.down.weight", "lora_linear_layer.up.weight"],
  ])("%s.%s is the text encoder's", async (name, down, up) => {
    const network = await read([{ name: `${name}.${down}`, shape: [4, 768] }, { name: `${name}.${up}`, shape: [3072, 4] }]);
    expect(network.modules.map((module) => module.name)).toEqual(["lora_te_text_model_encoder_layers_0_mlp_fc1"]);
    expect(matchNetwork(network, sd1).modules[0]?.target.part).toBe("textEncoder");
  });

  it("take to_out of diffusers' first format for to_out.0", async () => {
    const name = path.replace(".to_q", ".processor.to_out_lora");
    const { modules } = await read([{ name: `${name}.down.weight`, shape: [4, 320] }, { name: `${name}.up.weight`, shape: [320, 4] }]);
    expect(modules[0]?.name).toBe(layer.replace("to_q", "to_out_0"));
  });
});

describe("alpha", () => {
  it("is the rank where the file has none", async () => {
    expect((await read(lora(layer))).modules[0]?.scale).toBe(1);
  });

  it.each(["F32", "I64"] as const)("may be stored as %s", async (dtype) => {
    const { modules } = await read([...lora(layer), { name: `${layer}.alpha`, shape: [], values: [2], dtype }]);
    expect(modules[0]?.scale).toBe(0.5);
  });

  it("comes from PEFT's metadata where diffusers wrote the file", async () => {
    const metadata = { "unet.lora_alpha": 8, "unet.use_rslora": false, "unet.alpha_pattern": { "attn1.to_k": 2 } };
    const tensors = [path, path.replace("to_q", "to_k")].flatMap((name) => [
      { name: `${name}.lora_A.weight`, shape: [4, 320] },
      { name: `${name}.lora_B.weight`, shape: [320, 4] },
    ]);
    const scales = async (changed: object): Promise<Record<string, number>> => {
      const { modules } = await read(tensors, { lora_adapter_metadata: JSON.stringify({ ...metadata, ...changed }) });
      return Object.fromEntries(modules.map(({ name, scale }) => [name.slice(-4), scale]));
    };
    expect(await scales({})).toEqual({ to_q: 2, to_k: 0.5 });
    expect(await scales({ "unet.use_rslora": true })).toEqual({ to_q: 4, to_k: 1 });
  });

  it("counts for nothing in a LoKr whose factors are whole", async () => {
    const { modules, rank } = await read([
      { name: `${layer}.lokr_w1`, shape: [16, 16] },
      { name: `${layer}.lokr_w2`, shape: [20, 20] },
      { name: `${layer}.alpha`, shape: [], values: [1e10] },
    ]);
    expect([modules[0]?.scale, rank]).toEqual([1, 0]);
  });

  it("must be one number", async () => {
    await expect(read([...lora(layer), { name: `${layer}.alpha`, shape: [2] }])).rejects.toMatchObject({ code: "lora.wrongShape" });
  });
});

describe("a file", () => {
  it("is named by its kinds, with DoRA said", async () => {
    const conv = "lora_unet_down_blocks_0_resnets_0_conv1";
    const locon = [{ name: `${conv}.lora_down.weight`, shape: [4, 320, 3, 3] }, { name: `${conv}.lora_up.weight`, shape: [320, 4, 1, 1] }];
    expect((await read([...lora(layer), ...locon])).kind).toBe("LoCon");
    expect((await read([...lora(layer), { name: `${layer}.dora_scale`, shape: [320, 1] }])).kind).toBe("LoRA + DoRA");
    expect((await read([{ name: `${layer}.diff`, shape: [320, 320] }])).kind).toBe("full");
  });

  it.each([
    [[{ name: `${layer}.lora_down.weight`, shape: [4, 320] }], `${layer}.lora_up.weight`],
    [[{ name: `${path}.lora_B.weight`, shape: [320, 4] }], `${path}.lora_A.weight`],
    [[{ name: `${layer}.hada_w1_a`, shape: [320, 4] }, { name: `${layer}.hada_w1_b`, shape: [4, 320] }], "hada_w2_a"],
    [[{ name: `${layer}.lokr_w1`, shape: [16, 16] }, { name: `${layer}.lokr_w2_b`, shape: [4, 20] }], `${layer}.lokr_w2_a`],
  ])("that lacks a factor is refused, the factor named (%#)", async (tensors, missing) => {
    await expect(read(tensors)).rejects.toMatchObject({ code: "lora.incomplete", message: expect.stringContaining(missing) as string });
  });

  it.each<[FileTensor[]]>([
    [[{ name: `${layer}.lora_down.weight`, shape: [4, 320] }, { name: `${layer}.lora_up.weight`, shape: [320, 8] }]],
    [[...lora(layer), { name: `${layer}.lora_mid.weight`, shape: [2, 4, 3, 3] }]],
    [[...lora(layer), { name: `${layer}.dora_scale`, shape: [7] }]],
    [["1", "2"].flatMap((n) => [{ name: `${layer}.hada_w${n}_a`, shape: [320, 4] }, { name: `${layer}.hada_w${n}_b`, shape: [4, n === "1" ? 320 : 640] }])],
    [[{ name: `${layer}.lokr_w1`, shape: [16] }, { name: `${layer}.lokr_w2`, shape: [20, 20] }]],
  ])("whose shapes do not fit together is refused (%#)", async (tensors) => {
    await expect(read(tensors)).rejects.toMatchObject({ code: "lora.wrongShape", data: { key: layer } });
  });

  it.each([
    [[{ name: "model.diffusion_model.out.2.weight", shape: [4, 4, 3, 3] }]],
    [[{ name: "emb_params", shape: [2, 768] }]],
    [[{ name: `${layer}.alpha`, shape: [] }]],
    [[]],
  ])("that is no adapter is refused (%#)", async (tensors) => {
    await expect(read(tensors)).rejects.toMatchObject({ code: "lora.notANetwork" });
  });

  it("that was cut off is refused", async () => {
    const bytes = networkBytes(lora(layer));
    const opened = openSafetensors(blobSource(new Blob([bytes.subarray(0, -8)]), "cut.safetensors"));
    await expect(opened).rejects.toMatchObject({ code: "safetensors.truncated" });
  });

  it("with kinds that are not known applies what it can and names the rest", async () => {
    const other = (suffix: string): FileTensor => ({ name: `${layer.replace("to_q", "to_k")}.${suffix}`, shape: [320] });
    for (const suffix of ["on_input", "oft_blocks", "a1.weight", "rescale"]) {
      const match = matchNetwork(await read([...lora(layer), other(suffix)]), sd1);
      expect(match.modules).toHaveLength(1);
      expect(match.misfits).toEqual([{ name: layer.replace("to_q", "to_k"), reason: "otherKind" }]);
    }
    const extra = [{ name: `${layer}.diff_b`, shape: [320] }, { name: "lora_unet_down_blocks_0_resnets_0_norm1.w_norm", shape: [320] }];
    expect(matchNetwork(await read([...lora(layer), ...extra]), sd1).misfits).toEqual([
      { name: "lora_unet_down_blocks_0_resnets_0_norm1", reason: "biasOrNorm" },
      { name: `${layer}.diff_b`, reason: "biasOrNorm" },
    ]);
  });
});

describe("a match", () => {
  /** A standard LoRA for all targets of a family. */
  async function standard(arch: Arch): Promise<FileTensor[]> {
    const targets = loraTargets(await checkpointOf(arch));
    return targets.flatMap(({ name, in: width, out, fileRank }) => [
      { name: `${name}.lora_down.weight`, shape: fileRank === 4 ? [1, width, 1, 1] : [1, width] },
      { name: `${name}.lora_up.weight`, shape: fileRank === 4 ? [out, 1, 1, 1] : [out, 1] },
    ]);
  }

  /** As if the tensors were in a file: too many zeros to write them. */
  async function matched(tensors: readonly FileTensor[], model: Checkpoint): Promise<NetworkMatch> {
    const specs = tensors.map(({ name, shape }) => ({ name, shape, dtype: "F16" as const }));
    return matchNetwork(await readNetwork(await sparseFile(specs)), model);
  }

  it("of a standard LoRA with its own family is complete", async () => {
    expect(adapterReport(await matched(await standard("sd15"), sd1))).toMatchObject({ kind: "LoRA", rank: 1, applied: 264, misfits: [] });
    expect(adapterReport(await matched(await standard("sd21"), await checkpointOf("sd21")))).toMatchObject({ applied: 330, misfits: [] });
  });

  it("knows every layer that LyCORIS's widest preset trains", async () => {
    const widest = ["conv_in", "conv_out", "time_embedding_linear_1", "time_embedding_linear_2"].map((name) => `lora_unet_${name}`);
    const shapes: [number, number][] = [[320, 4], [4, 320], [1280, 320], [1280, 1280]];
    const tensors = widest.flatMap((name, i): FileTensor[] => {
      const [out, width] = shapes[i]!;
      return i < 2 ? [{ name: `${name}.diff`, shape: [out, width, 3, 3] }] : lora(name, 4, [out, width]);
    });
    expect((await matched(tensors, sd1)).misfits).toEqual([]);
  });

  it("of an SD2 LoRA with SD1 reports the layers of other shape", async () => {
    const match = await matched(await standard("sd21"), sd1);
    expect(match.network.family).toBe("SD2");
    const reasons = new Set(match.misfits.map(({ reason }) => reason));
    expect(reasons).toEqual(new Set(["otherShape", "noLayer"]));
    expect(match.misfits.map(({ name }) => name)).toContain(layer.replace("attn1_to_q", "attn2_to_k"));
    expect(match.misfits.map(({ name }) => name)).toContain("lora_te_text_model_encoder_layers_22_mlp_fc1");
  });

  it("of an SDXL LoRA fails and names both architectures and a layer", async () => {
    // SDXL's transformers: block, channels, depth.
    const transformers: [string, number, number][] = [
      ...["input_blocks_4_1", "input_blocks_5_1", "output_blocks_3_1"].map((block): [string, number, number] => [block, 640, 2]),
      ...["input_blocks_7_1", "middle_block_1", "output_blocks_0_1"].map((block): [string, number, number] => [block, 1280, 10]),
    ];
    const tensors = transformers.flatMap(([block, channels, depth]) =>
      Array.from({ length: depth }, (_, i) => `lora_unet_${block}_transformer_blocks_${i}`).flatMap((name) => [
        ...lora(`${name}_attn1_to_q`, 1, [channels, channels]),
        ...lora(`${name}_attn2_to_k`, 1, [channels, 2048]),
      ]),
    );
    tensors.push(...lora("lora_te2_text_model_encoder_layers_0_mlp_fc1", 1, [5120, 1280]));
    await expect(matched(tensors, sd1)).rejects.toMatchObject({
      code: "lora.nothingFits",
      data: { family: "SDXL", base: "SD1", count: tensors.length / 2, layer: expect.stringContaining("lora_") as string },
    });
  });

  it("wants kernels and channels, not just the number of columns", async () => {
    const conv = "lora_unet_down_blocks_0_resnets_0_conv1";
    const shapes: [readonly number[], readonly number[]][] = [
      [[4, 320, 1, 1], [320, 4, 1, 1]],
      [[4, 960, 3, 1], [320, 4, 1, 1]],
      [[4, 320 * 9], [320, 4]],
    ];
    for (const [down, up] of shapes) {
      const tensors = [...lora(layer), { name: `${conv}.lora_down.weight`, shape: down }, { name: `${conv}.lora_up.weight`, shape: up }];
      expect((await matched(tensors, sd1)).misfits).toEqual([{ name: conv, reason: "otherShape" }]);
    }
  });

  it("takes 4-D factors for linears and 2-D ones for 1×1 convolutions", async () => {
    const projection = "lora_unet_down_blocks_0_attentions_0_proj_in";
    const four = [{ name: `${layer}.lora_down.weight`, shape: [4, 320, 1, 1] }, { name: `${layer}.lora_up.weight`, shape: [320, 4, 1, 1] }];
    expect(await matched([...four, ...lora(projection)], sd1)).toMatchObject({ misfits: [] });
  });
});
