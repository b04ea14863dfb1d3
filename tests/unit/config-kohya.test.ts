import { describe, expect, it } from "vitest";
import { loadKohyaConfig, parseSetOption, readKohyaFile, writeKohyaToml } from "../../src/config/kohya.ts";
import { parseConfig } from "../../src/config/config.ts";
import { InputError } from "../../src/errors.ts";

const TOML = `
pretrained_model_name_or_path = "/models/sd15.safetensors"
[network]
network_module = "networks.lora"
network_dim = 32
network_alpha = 16
[optim]
optimizer_type = "AdamW8bit"
optimizer_args = ["weight_decay=0.1", "betas=0.9,0.99"]
unet_lr = 1e-4
lr_scheduler = "constant_with_warmup"
lr_warmup_steps = 0.05
[data]
resolution = "512,768"
train_inpainting = true
my_note = "keep me"
`;

describe("sd-scripts' training TOML", () => {
  it("is flattened and checked, with what is missing at sd-scripts' defaults", () => {
    const loaded = loadKohyaConfig(TOML);
    expect(loaded.source).toBe("toml");
    expect(loaded.config).toMatchObject({
      pretrained_model_name_or_path: "/models/sd15.safetensors", network_dim: 32, network_alpha: 16,
      optimizer_type: "AdamW8bit", optimizer_args: ["weight_decay=0.1", "betas=0.9,0.99"], unet_lr: 1e-4,
      lr_scheduler: "constant_with_warmup", lr_warmup_steps: 0.05, resolution: [512, 768], learning_rate: 2e-6,
    });
    expect(loaded.unknownKeys).toEqual(["my_note"]);
    expect(loaded.warnings.map((warning) => warning.param).sort()).toEqual(["train_inpainting"]);
    expect(loaded.extra).toEqual({ train_inpainting: true, my_note: "keep me" });
  });

  it("names the line of a syntax error", () => {
    expect(() => readKohyaFile("a = 1\nb = = 2\n")).toThrow(InputError);
    expect(() => readKohyaFile("a = 1\nb = = 2\n")).toThrow(/line 2/);
  });

  it("comes back the same after writing, with foreign keys kept", () => {
    const { config, extra } = loadKohyaConfig(TOML);
    const written = writeKohyaToml(config, extra);
    const again = loadKohyaConfig(written);
    expect(again.config).toEqual(config);
    expect(again.extra).toEqual(extra);
    // What sd-scripts' own reader insists on: text for the resolution, a float for rates, an integer for the rank.
    expect(written).toContain('resolution = "512,768"');
    expect(written).toMatch(/network_alpha = 16\.0/);
    expect(written).toMatch(/network_dim = 32\n/);
    expect(written).toMatch(/lr_warmup_steps = 0\.05/);
  });

  it("does not let a file reach an object's prototype", () => {
    const { unknownKeys } = loadKohyaConfig('{"__proto__": {"network_dim": 3}, "constructor": 1}');
    expect(unknownKeys).toEqual(["__proto__", "constructor"]);
  });
});

describe("the GUI's JSON", () => {
  const gui = (values: Record<string, unknown>) => loadKohyaConfig(JSON.stringify({ LoRA_type: "Standard", ...values }));

  it("is recognised and starts from the GUI's defaults", () => {
    const { source, config } = gui({});
    expect(source).toBe("gui");
    expect(config).toMatchObject({
      network_dim: 8, learning_rate: 1e-4, optimizer_type: "AdamW", lr_scheduler: "cosine", lr_warmup_steps: 0.1,
      resolution: [512, 512], caption_extension: ".txt", enable_bucket: true, bucket_no_upscale: true,
      max_bucket_reso: 2048, max_train_steps: 1600, max_train_epochs: null, save_precision: "fp16",
    });
  });

  it("translates its own names and conventions", () => {
    const { config, unknownKeys, warnings } = gui({
      max_resolution: "768,768", optimizer: "Lion", optimizer_args: "'weight_decay=0.1' betas=0.9,0.99", seed: "0",
      lr_warmup_steps: 50, max_grad_norm: 0, clip_skip: "2", xformers: "xformers", mixed_precision: "fp16",
      gradient_accumulation_steps: "2", max_timestep: 1000, keep_tokens: "0",
    });
    expect(config).toMatchObject({
      resolution: [768, 768], optimizer_type: "Lion", optimizer_args: ["weight_decay=0.1", "betas=0.9,0.99"],
      seed: null, lr_warmup_steps: 50, max_grad_norm: 0, clip_skip: 2, gradient_accumulation_steps: 2,
    });
    expect(unknownKeys).toEqual([]);
    expect(warnings).toEqual([]);
  });

  it("has no warmup with a constant rate", () => {
    expect(gui({ lr_scheduler: "constant", lr_warmup: 10 }).config.lr_warmup_steps).toBe(0);
  });

  it.each([
    [{ text_encoder_lr: 0, unet_lr: 1e-4 }, { network_train_unet_only: true, text_encoder_lr: null, unet_lr: 1e-4 }],
    [{ text_encoder_lr: 1e-5, unet_lr: 0 }, { network_train_text_encoder_only: true, text_encoder_lr: 1e-5 }],
    [
      { text_encoder_lr: 0, unet_lr: 0, learning_rate: 3e-4 },
      { network_train_unet_only: false, network_train_text_encoder_only: false, learning_rate: 3e-4, unet_lr: null },
    ],
  ])("reads a rate of 0 as a side that is not trained: %j", (values, expected) => {
    expect(gui(values).config).toMatchObject(expected);
  });

  it("takes the kind of noise that noise_offset_type chooses, and not the other", () => {
    const values = { LoRA_type: "Standard", noise_offset: 0.05, multires_noise_iterations: 6, multires_noise_discount: 0.2 };
    const load = (more: object) => loadKohyaConfig(JSON.stringify({ ...values, ...more })).config;
    const offset = { noise_offset: 0.05, multires_noise_iterations: null };
    const multires = { noise_offset: null, multires_noise_iterations: 6, multires_noise_discount: 0.2 };
    expect(load({})).toMatchObject(offset);
    expect(load({ noise_offset_type: "Original" })).toMatchObject(offset);
    expect(load({ noise_offset_type: "Multires" })).toMatchObject(multires);
  });

  it("takes a 0 for not set where the GUI does and 0 could not be trained with", () => {
    const zeros = { huber_c: 0, huber_scale: 0, min_timestep: 0, max_timestep: 0, lr_scheduler_num_cycles: 0 };
    const { config } = loadKohyaConfig(JSON.stringify({ LoRA_type: "Standard", ...zeros }));
    const unset = { huber_c: 0.1, huber_scale: 1, min_timestep: null, max_timestep: null, lr_scheduler_num_cycles: 1 };
    expect(config).toMatchObject(unset);
  });

  it("counts epochs when max_train_steps is 0", () => {
    const { config, warnings } = gui({ max_train_steps: 0, epoch: 4, optimizer: "AdamW" });
    expect(config.max_train_epochs).toBe(4);
    expect(warnings).toEqual([expect.objectContaining({ code: "config.epochsInsteadOfSteps" })]);
  });

  it("refuses another kind of network instead of training the wrong one", () => {
    expect(() => gui({ LoRA_type: "LyCORIS/GLoRA" })).toThrow(/LoRA_type/);
  });
});

describe("--set", () => {
  it("splits at the first equals sign and is read by the parameter's type", () => {
    const [key, value] = parseSetOption("optimizer_args=weight_decay=0.1 betas=0.9,0.99");
    expect(parseConfig({ [key]: value }).config.optimizer_args).toEqual(["weight_decay=0.1", "betas=0.9,0.99"]);
    expect(parseConfig(Object.fromEntries([parseSetOption("resolution=256")])).config.resolution).toEqual([256, 256]);
  });

  it.each(["network_dim", "=3", "nework_dim=3"])("refuses %s", (option) => {
    expect(() => parseSetOption(option)).toThrow(InputError);
  });

  it("accepts kohya's keys that make no difference here", () => {
    expect(parseSetOption("mixed_precision=no")).toEqual(["mixed_precision", "no"]);
  });
});
