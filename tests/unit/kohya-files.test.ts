import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ConfigError } from "../../src/config/errors.ts";
import { loadKohyaConfig } from "../../src/config/kohya.ts";
import { writeKohya } from "../../src/config/kohya-write.ts";
import { PARAMETER_KEYS, defaultConfig, parameter, suggestedConfig } from "../../src/config/parameters.ts";
import type { TrainingConfig } from "../../src/config/parameters.ts";
import { InputError } from "../../src/errors.ts";
import { numbersFrom } from "./harness/random-numbers.ts";

const fixture = (name: string): string => readFileSync(new URL(`fixtures/kohya/${name}`, import.meta.url), "utf8");
const spring = fixture("gui-2023-spring.json");
const autumn = fixture("gui-2023-autumn.json");

const toml = `# my settings
pretrained_model_name_or_path = "/models/sd15.safetensors"

[network]
network_module = "networks.lora"   # plain
network_dim = 32
network_alpha = 16.0

[optim]
optimizer_args = ["weight_decay=0.1"] # decay
unet_lr = 1e-4
max_grad_norm = 0.0
vae_batch_size = 0
note = "kept"
`;

/** Lines of one text that the other does not have. */
function newLines(before: string, after: string): string[] {
  const known = new Set(before.split("\n"));
  return after.split("\n").filter((line) => !known.has(line));
}

describe("JSONs of older versions of kohya_ss", () => {
  it("load with numbers as text, renamed keys and flags of their time", () => {
    const { config, warnings, unknownKeys } = loadKohyaConfig(spring);
    expect(config).toMatchObject({
      clip_skip: 2, max_train_epochs: 8, gradient_accumulation_steps: 2, keep_tokens: 1, learning_rate: 1e-4,
      lr_scheduler_num_cycles: 1, lr_scheduler_power: 1, lr_warmup_steps: 0.05, resolution: [512, 640], seed: null,
      noise_offset: 0.05, text_encoder_lr: 5e-5, caption_dropout_rate: 0.05, save_every_n_epochs: 1, bucket_reso_steps: 64,
    });
    expect(unknownKeys).toEqual([]);
    expect(warnings.map(({ code }) => code)).toContain("config.epochsInsteadOfSteps");
  });

  it("take what additional_parameters says, over everything else", () => {
    const { config, unknownKeys } = loadKohyaConfig(autumn);
    expect(config).toMatchObject({
      caption_tag_dropout_rate: 0.1, keep_tokens_separator: "|||", enable_wildcard: true, network_train_unet_only: true,
      max_grad_norm: 0, noise_offset: null, multires_noise_iterations: 8, multires_noise_discount: 0.2, max_train_steps: 1500,
      optimizer_args: ["weight_decay=0.1", "betas=0.9,0.99"],
    });
    expect(unknownKeys).toEqual(["my_own_note"]);
  });

  it.each([
    [{ seed: "many" }, "seed", { seed: null }],
    [{ max_token_length: "long" }, "max_token_length", {}],
    [{ learning_rate: "fast" }, "learning_rate", { learning_rate: 0 }],
    [{ lr_scheduler_num_cycles: "x", lr_scheduler: "cosine_with_restarts" }, "lr_scheduler_num_cycles", { lr_scheduler_num_cycles: 1 }],
  ])("take %j as the GUI does, and say so", (values, key, expected) => {
    const { config, warnings } = loadKohyaConfig(JSON.stringify({ LoRA_type: "Standard", ...values }));
    expect(config).toMatchObject(expected);
    expect(warnings).toEqual(expect.arrayContaining([expect.objectContaining({ code: "config.guiNumber", param: key })]));
  });

  it("name words of additional_parameters that belong to nothing, and options that nobody knows", () => {
    const { warnings, unknownKeys } = loadKohyaConfig(JSON.stringify({ LoRA_type: "Standard", additional_parameters: "stray --nework_dim=3" }));
    expect(warnings).toEqual(expect.arrayContaining([expect.objectContaining({ code: "config.strayWords" })]));
    expect(unknownKeys).toEqual(["nework_dim"]);
  });

  it("name a bad value by the GUI's own key", () => {
    expect(() => loadKohyaConfig(JSON.stringify({ LoRA_type: "Standard", max_resolution: "big" }))).toThrow(/max_resolution/);
  });
});

describe("a file that comes back as it is", () => {
  it.each([["toml", toml], ["gui", spring], ["gui", autumn], ["json", '{"network_dim": 8, "mine": 0}']] as const)(
    "has no diff in %s", (format, text) => {
      expect(writeKohya(loadKohyaConfig(text).config, format, text)).toEqual({ text, warnings: [] });
    },
  );

  it("has none where its values can't be used here either, and says which stay", () => {
    const text = spring.replace('"bucket_reso_steps": 64.0', '"bucket_reso_steps": 32').replace('"network_dim": 32', '"network_dim": 100000');
    const problems: string[] = [];
    const { config } = loadKohyaConfig(text, ({ param }) => problems.push(param));
    const written = writeKohya(config, "gui", text);
    expect(written.text).toBe(text);
    expect(problems.toSorted()).toEqual(["bucket_reso_steps", "network_dim"]);
    expect(written.warnings.map(({ code, param }) => [code, param])).toEqual(problems.map((param) => ["config.keptAsWritten", param]));
  });
});

describe("a file with changed settings", () => {
  it("keeps comments, sections and foreign keys of a TOML", () => {
    const { config } = loadKohyaConfig(toml);
    const changed = { ...config, network_dim: 8, optimizer_args: ["weight_decay=0.2"], unet_lr: null, seed: 7 };
    const { text } = writeKohya(changed, "toml", toml);
    expect(newLines(toml, text)).toEqual(["network_dim = 8", 'optimizer_args = [ "weight_decay=0.2" ] # decay', "seed = 7"]);
    expect(loadKohyaConfig(text).config).toEqual(changed);
    expect(text).not.toContain("unet_lr");
  });

  it("changes only the lines of a GUI's JSON that are about them", () => {
    const { config } = loadKohyaConfig(autumn);
    const changed: TrainingConfig = { ...config, network_dim: 16, lr_warmup_steps: 25, caption_tag_dropout_rate: 0.2 };
    const { text, warnings } = writeKohya(changed, "gui", autumn);
    expect(newLines(autumn, text)).toEqual([
      '  "additional_parameters": "--keep_tokens_separator=||| \\"--enable_wildcard\\" --caption_tag_dropout_rate=0.2",',
      '  "lr_warmup": 0,', '  "lr_warmup_steps": 25,', '  "network_dim": 16,',
    ]);
    expect(warnings).toEqual([]);
    expect(loadKohyaConfig(text).config).toEqual(changed);
  });

  it("is written anew where a value has no line of its own", () => {
    const text = '{"network_dim": 8, "network_alpha": 4, "mine": [0, null]}';
    const written = writeKohya({ ...loadKohyaConfig(text).config, network_dim: 2 }, "json", text).text;
    expect(JSON.parse(written)).toEqual({ network_dim: 2, network_alpha: 4, mine: [0, null] });
  });
});

describe("from one format to another", () => {
  it.each(["toml", "json", "gui"] as const)("%s says every setting, and zeros that the GUI would lose", (format) => {
    const config: TrainingConfig = {
      ...suggestedConfig(), unet_lr: 2e-4, max_grad_norm: 0, prior_loss_weight: 0, seed: 0, lr_warmup_steps: 0.075, noise_offset: 0.1,
      multires_noise_iterations: 6, keep_tokens_separator: "|||", caption_tag_dropout_rate: 0.05, resolution: [512, 768],
    };
    const { text, warnings } = writeKohya(config, format);
    expect(warnings).toEqual([]);
    expect(loadKohyaConfig(text).config).toEqual(config);
  });

  it("gives the GUI's command line what its own file loses", () => {
    const { text } = writeKohya({ ...suggestedConfig(), max_grad_norm: 0, seed: 0, lr_warmup_steps: 0.075 }, "gui");
    const { additional_parameters } = JSON.parse(text) as { additional_parameters: string };
    expect(additional_parameters.split(" ")).toEqual(expect.arrayContaining(["--max_grad_norm=0", "--seed=0", "--lr_warmup_steps=0.075"]));
  });

  it.each([
    [{ unet_lr: null, text_encoder_lr: null, learning_rate: 3e-4 }, { unet_lr: 0, text_encoder_lr: 0 }],
    [{ unet_lr: 2e-4, text_encoder_lr: null, network_train_unet_only: true }, { unet_lr: 2e-4, text_encoder_lr: 0 }],
    [{ unet_lr: null, text_encoder_lr: 1e-5, learning_rate: 3e-4 }, { unet_lr: 3e-4, text_encoder_lr: 1e-5 }],
  ])("writes the rates of %j as the GUI means them", (rates, expected) => {
    const { text, warnings } = writeKohya({ ...defaultConfig(), ...rates }, "gui");
    expect(JSON.parse(text)).toMatchObject(expected);
    expect(warnings).toEqual([]);
  });

  it("turns the GUI's kind of network with the rank of convolutions", () => {
    const locon = { ...defaultConfig(), conv_dim: 8, conv_alpha: 4 };
    const { text, warnings } = writeKohya(locon, "gui");
    expect(JSON.parse(text)).toMatchObject({ LoRA_type: "Kohya LoCon", conv_dim: 8, conv_alpha: 4 });
    expect(warnings).toEqual([]);
    expect(loadKohyaConfig(text).config).toMatchObject({ conv_dim: 8, conv_alpha: 4 });
    expect(JSON.parse(writeKohya({ ...locon, conv_dim: null }, "gui", text).text)).toMatchObject({ LoRA_type: "Standard" });
    expect(writeKohya(locon, "json").text).toContain("conv_dim=8");
  });

  it("names what the GUI cannot say", () => {
    const { warnings } = writeKohya({ ...suggestedConfig(), caption_prefix: "a photo of" }, "gui");
    expect(warnings).toEqual([expect.objectContaining({ code: "config.notInGui", param: "caption_prefix" })]);
  });

  it("takes foreign keys along from the GUI's JSON to TOML and back", () => {
    const { config, extra } = loadKohyaConfig(autumn);
    const { text, warnings } = writeKohya(config, "toml", autumn);
    expect(warnings).toEqual([expect.objectContaining({ code: "config.notInToml", param: "my_own_note" })]);
    const again = loadKohyaConfig(text);
    expect(again.config).toEqual(config);
    expect(again.extra).toMatchObject({ sdpa: true, cache_latents: true });
    // Empty fields of the GUI would be names of files for sd-scripts.
    expect(text).not.toMatch(/= ""/);
    expect(extra).toHaveProperty("vae_batch_size", 0);
    expect(text).not.toContain("vae_batch_size");
    const gui = JSON.parse(writeKohya(again.config, "gui", text).text) as Record<string, unknown>;
    expect(gui).toMatchObject({ xformers: "sdpa", LoRA_type: "Standard", max_resolution: "768,768" });
  });
});

describe("a thousand files that nobody would write", () => {
  const keys = [
    ...PARAMETER_KEYS, "LoRA_type", "max_resolution", "optimizer", "lr_warmup", "epoch", "network_module", "xformers", "sdxl",
    "additional_parameters", "noise_offset_type", "conv_dim", "nonsense", "__proto__", "constructor", "toString", "a b",
  ];
  const values: readonly unknown[] = [
    0, 1, -1, 0.5, 1e308, 64, 100_000, "", "0", "1e-4", "abc", "True", "512,512", true, false, null, [], [0], ["a=1", 2],
    {}, { a: [] }, "--x", "\u0000", "’", "{", "'", '"', "Infinity", "<img src=x onerror=alert(1)>", "betas=0.9",
  ];

  it("are read or refused by the name of a key, never with another error", { timeout: 60_000 }, () => {
    const next = numbersFrom(7);
    const complaints: string[] = [];
    let refused = 0;
    for (let round = 0; round < 2500; round += 1) {
      const count = 1 + Math.floor(next() * 6);
      const entries = Array.from({ length: count }, () => [keys[Math.floor(next() * keys.length)]!, values[Math.floor(next() * values.length)]] as const);
      const table = Object.fromEntries(next() < 0.5 ? [["LoRA_type", "Standard"], ...entries] : entries);
      const text = JSON.stringify(table);
      const error = errorOf(() => loadKohyaConfig(text));
      if (error !== undefined) refused += 1;
      const complaint = error === undefined ? undefined : complaintAbout(error, table, text);
      if (complaint !== undefined) complaints.push(`${text}: ${complaint}`);
      // Writing reads back what it wrote; a tenth is enough to find what can't be written.
      for (const format of round % 10 === 0 ? (["toml", "json", "gui"] as const) : []) {
        const failure = errorOf(() => writeKohya(loadKohyaConfig(text, () => undefined).config, format, text));
        if (failure !== undefined) complaints.push(`${text} as ${format}: ${String(failure)}`);
      }
    }
    expect(complaints).toEqual([]);
    expect(refused).toBeGreaterThan(500);
  });

  it("are broken in one place at a time, and that place is named", () => {
    const bad: Readonly<Record<string, unknown>> = {
      bool: "maybe", int: "abc", float: "abc", text: 5, choice: "nothing like it", size: "big", list: 7, warmup: -3,
    };
    const named = PARAMETER_KEYS.map((key) => {
      const error = errorOf(() => loadKohyaConfig(JSON.stringify({ [key]: bad[parameter(key).kind] })));
      return error instanceof ConfigError ? error.param : error;
    });
    expect(named).toEqual(PARAMETER_KEYS);
  });

  it("are texts torn apart", { timeout: 60_000 }, () => {
    const next = numbersFrom(11);
    const strange: unknown[] = [];
    for (const whole of [toml, spring]) {
      for (let round = 0; round < 300; round += 1) {
        const at = Math.floor(next() * whole.length);
        const text = whole.slice(0, at) + ["", "=", "[", '"', "\n", "}", "\u0000"][Math.floor(next() * 7)]! + whole.slice(at + 1);
        const error = errorOf(() => loadKohyaConfig(text));
        if (error !== undefined && !(error instanceof InputError)) strange.push(error);
      }
    }
    expect(strange).toEqual([]);
  });
});

function errorOf(work: () => unknown): unknown {
  try {
    work();
    return undefined;
  } catch (error) {
    return error;
  }
}

function complaintAbout(error: unknown, table: object, text: string): string | undefined {
  if (!(error instanceof ConfigError)) return String(error);
  const { param, message, code } = error;
  if (!message.includes(param)) return `${message} does not name ${param}`;
  // A rule between two settings may name the one that was left at its default.
  const isGiven = Object.hasOwn(table, param) || text.includes(param) || code === "config.conflict";
  return isGiven ? undefined : message;
}
