/** LyCORIS networks: which layers its presets train, what their files hold, and how kohya's files name them. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { loadKohyaConfig, writeKohyaToml } from "../../src/config/kohya.ts";
import { writeKohya } from "../../src/config/kohya-write.ts";
import { parseConfig } from "../../src/config/config.ts";
import { defaultConfig, type TrainingConfig } from "../../src/config/parameters.ts";
import { LYCORIS_PRESETS } from "../../src/config/table/lycoris.ts";
import { factorization } from "../../src/lora/lycoris-factors.ts";
import { openNodeFile } from "../../src/cli/node-file.ts";
import { openSafetensors } from "../../src/formats/safetensors.ts";
import { openCheckpoint } from "../../src/models/config.ts";
import { baseNorms, initialAdapter } from "../../src/training/adapter-init.ts";
import { createAdapters } from "../../src/training/run-settings.ts";
import { sparseFile, specsOf } from "./sparse-file.ts";

const real = JSON.parse(readFileSync(new URL("fixtures/ldm-key-shapes.json", import.meta.url), "utf8")) as Record<"sd1" | "sd2", Record<string, number[]>>;

async function adaptersOf(family: "sd1" | "sd2", values: Readonly<Record<string, unknown>>) {
  const checkpoint = await openCheckpoint(await sparseFile(specsOf(Object.entries(real[family]))));
  return createAdapters(checkpoint, parseConfig({ network_module: "lycoris.kohya", ...values }).config);
}

describe("a preset", () => {
  /** Counted by LyCORIS itself on sd-scripts' UNet and CLIP: UNet, text encoder of SD1, of SD2. */
  const counts: Readonly<Record<(typeof LYCORIS_PRESETS)[number], readonly [number, number, number]>> = {
    full: [282, 72, 138],
    "full-lin": [230, 72, 138],
    "attn-mlp": [192, 72, 138],
    "attn-only": [128, 48, 92],
    "unet-only": [282, 0, 0],
    "unet-transformer-only": [192, 0, 0],
    "unet-convblock-only": [88, 0, 0],
  };

  it.each(LYCORIS_PRESETS)("%s trains as many layers as in LyCORIS", async (preset) => {
    const [unet, sd1, sd2] = counts[preset];
    for (const [family, textEncoder] of [["sd1", sd1], ["sd2", sd2]] as const) {
      const { targets, settings } = await adaptersOf(family, { network_args: [`preset=${preset}`, "algo=loha"] });
      const count = (part: string): number => targets.filter((target) => target.part === part).length;
      expect([family, count("unet"), count("textEncoder")]).toEqual([family, unet, textEncoder]);
      expect(settings.trains.textEncoder).toBe(textEncoder > 0);
      expect(new Set(targets.map(({ name }) => name)).size).toBe(targets.length);
    }
  });

  it("without convolutions of its own is full-lin and the linear layers beside the convolutions", async () => {
    const names = async (args: string[]) => (await adaptersOf("sd1", { network_args: args })).targets.map(({ name }) => name).toSorted();
    expect(await names(["conv_dim=0"])).toEqual(await names(["preset=full-lin"]));
  });
});

describe("the factors", () => {
  it("of a LoHa are four, and two cores with use_tucker", async () => {
    const shapes = async (args: string[]) => {
      const { targets } = await adaptersOf("sd1", { network_dim: 4, network_args: ["algo=loha", ...args] });
      const conv = targets.find(({ name }) => name === "lora_unet_down_blocks_1_resnets_0_conv1");
      return conv?.factors.map(({ key, shape }) => `${key} ${shape.join("x")}`);
    };
    expect(await shapes(["conv_dim=2"])).toEqual(["hada_w1_a 640x2", "hada_w1_b 2x2880", "hada_w2_a 640x2", "hada_w2_b 2x2880"]);
    expect(await shapes(["use_cp=True"])).toEqual([
      "hada_t1 4x4x3x3", "hada_w1_a 4x640", "hada_w1_b 4x320", "hada_t2 4x4x3x3", "hada_w2_a 4x640", "hada_w2_b 4x320",
    ]);
  });

  it("of a LoKr are cut at LyCORIS' divisors", async () => {
    const cut = (size: number, factor: number): string => factorization(size, factor).join("·");
    expect([320, 640, 768, 1024, 1280, 2560, 3072, 5120, 10240].map((size) => cut(size, -1))).toEqual([
      "16·20", "20·32", "24·32", "32·32", "32·40", "40·64", "48·64", "64·80", "80·128",
    ]);
    expect([cut(320, 8), cut(1280, 8), cut(250, 4), cut(127, 4), cut(360, 16)]).toEqual(["8·40", "8·160", "2·125", "1·127", "15·24"]);
  });

  it("say alpha so that alpha divided by the rank is what the run multiplied by", async () => {
    const alphas = async (args: string[]) => new Set((await adaptersOf("sd1", { network_dim: 16, network_alpha: 4, network_args: args })).targets.map(({ alpha, rank }) => alpha / rank));
    expect(await alphas(["algo=locon"])).toEqual(new Set([0.25]));
    expect(await alphas(["algo=loha", "rs_lora=True"])).toEqual(new Set([1]));
    expect(await alphas(["algo=lokr", "full_matrix=True"])).toEqual(new Set([1]));
  });
});

describe("the start", () => {
  const spread = (values: Float32Array): { most: number; deviation: number } => ({
    most: values.reduce((most, value) => Math.max(most, Math.abs(value)), 0),
    deviation: Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length),
  });

  it("of a LoHa and of a LoKr is LyCORIS', and adds nothing", async () => {
    const started = async (args: string[]) => initialAdapter(await adaptersOf("sd1", { network_dim: 8, network_args: ["preset=attn-only", ...args] }), 1);
    const name = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q";
    const loha = (await started(["algo=loha"])).get(name)!;
    expect(spread(loha["hada_w1_a"]!).deviation).toBeCloseTo(0.1, 2);
    expect(spread(loha["hada_w1_b"]!).deviation).toBeCloseTo(1, 1);
    expect(spread(loha["hada_w2_b"]!).deviation).toBeCloseTo(1, 1);
    expect(spread(loha["hada_w2_a"]!).most).toBe(0);
    expect(loha["hada_w1_b"]).not.toEqual(loha["hada_w2_b"]);
    const scaled = (await started(["algo=loha", "use_scalar=True"])).get(name)!;
    expect(spread(scaled["hada_w2_a"]!).deviation).toBeCloseTo(0.1, 2);
    expect([...scaled["scalar"]!]).toEqual([0]);
    // 640 = 20 · 32 on both sides: w1 [20, 20], w2 as [32, 8] · [8, 32]. PyTorch draws from ±1/√columns.
    const lokr = (await started(["algo=lokr"])).get(name)!;
    expect(spread(lokr["lokr_w1"]!).most).toBeLessThanOrEqual(1 / Math.sqrt(20));
    expect(spread(lokr["lokr_w1"]!).most).toBeGreaterThan(0.9 / Math.sqrt(20));
    expect(spread(lokr["lokr_w2_a"]!).most).toBeLessThanOrEqual(1 / Math.sqrt(8));
    expect(spread(lokr["lokr_w2_b"]!).most).toBe(0);
  });

  it.each([true, false])("of DoRA are the norms of the base weight, by output %s", async (byOutput) => {
    const source = await openNodeFile(new URL("../reference/data/mini-sd2.safetensors", import.meta.url).pathname);
    const checkpoint = await openCheckpoint(await openSafetensors(source));
    const config = parseConfig({ network_module: "lycoris.kohya", network_args: ["dora_wd=True", `wd_on_output=${byOutput}`] }).config;
    const adapters = createAdapters(checkpoint, config);
    const norms = await baseNorms(checkpoint, adapters);
    // A 3×3 convolution, and a slice of OpenCLIP's stacked projections.
    for (const name of ["lora_unet_down_blocks_0_resnets_0_conv1", "lora_te_text_model_encoder_layers_0_self_attn_v_proj"]) {
      const { weight, in: width, out, kernel } = adapters.targets.find((target) => target.name === name)!;
      const values = await checkpoint.file.readF32(checkpoint.keys.get(weight.key)!);
      const taps = kernel ** 2;
      const of = (line: number): number => {
        let sum = 0;
        for (let o = 0; o < out; o++) {
          for (let i = 0; i < width; i++) {
            if ((byOutput ? o : i) !== line) continue;
            for (let tap = 0; tap < taps; tap++) sum += values[((weight.rowStart + o) * width + i) * taps + tap]! ** 2;
          }
        }
        return Math.sqrt(sum);
      };
      const given = norms.get(name)!;
      expect(given.length).toBe(byOutput ? out : width);
      for (const line of [0, 1, given.length - 1]) expect(given[line]).toBeCloseTo(of(line), 5);
    }
    await source.close();
  });
});

describe("kohya's files", () => {
  const lycoris = (values: Partial<TrainingConfig>): TrainingConfig => ({ ...defaultConfig(), network_module: "lycoris.kohya", ...values });

  it("name the network and keep its settings in network_args", () => {
    const config = lycoris({ algo: "lokr", factor: 8, preset: "attn-mlp", decompose_both: true, dora_wd: true });
    const text = writeKohyaToml(config);
    expect(text).toContain('network_module = "lycoris.kohya"');
    expect(text).toContain('"algo=lokr"');
    expect(text).not.toMatch(/^(algo|factor|preset) = /m);
    expect(loadKohyaConfig(text).config).toEqual(config);
  });

  it("refuse an algorithm that is not trained here, by name", () => {
    expect(() => parseConfig({ network_module: "lycoris.kohya", network_args: ["algo=boft"] })).toThrow(/algo/);
    expect(() => parseConfig({ network_module: "networks.oft" })).toThrow(/network_module/);
  });

  it("report what LyCORIS would have trained besides", () => {
    const { warnings } = parseConfig({ network_module: "lycoris.kohya", network_args: ["train_norm=True"] });
    expect(warnings).toEqual([expect.objectContaining({ code: "config.notSupported", param: "network_args" })]);
  });

  it.each([
    ["LyCORIS/LoCon", "locon"], ["LyCORIS/LoHa", "loha"], ["LyCORIS/LoKr", "lokr"],
  ] as const)("of the GUI with %s train %s with its preset, ranks and options", (type, algo) => {
    const gui = { LoRA_type: type, LyCORIS_preset: "attn-mlp", network_dim: 8, conv_dim: 4, conv_alpha: 2, factor: 6, use_tucker: true, dora_wd: true, train_norm: false, rank_dropout: 0.1, rank_dropout_scale: true };
    const { config, warnings } = loadKohyaConfig(JSON.stringify(gui));
    expect(warnings).toEqual([]);
    expect(config).toMatchObject({ network_module: "lycoris.kohya", algo, preset: "attn-mlp", conv_dim: 4, conv_alpha: 2, factor: 6, use_tucker: true, dora_wd: true, rank_dropout: 0.1, rank_dropout_scale: true });
    const written = writeKohya(config, "gui");
    expect(written.warnings).toEqual([]);
    expect(JSON.parse(written.text)).toMatchObject({ LoRA_type: type, LyCORIS_preset: "attn-mlp", factor: 6, conv_dim: 4 });
    expect(loadKohyaConfig(written.text).config).toEqual(config);
  });

  it("of the GUI mean nothing by LyCORIS' fields where it trains a standard LoRA", () => {
    const { config } = loadKohyaConfig(JSON.stringify({ LoRA_type: "Standard", LyCORIS_preset: "attn-only", factor: 4, use_tucker: true, train_norm: true }));
    expect(config).toMatchObject({ network_module: "networks.lora", preset: "full", factor: -1, use_tucker: false });
  });

  it("of the GUI say what it has no field for", () => {
    const { warnings } = writeKohya(lycoris({ algo: "loha", rs_lora: true }), "gui");
    expect(warnings).toEqual([expect.objectContaining({ code: "config.notInGui", param: "rs_lora" })]);
  });
});
