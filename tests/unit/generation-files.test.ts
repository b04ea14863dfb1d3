import { describe, expect, it } from "vitest";
import { blobSource } from "../../src/formats/byte-source.ts";
import { encodeSafetensors } from "../../src/formats/safetensors-writer.ts";
import { openSafetensors, type SafetensorsFile } from "../../src/formats/safetensors.ts";
import { readEmbedding } from "../../src/generation/embedding-file.ts";
import { openVae } from "../../src/models/vae-file.ts";
import { checkpointShapes, recipes } from "../../src/models/layout.ts";

type Shapes = ReadonlyMap<string, readonly number[]>;

async function fileOf(name: string, shapes: Shapes, valueOf: (i: number) => number = () => 0): Promise<SafetensorsFile> {
  const tensors = [...shapes].map(([key, shape]) => {
    const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => valueOf(i));
    return { name: key, dtype: "F32" as const, shape, data: new Uint8Array(data.buffer) };
  });
  return openSafetensors(blobSource(new Blob([encodeSafetensors(tensors)]), name));
}

describe("a textual-inversion embedding", () => {
  const read = async (shapes: readonly [string, number[]][], value?: (i: number) => number) =>
    readEmbedding(await fileOf("my style.safetensors", new Map(shapes), value), 4);

  it.each<[string, [string, number[]][], number]>([
    ["the webui", [["emb_params", [3, 4]]], 3],
    ["the webui for two text encoders", [["clip_l", [2, 4]], ["clip_g", [2, 8]]], 2],
    ["diffusers", [["<smith>", [4]]], 1],
  ])("of %s is read under its file's name", async (_, shapes, vectors) => {
    const embedding = await read(shapes, (i) => i);
    expect(embedding).toMatchObject({ name: "my style", vectors });
    expect([...embedding.data]).toEqual(Array.from({ length: vectors * 4 }, (__, i) => i));
  });

  it.each<[string, [string, number[]][], ((i: number) => number) | undefined, object]>([
    ["embedding.width", [["emb_params", [3, 8]]], undefined, { width: 8, wanted: 4 }],
    ["embedding.notAnEmbedding", [["a", [2, 4]], ["b", [2, 4]]], undefined, { file: "my style.safetensors" }],
    ["embedding.notAnEmbedding", [["a", [2, 4, 1]]], undefined, {}],
    ["embedding.corrupt", [["emb_params", [1, 4]]], (i) => (i === 2 ? Number.NaN : 0), {}],
    ["embedding.corrupt", [["emb_params", [1, 4]]], () => 1e6, {}],
    ["prompt.embedding-size", [["emb_params", [76, 4]]], undefined, { vectors: 76, most: 75 }],
  ])("is refused with %s: %j", async (code, shapes, value, data) => {
    await expect(read(shapes, value)).rejects.toMatchObject({ code, data });
  });
});

/** Names of diffusers for LDM's keys of a VAE with four levels. */
function toDiffusers(key: string): string {
  return key
    .replace(/mid\.block_([12])/, (_, n: string) => `mid_block.resnets.${Number(n) - 1}`)
    .replace(/mid\.attn_1\.norm/, "mid_block.attentions.0.group_norm")
    .replace(/mid\.attn_1\.proj_out/, "mid_block.attentions.0.to_out.0")
    .replace(/mid\.attn_1\.([qkv])/, "mid_block.attentions.0.to_$1")
    .replace(/norm_out/, "conv_norm_out")
    .replace(/nin_shortcut/, "conv_shortcut")
    .replace(/down\.(\d)\.block\.(\d)/, "down_blocks.$1.resnets.$2")
    .replace(/down\.(\d)\.downsample/, "down_blocks.$1.downsamplers.0")
    .replace(/up\.(\d)\.block\.(\d)/, (_, level: string, block: string) => `up_blocks.${3 - Number(level)}.resnets.${block}`)
    .replace(/up\.(\d)\.upsample/, (_, level: string) => `up_blocks.${3 - Number(level)}.upsamplers.0`);
}

describe("a VAE file", () => {
  const full: Shapes = new Map(
    [...checkpointShapes(recipes["mini-sd15"])].filter(([key]) => key.startsWith("first_stage_model.")),
  );
  const bare = (name: (key: string) => string): Shapes =>
    new Map([...full].map(([key, shape]) => [name(key.replace("first_stage_model.", "")), shape]));
  const linear: Shapes = new Map(
    [...bare(toDiffusers)].map(([key, shape]) => [key, key.includes("attentions") && shape.length === 4 ? shape.slice(0, 2) : shape]),
  );

  it.each<[string, Shapes]>([
    ["the prefix of a checkpoint", full],
    ["bare keys", bare((key) => key)],
    ["the names of diffusers", linear],
  ])("with %s gives every tensor of the standard layout", async (_, shapes) => {
    const source = openVae(await fileOf("vae.safetensors", shapes));
    expect([...source.keys.keys()].sort()).toEqual([...full.keys()].sort());
    expect(source.vae).toMatchObject({ ch: 32, hasDecoder: true, zChannels: 4, chMult: [1, 1, 2, 2] });
    const up = source.keys.get("first_stage_model.decoder.up.3.upsample.conv.weight")!;
    expect(up).toMatch(/up\.3|up_blocks\.0/);
  });

  it("needs no encoder", async () => {
    const shapes = new Map([...bare((key) => key)].filter(([key]) => /^(decoder|post_quant_conv)\./.test(key)));
    expect(openVae(await fileOf("vae.safetensors", shapes)).vae).toMatchObject({ hasEncoder: false, hasDecoder: true });
  });

  it("is refused when it is none, of another model, or incomplete", async () => {
    const open = async (shapes: Shapes) => openVae(await fileOf("x.safetensors", shapes));
    await expect(open(new Map([["emb_params", [1, 4]]]))).rejects.toMatchObject({ code: "vae.notAVae" });
    const wide = new Map([...full].map(([key, shape]) => [key, key.endsWith("decoder.conv_in.weight") ? [64, 16, 3, 3] : shape]));
    await expect(open(wide)).rejects.toMatchObject({ code: "vae.unsupported", data: { channels: 16 } });
    const holed = new Map([...full].filter(([key]) => !key.endsWith("decoder.norm_out.weight")));
    await expect(open(holed)).rejects.toMatchObject({ code: "checkpoint.missingTensors" });
  });
});
