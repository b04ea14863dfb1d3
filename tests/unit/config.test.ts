import { describe, expect, it } from "vitest";
import { parseConfig } from "../../src/config/config.ts";
import { ConfigError } from "../../src/config/errors.ts";
import { optimizerText } from "../../src/config/optimizer-arguments.ts";
import type { TrainingConfig } from "../../src/config/parameters.ts";
import { optimizerSettings } from "../../src/config/optimizer-settings.ts";
import { PARAMETER_KEYS, defaultConfig, parameter, suggestedConfig } from "../../src/config/parameters.ts";
import { parsePythonLiteral } from "../../src/config/python-literal.ts";

function failure(values: Record<string, unknown>): ConfigError {
  try {
    parseConfig(values);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error("expected a ConfigError");
}

describe("the parameter table", () => {
  it("has sd-scripts' defaults", () => {
    expect(defaultConfig()).toMatchObject({
      learning_rate: 2e-6, max_train_steps: 1600, max_train_epochs: null, network_dim: 4, network_alpha: 1,
      caption_extension: ".caption", min_bucket_reso: 256, max_bucket_reso: 1024, bucket_reso_steps: 64,
      enable_bucket: false, lr_scheduler: "constant", max_grad_norm: 1, train_batch_size: 1, clip_skip: null,
      noise_offset: null, min_snr_gamma: null, unet_lr: null, save_precision: null,
    });
  });

  it("gives defaults and suggestions that pass its own checks", () => {
    for (const config of [defaultConfig(), suggestedConfig()]) {
      expect(parseConfig(config)).toEqual({ config, unknownKeys: [], warnings: [] });
    }
  });

  it.each(PARAMETER_KEYS)("tells of %s what it is, what to do with it and what it does, in both languages", (key) => {
    const { label, hint, more } = parameter(key);
    const lengths = [label, hint, more].map((text) => [text?.en.length ?? 0, text?.["zh-CN"].length ?? 0]);
    expect(lengths.flat().every((length) => length > 0)).toBe(true);
    expect(more?.en.length).toBeGreaterThan(hint.en.length < 60 ? 60 : 40);
    expect(more?.["zh-CN"]).toMatch(/\p{Script=Han}{2}/u);
    expect(hint["zh-CN"]).toMatch(/\p{Script=Han}|=/u);
  });

  it("says nothing twice: what is behind “more” is not the hint again, nor another setting's", () => {
    for (const language of ["en", "zh-CN"] as const) {
      const texts = PARAMETER_KEYS.flatMap((key) => [parameter(key).hint[language], parameter(key).more?.[language]]);
      const repeated = texts.filter((text, at) => text !== undefined && text.length > 30 && texts.indexOf(text) !== at);
      expect(repeated).toEqual([]);
    }
  });

  it("shows a field only when it matters", () => {
    const warmup = parameter("lr_warmup_steps").when;
    expect(warmup?.({ ...defaultConfig() })).toBe(false);
    expect(warmup?.({ ...defaultConfig(), lr_scheduler: "cosine" })).toBe(true);
  });
});

describe("parseConfig", () => {
  it("reads numbers and booleans that came as text", () => {
    const { config } = parseConfig({ network_dim: "16", learning_rate: "1e-4", enable_bucket: "True", seed: 7 });
    expect(config).toMatchObject({ network_dim: 16, learning_rate: 1e-4, enable_bucket: true, seed: 7 });
  });

  it.each([
    [768, [768, 768]], ["512", [512, 512]], ["512,768", [512, 768]], ["512, 768", [512, 768]], [[640, 448], [640, 448]],
  ])("reads the resolution %j", (resolution, expected) => {
    expect(parseConfig({ resolution }).config.resolution).toEqual(expected);
  });

  it.each([[0, 0], [100, 100], [0.1, 0.1], ["10%", 0.1], ["25", 25]])("reads the warmup %j", (given, expected) => {
    expect(parseConfig({ lr_scheduler: "cosine", lr_warmup_steps: given }).config.lr_warmup_steps).toBe(expected);
  });

  it("takes the first of several text encoder rates", () => {
    expect(parseConfig({ text_encoder_lr: [5e-5, 1e-5] }).config.text_encoder_lr).toBe(5e-5);
  });

  it("treats 0 as not set where kohya does, and as 0 where it does not", () => {
    const { config } = parseConfig({ min_snr_gamma: 0, noise_offset: 0, max_train_epochs: 0, max_grad_norm: 0, seed: 0 });
    expect(config).toMatchObject({
      min_snr_gamma: null, noise_offset: null, max_train_epochs: null, max_grad_norm: 0, seed: 0,
    });
  });

  it("says so when an optimizer is replaced", () => {
    const { config, warnings } = parseConfig({ optimizer_type: "PagedAdamW8bit" });
    expect(config.optimizer_type).toBe("AdamW8bit");
    expect(warnings).toEqual([expect.objectContaining({ code: "config.replaced", param: "optimizer_type" })]);
    expect(parseConfig({ optimizer_type: "adamw8bit" })).toMatchObject({ config: { optimizer_type: "AdamW8bit" }, warnings: [] });
    expect(parseConfig({ optimizer_type: "lion" })).toMatchObject({ config: { optimizer_type: "Lion" }, warnings: [] });
    expect(parseConfig({ optimizer_type: "" }).warnings).toEqual([]);
  });

  it("tells keys that would change the result from harmless and from unknown ones", () => {
    const { unknownKeys, warnings } = parseConfig({
      xformers: true, train_norm: true, keep_tokens: 0, shuffle_caption: "False", nework_dim: 8,
    });
    expect(unknownKeys).toEqual(["nework_dim"]);
    expect(warnings).toEqual([expect.objectContaining({ code: "config.notSupported", param: "train_norm" })]);
  });

  it.each([
    [{ network_dim: "a lot" }, "config.type", "network_dim"],
    [{ network_dim: 1.5 }, "config.type", "network_dim"],
    [{ network_dim: 0 }, "config.range", "network_dim"],
    [{ learning_rate: Number.NaN }, "config.type", "learning_rate"],
    [{ learning_rate: "0x10" }, "config.type", "learning_rate"],
    [{ seed: -1 }, "config.range", "seed"],
    [{ bucket_reso_steps: 32 }, "config.range", "bucket_reso_steps"],
    [{ resolution: "512,512,512" }, "config.range", "resolution"],
    [{ resolution: "big" }, "config.range", "resolution"],
    [{ resolution: 500 }, "config.conflict", "resolution"],
    [{ resolution: 128, enable_bucket: true }, "config.conflict", "min_bucket_reso"],
    [{ resolution: 2048, enable_bucket: true }, "config.conflict", "max_bucket_reso"],
    [{ lr_scheduler: "constant", lr_warmup_steps: 10 }, "config.conflict", "lr_warmup_steps"],
    [{ lr_scheduler: "cosine", lr_warmup_steps: 1.5 }, "config.range", "lr_warmup_steps"],
    [{ adaptive_noise_scale: 0.1 }, "config.conflict", "adaptive_noise_scale"],
    [{ scale_v_pred_loss_like_noise_pred: true }, "config.conflict", "scale_v_pred_loss_like_noise_pred"],
    [{ v_parameterization: true, v_pred_like_loss: 1 }, "config.conflict", "v_pred_like_loss"],
    [{ max_timestep: 0 }, "config.range", "max_timestep"],
    [{ loss_type: "huber", huber_c: 0 }, "config.range", "huber_c"],
    [{ lr_scheduler: "exponential" }, "config.choice", "lr_scheduler"],
    [{ optimizer_type: "AdEMAMix" }, "config.choice", "optimizer_type"],
    [{ optimizer_type: "constructor" }, "config.choice", "optimizer_type"],
    [{ optimizer_type: "Adafactor", lr_scheduler: "cosine", lr_warmup_steps: 0.1 }, "config.conflict", "lr_warmup_steps"],
    [{ optimizer_type: "Adafactor", optimizer_args: ["relative_step=False"], lr_scheduler: "adafactor" }, "config.conflict", "lr_scheduler"],
    [{ optimizer_type: "Prodigy", learning_rate: 1, text_encoder_lr: 0.5 }, "config.conflict", "text_encoder_lr"],
    [{ optimizer_type: "DAdaptLion", learning_rate: 1, unet_lr: 0.5 }, "config.conflict", "unet_lr"],
    [{ lr_scheduler: "adafactor" }, "config.conflict", "lr_scheduler"],
    [
      { optimizer_type: "Lion", optimizer_args: ["decoupled_weight_decay=True"], learning_rate: 0, unet_lr: 1e-4 },
      "config.optimizerArgs", "optimizer_args",
    ],
    [{ optimizer_args: ["momentum=0.9"] }, "config.optimizerArgs", "optimizer_args"],
    [{ optimizer_args: ["betas=0.9"] }, "config.optimizerArgs", "optimizer_args"],
    [{ optimizer_type: "Lion", optimizer_args: ["eps=1e-8"] }, "config.optimizerArgs", "optimizer_args"],
    [
      { network_train_unet_only: true, network_train_text_encoder_only: true },
      "config.conflict", "network_train_unet_only",
    ],
    [{ network_module: "networks.oft" }, "config.choice", "network_module"],
    [{ output_name: "../evil" }, "config.range", "output_name"],
    [{ enable_bucket: "maybe" }, "config.type", "enable_bucket"],
  ])("refuses %j with %s", (values, code, param) => {
    const error = failure(values);
    expect(error).toMatchObject({ code, param });
    expect(error.message).toContain(param);
  });

  it("allows a resolution that is no multiple of 64 when pictures go to buckets", () => {
    expect(parseConfig({ resolution: 500, enable_bucket: true }).config.resolution).toEqual([500, 500]);
  });

  it("can read over another base than sd-scripts' defaults", () => {
    expect(parseConfig({ network_dim: 32 }, suggestedConfig()).config).toMatchObject({
      network_dim: 32, network_alpha: 8, lr_scheduler: "cosine",
    });
  });
});

describe("optimizerSettings", () => {
  const settings = (optimizer_type: TrainingConfig["optimizer_type"], ...optimizer_args: string[]) =>
    optimizerSettings({ optimizer_type, optimizer_args });

  it("has the defaults of the classes that sd-scripts makes", () => {
    expect(settings("AdamW")).toMatchObject({ type: "AdamW", betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.01 });
    expect(settings("Adam")).toMatchObject({ type: "Adam", betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0 });
    expect(settings("Lion")).toMatchObject({ type: "Lion", betas: [0.9, 0.99], weight_decay: 0 });
    expect(settings("Adafactor")).toMatchObject({
      type: "Adafactor", eps: [1e-30, 1e-3], clip_threshold: 1, decay_rate: -0.8, beta1: null, weight_decay: 0,
      scale_parameter: true, relative_step: true, warmup_init: false,
    });
    expect(settings("Prodigy")).toMatchObject({
      betas: [0.9, 0.999], beta3: null, eps: 1e-8, weight_decay: 0, decouple: true, use_bias_correction: false,
      safeguard_warmup: false, d0: 1e-6, d_coef: 1, growth_rate: Infinity, slice_p: 1,
    });
    expect(settings("DAdaptation")).toMatchObject({ betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0, decouple: false, d0: 1e-6 });
    expect(settings("DAdaptAdam")).toMatchObject({ decouple: false, use_bias_correction: false, growth_rate: Infinity });
    expect(settings("DAdaptAdaGrad")).toMatchObject({ momentum: 0, eps: 1e-6, weight_decay: 0 });
    expect(settings("DAdaptSGD")).toMatchObject({ momentum: 0, weight_decay: 0 });
    expect(settings("DAdaptAdanIP")).toMatchObject({ betas: [0.98, 0.92, 0.99], weight_decay: 0.02, no_prox: false });
    expect(settings("DAdaptLion")).toMatchObject({ betas: [0.9, 0.99], weight_decay: 0 });
    expect(settings("AdamW8bit")).toMatchObject({ betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.01, min_8bit_size: 4096 });
    expect(settings("Lion8bit")).toMatchObject({ betas: [0.9, 0.99], weight_decay: 0, min_8bit_size: 4096 });
    expect(settings("SGDNesterov8bit")).toMatchObject({ momentum: 0.9, weight_decay: 0, min_8bit_size: 4096 });
    expect(settings("SGDNesterov")).toMatchObject({ type: "SGDNesterov", momentum: 0.9, weight_decay: 0 });
  });

  it("applies Python-style arguments", () => {
    expect(settings("AdamW", "weight_decay=0.1", "betas=0.8,0.95", "eps=1e-6")).toMatchObject({
      type: "AdamW", betas: [0.8, 0.95], eps: 1e-6, weight_decay: 0.1,
    });
    expect(settings("Lion", "betas=(.95, .98)")).toMatchObject({ betas: [0.95, 0.98] });
    expect(settings("SGDNesterov", "momentum=0.5")).toMatchObject({ momentum: 0.5 });
  });

  it.each([
    ["AdamW", "momentum=0.9", "momentum=0.9"],
    ["AdamW8bit", "percentile_clipping=5", "percentile_clipping can only be 100 here"],
    ["AdamW", "amsgrad=True", "amsgrad can only be False here"],
    ["AdamW", "betas=0.9,1", "betas must be two numbers"],
    ["AdamW", "lr=1", "AdamW takes betas, eps"],
    ["Lion", "eps=1e-8", "Lion takes betas, weight_decay"],
    ["SGDNesterov", "nesterov=True", "SGDNesterov takes momentum"],
    ["SGDNesterov", "momentum=0", "momentum must be a number above 0"],
  ] as const)("refuses an argument of %s: %s", (type, entry, message) => {
    expect(() => settings(type, entry)).toThrow(message);
  });

  it("accepts arguments that only say how torch carries a step out", () => {
    expect(settings("AdamW", "fused=True", "foreach=None", "amsgrad=False")).toMatchObject({ type: "AdamW", weight_decay: 0.01 });
  });
});

describe("optimizerText", () => {
  it.each([
    ["AdamW", [], "torch.optim.adamw.AdamW"],
    ["AdamW", ["weight_decay=0.1", "betas=0.9,0.99"], "torch.optim.adamw.AdamW(weight_decay=0.1,betas=(0.9, 0.99))"],
    ["SGDNesterov", ["weight_decay=0.1"], "torch.optim.sgd.SGD(weight_decay=0.1,momentum=0.9)"],
    ["Adafactor", [], "transformers.optimization.Adafactor(relative_step=True)"],
    ["Adafactor", ["scale_parameter=False", "relative_step=False"],
      "transformers.optimization.Adafactor(scale_parameter=False,relative_step=False)"],
    ["Prodigy", ["decouple=True", "weight_decay=0.01", "d_coef=2"], "prodigyopt.prodigy.Prodigy(decouple=True,weight_decay=0.01,d_coef=2)"],
    ["DAdaptation", [], "dadaptation.experimental.dadapt_adam_preprint.DAdaptAdamPreprint"],
    ["AdamW8bit", ["weight_decay=0.1"], "bitsandbytes.optim.adamw.AdamW8bit(weight_decay=0.1)"],
    ["SGDNesterov8bit", [], "bitsandbytes.optim.sgd.SGD8bit(momentum=0.9)"],
    ["SGDNesterov", ["momentum=0.8"], "torch.optim.sgd.SGD(momentum=0.8)"],
  ] as const)("writes %s %j as sd-scripts does", (type, entries, text) => {
    expect(optimizerText(type, entries)).toBe(text);
  });
});

describe("parsePythonLiteral", () => {
  it.each([
    ["0.9,0.99", [0.9, 0.99]], ["(0.9, 0.99)", [0.9, 0.99]], ["[1]", [1]], ["(1)", 1], ["1,", [1]], ["()", []],
    ["True", true], ["None", null], ["'a b'", "a b"], ["1_000", 1000], ["-2.5e-3", -0.0025], ["(1,(2,3))", [1, [2, 3]]],
  ])("reads %s", (text, value) => {
    expect(parsePythonLiteral(text)).toEqual(value);
  });

  it.each(["", "true", "1 2", "(1", "1)", "f()", "1,,2", "toString"])("rejects %j", (text) => {
    expect(parsePythonLiteral(text)).toBeUndefined();
  });
});
