import { describe, expect, it } from "vitest";
import { loadKohyaConfig } from "../../src/config/kohya.ts";
import { writeKohya } from "../../src/config/kohya-write.ts";
import { exportForSdScripts } from "../../src/config/kohya-export.ts";
import { parseConfig } from "../../src/config/config.ts";
import { defaultConfig, type TrainingConfig } from "../../src/config/parameters.ts";
import { appliesTo } from "../../src/config/kinds.ts";
import { learningRates } from "../../src/config/learning-rate.ts";
import { readGiven } from "../../src/cli/settings.ts";
import { withWords } from "../../src/dataset/word-captions.ts";
import { RandomSequence } from "../../src/random/rng.ts";
import { tokenize } from "../../src/text/tokenizer.ts";
import { CaptionSource } from "../../src/training/caption-source.ts";
import wordTokens from "./fixtures/word-tokens.json" with { type: "json" };

const word: TrainingConfig = {
  ...defaultConfig(), training_kind: "textual_inversion", token_string: "sty", num_vectors_per_token: 3, learning_rate: 5e-3,
};
const chance = (index = 0): RandomSequence => new RandomSequence(1, "captions", index);

describe("captions of a textual inversion", () => {
  it("name every vector where the token stands, also inside of a word", () => {
    expect(withWords("a sty, my sty2 $&", word, chance())).toBe("a sty sty1 sty2, my sty sty1 sty22 $&");
    expect(withWords("a sty", { ...word, num_vectors_per_token: 1 }, chance())).toBe("a sty");
    expect(withWords("a sty", defaultConfig(), chance())).toBe("a sty");
  });

  it("are one of 27 templates for objects, or of 19 for styles, two of which count twice; objects win", () => {
    const drawn = (rules: Partial<TrainingConfig>): Set<string> =>
      new Set(Array.from({ length: 2000 }, (_, i) => withWords("ignored", { ...word, ...rules }, chance(i))));
    const objects = drawn({ use_object_template: true });
    const styles = drawn({ use_style_template: true });
    expect([objects.size, styles.size]).toEqual([27, 17]);
    expect(objects).toContain("a photo of my sty sty1 sty2");
    expect(styles).toContain("a close-up painting in the style of sty sty1 sty2");
    expect(drawn({ use_object_template: true, use_style_template: true })).toEqual(objects);
  });

  it("are never dropped, and stay as they are without templates", () => {
    const source = (changes: Partial<TrainingConfig>): CaptionSource => new CaptionSource(
      [{ caption: "a sty" }], { ...word, caption_dropout_rate: 1, ...changes }, { seed: 1, totalUpdates: 10, variant: "sd1", vocabulary: 49408 },
    );
    expect(source({}).varies).toBe(false);
    expect([...source({}).steadyTokens(0).ids.subarray(0, 6)]).toEqual([49406, 320, 49408, 49409, 49410, 49407]);
    expect(source({ use_style_template: true }).varies).toBe(true);
  });

  it.each(wordTokens)("have the tokens that transformers gives: $variant $text", ({ variant, token, count, text, ids }) => {
    const names = Array.from({ length: count }, (_, i) => (i === 0 ? token : `${token}${i}`));
    expect(tokenize(text, { variant: variant as "sd1" | "sd2", words: { names, firstId: 49408 } })).toEqual(ids);
  });
});

describe("the settings of a textual inversion", () => {
  it("are learned at the common rate, whatever the sides' rates are", () => {
    expect(learningRates({ ...word, unet_lr: 1, text_encoder_lr: 2, network_train_unet_only: true }, 0, 10)).toEqual({ textEncoder: 5e-3 });
  });

  it("need a word", () => {
    expect(() => parseConfig({ training_kind: "textual_inversion" })).toThrow(/token_string/);
    expect(() => parseConfig({ training_kind: "textual_inversion", token_string: " sty" })).toThrow(/blank/);
  });

  it("are those that the kind looks at", () => {
    expect(appliesTo("network_dim", "textual_inversion")).toBe(false);
    expect(appliesTo("caption_dropout_rate", "textual_inversion")).toBe(false);
    expect(appliesTo("learning_rate", "textual_inversion")).toBe(true);
    expect(appliesTo("token_string", "lora")).toBe(false);
    expect(appliesTo("network_dim", "lora")).toBe(true);
  });

  it("are told by a file of sd-scripts with a token, unless it names a network", () => {
    const kindOf = (text: string): string => loadKohyaConfig(text).config.training_kind;
    expect(kindOf('token_string = "sty"\ninit_word = "cat"')).toBe("textual_inversion");
    expect(kindOf('{"token_string": "sty"}')).toBe("textual_inversion");
    expect(kindOf('token_string = "sty"\nnetwork_module = "networks.lora"')).toBe("lora");
    expect(kindOf('learning_rate = 1e-4')).toBe("lora");
  });

  it("can be asked for by kind on the command line", async () => {
    expect((await readGiven({ kind: "textual-inversion", set: ["token_string=sty"] })).values).toEqual({ training_kind: "textual_inversion", token_string: "sty" });
  });

  it("come from the GUI's tab and go back to it, and lead sd-scripts to its program for them", () => {
    const gui = { token_string: "sty", init_word: "cat", num_vectors_per_token: 3, template: "style template", weights: "old.pt", optimizer: "AdamW", max_resolution: "512,512", learning_rate: 5e-3, save_model_as: "safetensors" };
    const { config, warnings } = loadKohyaConfig(JSON.stringify(gui));
    expect(warnings).toEqual([]);
    expect(config).toMatchObject({
      training_kind: "textual_inversion", token_string: "sty", init_word: "cat", num_vectors_per_token: 3, use_object_template: false,
      use_style_template: true, weights: "old.pt", learning_rate: 5e-3,
    });
    const written = writeKohya(config, "gui");
    expect(written.warnings).toEqual([]);
    expect(JSON.parse(written.text)).toMatchObject({ token_string: "sty", init_word: "cat", template: "style template", weights: "old.pt" });
    expect(JSON.parse(written.text)).not.toHaveProperty("LoRA_type");
    expect(loadKohyaConfig(written.text).config).toMatchObject({ training_kind: "textual_inversion", use_style_template: true });

    const toml = writeKohya(config, "toml").text;
    expect(loadKohyaConfig(toml).config).toEqual(config);
    expect(toml).toContain('save_model_as = "safetensors"');
    const script = exportForSdScripts(config, [], "model.safetensors").files.find(({ path }) => path === "train.sh");
    expect(JSON.stringify(script)).toContain("train_textual_inversion.py");
  });
});
