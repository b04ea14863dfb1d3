import { describe, expect, it } from "vitest";
import { parseConfig } from "../../src/config/config.ts";
import { convSettings } from "../../src/config/lycoris-settings.ts";
import { loadKohyaConfig, writeKohyaToml } from "../../src/config/kohya.ts";
import { writeKohya } from "../../src/config/kohya-write.ts";
import { defaultConfig } from "../../src/config/parameters.ts";
import { buildLoraMetadata, type RunFacts } from "../../src/lora/metadata.ts";

const toml = 'network_module = "networks.lora"\nnetwork_dim = 8\nnetwork_args = ["conv_dim=4", "conv_alpha=2.5", "reg_dims=4"]\n';

describe("network_args", () => {
  it("set what has a row of its own, and the others are reported", () => {
    const { config, warnings } = loadKohyaConfig(toml);
    expect(config).toMatchObject({ network_dim: 8, conv_dim: 4, conv_alpha: 2.5 });
    expect(warnings).toEqual([expect.objectContaining({ code: "config.notSupported", param: "network_args" })]);
    expect(warnings[0]?.message).toContain("reg_dims=4");
  });

  it("mean sd-scripts' default alpha of 1 beside conv_dim, and LyCORIS' alpha and rank of the other layers", () => {
    expect(convSettings(parseConfig({ network_args: "conv_dim=4" }).config)).toEqual({ rank: 4, alpha: 1 });
    const lycoris = { network_module: "lycoris.kohya", network_dim: 16, network_alpha: 8 };
    expect(convSettings(parseConfig({ ...lycoris, network_args: "conv_dim=4" }).config)).toEqual({ rank: 4, alpha: 8 });
    expect(convSettings(parseConfig(lycoris).config)).toEqual({ rank: 16, alpha: 8 });
    expect(convSettings(parseConfig({ ...lycoris, network_args: "conv_dim=0" }).config)).toBeUndefined();
  });

  it("hold rank_dropout and module_dropout, and not network_dropout", () => {
    const file = 'network_dropout = 0.1\nnetwork_args = ["rank_dropout=0.25", "module_dropout=0"]\n';
    const { config, warnings } = loadKohyaConfig(file);
    expect(config).toMatchObject({ network_dropout: 0.1, rank_dropout: 0.25, module_dropout: null });
    expect(warnings).toEqual([]);
    const text = writeKohyaToml(config);
    expect(text).toContain('network_args = [ "rank_dropout=0.25" ]');
    expect(text).toContain("network_dropout = 0.1");
    expect(() => parseConfig({ network_args: ["rank_dropout=1"] })).toThrow(/rank_dropout/);
  });

  it("name the setting that cannot be used", () => {
    expect(() => parseConfig({ network_args: ["conv_dim=many"] })).toThrow(/conv_dim/);
    expect(() => parseConfig({ network_args: ["conv_dim=-1"] })).toThrow(/conv_dim/);
  });

  it("are written for sd-scripts, and not beside them", () => {
    const text = writeKohyaToml({ ...defaultConfig(), conv_dim: 6, conv_alpha: 3 });
    expect(text).toMatch(/network_args = \[ "conv_dim=6", "conv_alpha=3" \]/);
    expect(text).not.toMatch(/^conv_/m);
    expect(loadKohyaConfig(text).config).toMatchObject({ conv_dim: 6, conv_alpha: 3 });
    expect(writeKohyaToml(defaultConfig())).not.toContain("network_args");
  });

  it.each(["toml", "json"] as const)("keep what else stood there when a setting changes, as %s", (format) => {
    const { config } = loadKohyaConfig(toml);
    const { text } = writeKohya({ ...config, conv_dim: 9 }, format, toml);
    const again = loadKohyaConfig(text);
    expect(again.config).toMatchObject({ conv_dim: 9, conv_alpha: 2.5, network_dim: 8 });
    expect(again.extra).toMatchObject({ network_args: ["reg_dims=4"] });
  });

  it("come from the GUI's fields only where it trains a Kohya LoCon", () => {
    const gui = (values: object) => loadKohyaConfig(JSON.stringify({ conv_dim: 8, conv_alpha: 4, optimizer: "AdamW", ...values })).config;
    expect(gui({ LoRA_type: "Standard" })).toMatchObject({ network_module: "networks.lora", conv_dim: null, conv_alpha: null });
    expect(gui({ LoRA_type: "Kohya LoCon" })).toMatchObject({ conv_dim: 8, conv_alpha: 4 });
    expect(() => gui({ LoRA_type: "LyCORIS/GLoRA" })).toThrow(/LoRA_type/);
  });

  it("become the GUI's type of network, and go with it", () => {
    const written = JSON.parse(writeKohya({ ...defaultConfig(), conv_dim: 8, conv_alpha: 4 }, "gui").text) as object;
    expect(written).toMatchObject({ LoRA_type: "Kohya LoCon", conv_dim: 8, conv_alpha: 4 });
    const origin = JSON.stringify(written);
    const { text, warnings } = writeKohya({ ...loadKohyaConfig(origin).config, conv_dim: null }, "gui", origin);
    expect(warnings).toEqual([]);
    expect(JSON.parse(text)).toMatchObject({ LoRA_type: "Standard" });
    expect(loadKohyaConfig(text).config.conv_dim).toBeNull();
  });

  it("are told in a file's metadata as sd-scripts keeps them: texts, and the dropout that it adds", () => {
    const facts: RunFacts = {
      sessionId: 1, startedAt: 1, finishedAt: 2, family: "sd1", predictionType: "epsilon", numTrainImages: 1, numRegImages: 0,
      numBatchesPerEpoch: 1, numEpochs: 1, maxTrainSteps: 1, steps: 1, epoch: 1, implementationVersion: "lorasmith/0",
      dataset: { dirs: {}, regDirs: {}, tagFrequency: {}, bucketInfo: null },
    };
    expect(buildLoraMetadata({ network_dropout: 0.1 }, facts).get("ss_network_dropout")).toBe("0.1");
    const told = (settings: object) => buildLoraMetadata({ ...settings }, facts).get("ss_network_args");
    expect(told({ conv_dim: 8, conv_alpha: 4 })).toBe('{"conv_dim": "8", "conv_alpha": "4", "dropout": null}');
    expect(told({ rank_dropout: 0.25, network_dropout: 0.1 })).toBe('{"rank_dropout": "0.25", "dropout": 0.1}');
    expect(told({ conv_dim: null, conv_alpha: null })).toBeUndefined();
  });
});
