import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { withModel } from "../../src/cli/open-model.ts";
import { readGiven, settle, type SettingsOptions } from "../../src/cli/settings.ts";
import { defaultConfig, suggestedConfig, type TrainingConfig } from "../../src/config/parameters.ts";
import { presetOf } from "../../src/config/preset.ts";
import { writePresetFile } from "../../src/config/preset-file.ts";
import { writeShareLink } from "../../src/config/share-link.ts";
import { dataFile } from "./run-bin.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "lorasmith-settings-"));
});
afterAll(() => rm(root, { recursive: true }));

async function settled(options: SettingsOptions, model = "sd1", base?: TrainingConfig) {
  const given = await readGiven(options);
  return withModel(dataFile(`mini-${model}.safetensors`), async (checkpoint) => settle(given, checkpoint, base));
}

describe("settings of a command", () => {
  test("what is not set is what sd-scripts means, with v2 and the prediction from the checkpoint", async () => {
    expect((await settled({})).config).toEqual(defaultConfig());
    const { config, warnings } = await settled({}, "sd2");
    expect(config.v2).toBe(true);
    expect(warnings).toEqual([]);
  });

  test("--suggested starts from the page's values, which give way to what is set", async () => {
    expect((await settled({ suggested: true })).config).toEqual(suggestedConfig());
    const { config } = await settled({ suggested: true, set: ["max_train_steps=7", "learning_rate=0.001"] });
    expect(config).toMatchObject({ max_train_steps: 7, max_train_epochs: null, learning_rate: 0.001, text_encoder_lr: null });
    expect(config.network_dim).toBe(suggestedConfig().network_dim);
  });

  test("a continued run keeps its settings where nothing else is said", async () => {
    const base = { ...defaultConfig(), network_dim: 32, seed: 5 };
    expect((await settled({ set: ["seed=6"] }, "sd1", base)).config).toEqual({ ...base, seed: 6 });
  });

  test("settings that nobody knows and those that are replaced are told", async () => {
    const path = join(root, "config.json");
    await writeFile(path, JSON.stringify({ optimizer_type: "PagedAdamW", frobnicate: 3, v_parameterization: true }));
    const { config, warnings } = await settled({ config: path });
    expect(config.optimizer_type).toBe("AdamW");
    expect(warnings).toEqual([
      expect.stringContaining("PagedAdamW"),
      "Unknown settings, not used: frobnicate",
      expect.stringMatching(/^v_parameterization is true, but the checkpoint looks like epsilon/),
    ]);
  });

  test("a preset's file and its link mean all that they leave out, but not the model's family", async () => {
    const { v2: _, ...meant } = { ...suggestedConfig(), network_dim: 24, sample_prompts: "a --d 1\nb", min_snr_gamma: 5 };
    const preset = presetOf("mine", { ...suggestedConfig(), ...meant }, { name: "sd15.safetensors", hash: "1a2b3c4d" });
    const path = join(root, "mine.lorasmith.json");
    await writeFile(path, writePresetFile(preset));
    const link = `https://example.org/lorasmith/${await writeShareLink(preset)}`;
    for (const config of [path, link]) {
      expect((await settled({ config })).config).toEqual({ ...meant, v2: false });
      expect((await settled({ config, suggested: true, set: ["network_dim=8"] })).config).toEqual({ ...meant, v2: false, network_dim: 8 });
      expect((await settled({ config }, "sd2")).config.v2).toBe(true);
    }
    await expect(settled({ config: link.slice(0, -4) })).rejects.toMatchObject({ code: "preset.damaged" });
  });

  test("a thumbnail's path means the picture that lies there, beside the settings or from here", async () => {
    await writeFile(join(root, "face.PNG"), Uint8Array.of(1, 2, 3));
    const file = join(root, "thumbnail.toml");
    await writeFile(file, 'metadata_thumbnail = "face.PNG"\n');
    expect((await settled({ config: file })).config.metadata_thumbnail).toBe("data:image/png;base64,AQID");
    expect((await settled({ set: [`metadata_thumbnail=${join(root, "face.PNG")}`] })).config.metadata_thumbnail).toBe("data:image/png;base64,AQID");
    await expect(settled({ set: ["metadata_thumbnail=none.jpg"] })).rejects.toMatchObject({ code: "file.missing" });
    await expect(settled({ set: ["metadata_thumbnail=notes.txt"] })).rejects.toMatchObject({ code: "config.range", param: "metadata_thumbnail" });
  });

  test("what does not go together is told as on the page", async () => {
    const { warnings } = await settled({ set: ["zero_terminal_snr=true", "learning_rate=1e-4"] });
    expect(warnings).toEqual([expect.stringMatching(/^zero_terminal_snr is for v-prediction models/)]);
    expect((await settled({ set: ["zero_terminal_snr=true", "v_parameterization=true"] })).warnings).toEqual([
      expect.stringMatching(/^v_parameterization is true, but/),
    ]);
    expect((await settled({ set: ["optimizer_type=Lion", "learning_rate=1e-3"] })).warnings).toEqual([expect.stringMatching(/^Lion with/)]);
  });

  test("v2 that contradicts the checkpoint is refused", async () => {
    await expect(settled({ set: ["v2=false"] }, "sd2")).rejects.toMatchObject({ code: "config.v2" });
  });
});
