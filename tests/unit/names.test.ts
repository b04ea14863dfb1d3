import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { openNodeFile } from "../../src/cli/node-file.ts";
import { openSafetensors } from "../../src/formats/safetensors.ts";
import { openCheckpoint } from "../../src/models/config.ts";
import { loraTargets, ModuleIndex } from "../../src/models/names.ts";
import { sparseFile, specsOf } from "./sparse-file.ts";

function fixture<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`fixtures/${name}`, import.meta.url), "utf8")) as T;
}

const real = fixture<Record<"sd1" | "sd2", Record<string, number[]>>>("ldm-key-shapes.json");
const { unetNames } = fixture<{ unetNames: Record<string, string> }>("formats.json");

async function openReal(family: "sd1" | "sd2") {
  return openCheckpoint(await sparseFile(specsOf(Object.entries(real[family]))));
}

test.each([
  ["sd1", 72, 165_888, 423_936],
  ["sd2", 138, 423_936, 432_128],
] as const)("%s has sd-scripts' number of targets and parameters per rank", async (family, text, textSize, unetSize) => {
  const targets = loraTargets(await openReal(family));
  const ofPart = (part: string) => targets.filter((target) => target.part === part);
  const size = (part: string): number => ofPart(part).reduce((sum, target) => sum + target.in + target.out, 0);
  expect([ofPart("textEncoder").length, ofPart("unet").length]).toEqual([text, 192]);
  expect([size("textEncoder"), size("unet")]).toEqual([textSize, unetSize]);
  expect(new Set(targets.map(({ name }) => name)).size).toBe(targets.length);
});

test.each(["sd1", "sd2"] as const)("%s has LoCon's further targets with conv_dim, and with 0 all but the 3×3 convolutions", async (family) => {
  const model = await openReal(family);
  const plain = new Set(loraTargets(model).map(({ name }) => name));
  const added = (convDim: number) => loraTargets(model, convDim).filter(({ name }) => !plain.has(name));
  const count = (pattern: RegExp): number => added(8).filter(({ name }) => pattern.test(name)).length;
  expect(loraTargets(model, 8).filter(({ part }) => part === "unet").length).toBe(278);
  expect([count(/_conv1$/), count(/_time_emb_proj$/), count(/_conv2$/), count(/_conv_shortcut$/)]).toEqual([22, 22, 22, 14]);
  expect([count(/_downsamplers_0_conv$/), count(/_upsamplers_0_conv$/)]).toEqual([3, 3]);
  const size = (kernel: number): number =>
    added(8).filter((target) => target.kernel === kernel).reduce((sum, target) => sum + target.in * kernel ** 2 + target.out, 0);
  expect([size(1), size(3)]).toEqual([82_880, 544_000]);
  expect(added(0).map(({ kind }) => kind).toSorted()).toEqual([...Array(14).fill("conv1x1"), ...Array(22).fill("linear")]);
  const linears = added(8).filter(({ fileRank }) => fileRank === 2);
  expect(linears.map(({ name }) => name)).toEqual(added(8).map(({ name }) => name).filter((name) => name.endsWith("_time_emb_proj")));
});

test.each(["sd1", "sd2"] as const)("%s targets lie inside their weights", async (family) => {
  for (const { weight, in: from, out } of loraTargets(await openReal(family))) {
    const [rows, columns] = real[family][weight.key]!;
    expect(columns).toBe(from);
    expect([rows, rows! / 3]).toContain(out);
    expect(weight.rowStart + out).toBeLessThanOrEqual(rows!);
  }
});

test("UNet modules have the names that diffusers' converter gives them", async () => {
  const { modules } = new ModuleIndex(await openReal("sd1"));
  const ours = modules.filter(({ part }) => part === "unet").map((m) => [m.weightKey, `${m.diffusers}.weight`]);
  const theirs = Object.entries(unetNames).filter(
    ([key, name]) =>
      name.endsWith(".weight") &&
      !/norm/.test(name) &&
      !/^(conv_in|conv_out|time_embedding)\./.test(name) &&
      real.sd1[key]!.length > 1,
  );
  expect(ours.toSorted()).toEqual(theirs.toSorted());
  expect(ours.length).toBe(192 + 86);
});

test("targets come in the order in which sd-scripts creates them", async () => {
  const names = loraTargets(await openReal("sd1")).map(({ name }) => name);
  expect(names.slice(0, 6)).toEqual(
    ["self_attn_k_proj", "self_attn_v_proj", "self_attn_q_proj", "self_attn_out_proj", "mlp_fc1", "mlp_fc2"].map(
      (name) => `lora_te_text_model_encoder_layers_0_${name}`,
    ),
  );
  const block = "lora_unet_down_blocks_0_attentions_0";
  const attention = (which: string): string[] =>
    ["q", "k", "v", "out_0"].map((x) => `${block}_transformer_blocks_0_${which}_to_${x}`);
  expect(names.slice(72, 84)).toEqual([
    `${block}_proj_in`,
    ...attention("attn1"),
    `${block}_transformer_blocks_0_ff_net_0_proj`,
    `${block}_transformer_blocks_0_ff_net_2`,
    ...attention("attn2"),
    `${block}_proj_out`,
  ]);
  expect(names.at(-1)).toBe("lora_unet_mid_block_attentions_0_proj_out");
  expect(names.at(-13)).toBe("lora_unet_up_blocks_3_attentions_2_proj_out");
});

test.each(["sd1", "sd2"])("the adapter that PyTorch built for mini-%s has the same modules and shapes", async (name) => {
  const read = async (file: string) => {
    const source = await openNodeFile(new URL(`../reference/data/${file}.safetensors`, import.meta.url).pathname);
    const opened = await openSafetensors(source);
    await source.close();
    return opened;
  };
  const golden = await read(`golden-${name}`);
  const targets = loraTargets(await openCheckpoint(await read(`mini-${name}`)));
  const theirs = [...golden.tensors.values()].flatMap(({ name, shape }) => {
    const found = /^adapter\.(.*)\.lora_(down|up)\.weight$/.exec(name);
    return found ? [[found[1], found[2], found[2] === "down" ? shape[1] : shape[0]]] : [];
  });
  const ours = targets.flatMap((target) => [
    [target.name, "down", target.in],
    [target.name, "up", target.out],
  ]);
  expect(ours.toSorted()).toEqual(theirs.toSorted());
});

test("modules are found by each of their names", async () => {
  const index = new ModuleIndex(await openReal("sd2"));
  const key = "cond_stage_model.model.transformer.resblocks.3.attn.in_proj_weight";
  const value = index.byWeight(key, 2048)!;
  expect(value.kohya).toBe("lora_te_text_model_encoder_layers_3_self_attn_v_proj");
  expect(index.byKohya(value.kohya)).toBe(value);
  expect(index.byDiffusers("text_model.encoder.layers.3.self_attn.v_proj")).toBe(value);
  expect(index.byWeight(key)!.diffusers).toBe("text_model.encoder.layers.3.self_attn.q_proj");
  expect(index.byKohya("lora_te_text_model_encoder_layers_23_mlp_fc1")).toBeUndefined();
});

test("projections are 4-D in files of both families, as sd-scripts builds single-file SD2 with convolutions", async () => {
  for (const family of ["sd1", "sd2"] as const) {
    const projections = loraTargets(await openReal(family)).filter(({ fileRank }) => fileRank === 4);
    expect(projections.length).toBe(32);
    expect(projections.every(({ name }) => /_proj_(in|out)$/.test(name))).toBe(true);
    expect(new Set(projections.map(({ kind }) => kind))).toEqual(new Set([family === "sd1" ? "conv1x1" : "linear"]));
  }
});
