/** Files that a run starts from: what they give to a network, what does not fit, and how they are said in kohya's files. */
import { beforeAll, describe, expect, it } from "vitest";
import { readFile } from "node:fs/promises";
import { loadKohyaConfig, parseSetOption } from "../../src/config/kohya.ts";
import { writeKohya } from "../../src/config/kohya-write.ts";
import { startAdvice } from "../../src/config/start-advice.ts";
import { presetOf } from "../../src/config/preset.ts";
import { blobSource } from "../../src/formats/byte-source.ts";
import { openSafetensors } from "../../src/formats/safetensors.ts";
import { mergedCheckpoint } from "../../src/lora/merged-file.ts";
import { matchNetwork } from "../../src/lora/network-match.ts";
import { readNetwork } from "../../src/lora/network-reader.ts";
import { openCheckpoint } from "../../src/models/config.ts";
import { baseMerges, openStartNetworks, startMatch, startValues } from "../../src/training/start-networks.ts";
import { createAdapters } from "../../src/training/run-settings.ts";
import type { Checkpoint } from "../../src/models/checkpoint-types.ts";
import type { NetworkFile } from "../../src/lora/network-file.ts";
import type { LogEntry } from "../../src/training/events.ts";
import { networkFile, type FileTensor } from "./network-files.ts";

async function reference(path: string) {
  return openSafetensors(blobSource(new Blob([await readFile(new URL(`../reference/data/${path}`, import.meta.url))]), path.split("/").at(-1)!));
}

let mini: Checkpoint;
let start: NetworkFile;
let ranks: NetworkFile;
let loha: NetworkFile;
beforeAll(async () => {
  mini = await openCheckpoint(await reference("mini-sd1.safetensors"));
  const network = async (name: string): Promise<NetworkFile> => readNetwork(await reference(`matrix-networks/${name}.safetensors`));
  [start, ranks, loha] = await Promise.all([network("start"), network("ranks"), network("loha")]);
});

const settings = (values: object) => loadKohyaConfig(JSON.stringify({ network_weights: "start.safetensors", network_dim: 2, ...values })).config;

function codeOf(work: () => unknown): { readonly code: string; readonly message: string } {
  try {
    work();
  } catch (error) {
    return error as { code: string; message: string };
  }
  return { code: "none", message: "" };
}

describe("a network that starts from a file", () => {
  it("takes its values, and names the layers that only one of them has", async () => {
    const config = settings({});
    const adapters = createAdapters(mini, config);
    const log: LogEntry[] = [];
    const { weights, alphas } = await startValues(config, { network: start, base: [] }, adapters, (entry) => log.push(entry));
    expect(weights.size).toBe(adapters.targets.length - 3);
    const name = adapters.targets.find((target) => weights.has(target.name))!.name;
    expect(weights.get(name)!["lora_down.weight"]).toEqual(await start.file.readF32(`${name}.lora_down.weight`));
    expect(alphas.get(name)).toBe(1);
    expect(log.map(({ code, data }) => [code, data?.["count"]])).toEqual([["train.networkStart", weights.size], ["train.networkMissing", 3]]);
    expect(log[1]!.text).toContain("lora_unet_mid_block_attentions_0_proj_in");
  });

  it("leaves out what the run does not train, by name", async () => {
    const config = settings({ network_train_unet_only: true });
    const match = startMatch(config, start, createAdapters(mini, config))!;
    expect(match.missing).toHaveLength(2);
    expect(match.unused.length).toBeGreaterThan(0);
    expect(match.unused.every((name) => name.startsWith("lora_te_"))).toBe(true);
  });

  it("says that the finished file gets the file's alpha where the settings have another", async () => {
    const config = settings({ network_alpha: 2 });
    const log: LogEntry[] = [];
    await startValues(config, { network: start, base: [] }, createAdapters(mini, config), (entry) => log.push(entry));
    expect(log.find(({ code }) => code === "train.networkAlpha")?.data).toMatchObject({ alpha: 1, wanted: 2 });
  });

  it("refuses another rank by the layer and both ranks, and recommends dim_from_weights", () => {
    const config = settings({ network_dim: 8 });
    const { code, message } = codeOf(() => startMatch(config, start, createAdapters(mini, config)));
    expect(code).toBe("lora.startRank");
    expect(message).toMatch(/^lora_te_\w+ has rank 2 in start\.safetensors, and the settings make it 8: turn on dim_from_weights/);
  });

  it("refuses a file of another kind of network, a file that is not there, and another shape", async () => {
    const config = settings({});
    const adapters = createAdapters(mini, config);
    expect(codeOf(() => startMatch(config, loha, adapters)).code).toBe("lora.startNothing");
    expect(codeOf(() => startMatch(config, undefined, adapters)).code).toBe("train.startNetworkMissing");
    await expect(openStartNetworks(config, async () => undefined)).rejects.toMatchObject({ code: "train.startNetworkMissing" });
    const target = adapters.targets.find(({ name }) => name.endsWith("attn2_to_k"))!;
    const other: FileTensor[] = [
      { name: `${target.name}.lora_down.weight`, shape: [2, target.in + 8] }, { name: `${target.name}.lora_up.weight`, shape: [target.out, 2] },
    ];
    const network = await readNetwork(await networkFile(other));
    expect(codeOf(() => startMatch(config, network, adapters)).code).toBe("lora.startShape");
  });
});

describe("ranks from a file", () => {
  it("are those of each layer, without dropout and LoRA+, and of no other layers", () => {
    const config = settings({ dim_from_weights: true, network_dim: 64, network_dropout: 0.5, network_args: ["loraplus_lr_ratio=4"] });
    const { targets, settings: { dropout, ratiosOf } } = createAdapters(mini, config, ranks);
    expect(targets.map(({ name, rank, alpha }) => [name, rank, alpha]).toSorted()).toEqual(
      ranks.modules.map(({ name, rank, scale }) => [name, rank, scale * rank]).toSorted(),
    );
    expect(new Set(targets.map(({ rank }) => rank)).size).toBe(5);
    expect([dropout, ratiosOf]).toEqual([undefined, undefined]);
    expect(startAdvice(config).map(({ code, data }) => [code, data["keys"]])).toEqual([["start.ignored", "network_dim, network_dropout, loraplus_lr_ratio"]]);
  });

  it("make LyCORIS take the kind of network, too", () => {
    const config = settings({ dim_from_weights: true, network_module: "lycoris.kohya", network_args: ["algo=lokr"] });
    const { targets } = createAdapters(mini, config, loha);
    expect(targets).toHaveLength(loha.modules.length);
    expect(targets[0]!.factors.map(({ key }) => key)).toEqual(["hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"]);
  });

  it("want the file, of a kind that the network has", () => {
    const config = settings({ dim_from_weights: true });
    expect(codeOf(() => createAdapters(mini, config)).code).toBe("train.startNetworkMissing");
    expect(codeOf(() => createAdapters(mini, config, loha)).code).toBe("lora.startKind");
    expect(codeOf(() => settings({ network_weights: "", dim_from_weights: true }))).toMatchObject({ code: "config.conflict", param: "dim_from_weights" });
  });
});

describe("adapters in the base", () => {
  it.each(["lora", "lycoris", "dora"])("change its weights as PyTorch does, in half precision: %s", async (kind) => {
    const network = await readNetwork(await reference(`networks-${kind}.safetensors`));
    const expected = await reference(`networks-${kind}-expected.safetensors`);
    const [mix] = JSON.parse(expected.metadata.get("mix") ?? "") as readonly { readonly unet: number; readonly textEncoder: number }[];
    const mergedWith = (multiplier: number): Checkpoint => mergedCheckpoint(mini, [{ match: matchNetwork(network, mini), multiplier }]);
    const sides = { unet: mergedWith(mix!.unet), text: mergedWith(mix!.textEncoder) };
    let compared = 0;
    for (const [name, { shape }] of expected.tensors) {
      const key = mini.keys.get(name);
      if (key === undefined) continue;
      const merged = name.startsWith("model.diffusion_model.") ? sides.unet : sides.text;
      const [wanted, found] = [await expected.readF32(name), await merged.file.readF32(key)];
      expect([name, merged.file.entry(key).shape]).toEqual([name, shape]);
      const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      found.forEach((value, i) => {
        if (!(Math.abs(value - wanted[i]!) <= 2 ** -10 * Math.max(Math.abs(wanted[i]!), 0.01 * largest))) throw new Error(`${name}[${i}]: ${value} for ${wanted[i]}`);
      });
      compared++;
    }
    expect(compared).toBeGreaterThan(0);
  });

  it("act with their multipliers one after the other, and nothing else changes", async () => {
    const config = settings({ network_weights: "", base_weights: ["start.safetensors", "ranks.safetensors"], base_weights_multiplier: [0.5] });
    const merges = baseMerges(mini, config, { base: [start, ranks] });
    expect(merges.map(({ multiplier }) => multiplier)).toEqual([0.5, 1]);
    const merged = mergedCheckpoint(mini, merges);
    const name = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q";
    const { target } = merges[0]!.match.modules.find(({ source }) => source.name === name)!;
    const key = mini.keys.get(target.weightKey)!;
    const weights = await mini.file.readF32(key);
    for (const [network, multiplier] of [[start, 0.5], [ranks, 1]] as const) {
      const { rank, scale } = network.modules.find((module) => module.name === name)!;
      const [down, up] = [await network.file.readF32(`${name}.lora_down.weight`), await network.file.readF32(`${name}.lora_up.weight`)];
      weights.forEach((value, at) => {
        const [row, column] = [Math.floor(at / target.in), at % target.in];
        let sum = 0;
        for (let k = 0; k < rank; k++) sum += up[row * rank + k]! * down[k * target.in + column]!;
        weights[at] = Math.fround(value + multiplier * scale * sum);
      });
    }
    const found = await merged.file.readF32(key);
    found.forEach((value, i) => expect(Math.abs(value - weights[i]!)).toBeLessThanOrEqual(2 ** -10 * (Math.abs(weights[i]!) + 0.05)));
    // In pieces as the loader reads them.
    const pieces: number[] = [];
    for await (const { data } of merged.file.readF16Chunks(key, 100)) pieces.push(...data);
    expect(pieces).toEqual([...(await merged.file.readF16(key))]);
    const other = mini.keys.get("model.diffusion_model.out.2.weight")!;
    expect(await merged.file.read(other)).toEqual(await mini.file.read(other));
    expect(merged.file.source).toBe(mini.file.source);
    expect(mergedCheckpoint(mini, [])).toBe(mini);
  });

  it("are refused where they are no adapter or fit nothing", async () => {
    const config = settings({ network_weights: "", base_weights: ["x"] });
    const strange = await readNetwork(await networkFile([{ name: "lora_unet_x.lora_down.weight", shape: [2, 8] }, { name: "lora_unet_x.lora_up.weight", shape: [8, 2] }]));
    expect(codeOf(() => baseMerges(mini, config, { base: [strange] })).code).toBe("lora.nothingFits");
    await expect(openStartNetworks(config, () => reference("mini-sd1.safetensors"))).rejects.toMatchObject({ code: "lora.notANetwork" });
  });

  it("bring the residual blocks' linears into sd-scripts' own network, as there", () => {
    const count = (values: object): number => createAdapters(mini, settings({ network_weights: "", ...values })).targets.length;
    expect(count({ base_weights: ["a"] })).toBe(count({ network_args: ["conv_dim=0"] }));
    expect(count({ base_weights: ["a"] })).toBeGreaterThan(count({}));
  });
});

describe("kohya's files", () => {
  it("keep the files and the numbers of their multipliers", () => {
    const text = 'network_weights = "a b.safetensors"\ndim_from_weights = true\nbase_weights = ["c d.safetensors", "e"]\nbase_weights_multiplier = [1, 0.25]\n';
    const { config, unknownKeys, warnings } = loadKohyaConfig(text);
    expect([unknownKeys, warnings]).toEqual([[], []]);
    expect(config).toMatchObject({ network_weights: "a b.safetensors", dim_from_weights: true, base_weights: ["c d.safetensors", "e"], base_weights_multiplier: ["1", "0.25"] });
    expect(writeKohya(config, "toml").text).toContain("base_weights_multiplier = [ 1.0, 0.25 ]");
    expect(loadKohyaConfig(writeKohya(config, "toml").text).config).toEqual(config);
    expect(JSON.parse(writeKohya(config, "json").text)).toMatchObject({ base_weights_multiplier: [1, 0.25] });
  });

  it("are read from the GUI's JSON of all ages, and its additional parameters", () => {
    const gui = { LoRA_type: "Standard", lora_network_weights: "old.safetensors", dim_from_weights: true, additional_parameters: "--base_weights x y --base_weights_multiplier 0.5" };
    const { config } = loadKohyaConfig(JSON.stringify(gui));
    expect(config).toMatchObject({ network_weights: "old.safetensors", dim_from_weights: true, base_weights: ["x", "y"], base_weights_multiplier: ["0.5"] });
    const { text, warnings } = writeKohya(config, "gui");
    expect(warnings).toEqual([]);
    expect(JSON.parse(text)).toMatchObject({ network_weights: "old.safetensors", dim_from_weights: true });
    expect(loadKohyaConfig(text).config).toMatchObject({ base_weights: ["x", "y"], base_weights_multiplier: ["0.5"] });
  });

  it("are refused where a multiplier is no number, and stay out of presets", () => {
    expect(codeOf(() => settings({ base_weights_multiplier: ["half"] }))).toMatchObject({ code: "config.type", param: "base_weights_multiplier" });
    expect(parseSetOption("base_weights=a b")).toEqual(["base_weights", "a b"]);
    expect(presetOf("p", settings({ dim_from_weights: true, base_weights: ["a"], base_weights_multiplier: [2] })).settings).toEqual({ network_dim: 2 });
  });
});
