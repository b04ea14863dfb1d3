import type { ConfigWarning } from "./errors.ts";
import { readArguments } from "./kohya-args.ts";
import { setNetwork } from "./gui-networks.ts";
import { updateOldGuiConfig } from "./kohya-gui-old.ts";

type Values = Readonly<Record<string, unknown>>;

/** The GUI's own starting values, which a saved file may lack. They differ from sd-scripts' in places. */
const GUI_DEFAULTS: Values = {
  network_dim: 8,
  network_alpha: 1,
  conv_dim: 1,
  conv_alpha: 1,
  learning_rate: 1e-4,
  unet_lr: 1e-4,
  text_encoder_lr: 1e-4,
  optimizer: "AdamW8bit",
  lr_scheduler: "cosine",
  lr_warmup: 10,
  max_resolution: "512,512",
  epoch: 1,
  max_train_epochs: 0,
  max_train_steps: 1600,
  caption_extension: ".txt",
  enable_bucket: true,
  max_bucket_reso: 2048,
  bucket_no_upscale: true,
  save_precision: "fp16",
  noise_offset_type: "Original",
  sample_sampler: "euler_a",
};

/** The GUI does not pass these on as 0, and nothing could be trained with it. */
const ZERO_MEANS_UNSET = ["lr_scheduler_num_cycles", "huber_c", "huber_scale", "min_timestep", "max_timestep"];
/** Settings of the kinds of noise among which the GUI's `noise_offset_type` chooses. */
const NOISE_TYPES: Readonly<Record<string, readonly string[]>> = {
  Original: ["noise_offset", "noise_offset_random_strength", "adaptive_noise_scale"],
  Multires: ["multires_noise_iterations", "multires_noise_discount"],
};

/** Keys that only the GUI has, so that a flat JSON of sd-scripts' own keys is not taken for one. */
const GUI_ONLY = ["LoRA_type", "max_resolution", "optimizer", "lr_warmup", "epoch", "model_list"];

export function isGuiConfig(values: Values): boolean {
  return GUI_ONLY.some((key) => Object.hasOwn(values, key));
}

/** The GUI's own name of a setting, where it is another than sd-scripts'. */
export const GUI_NAMES: Readonly<Partial<Record<string, string>>> = {
  resolution: "max_resolution", optimizer_type: "optimizer", lr_warmup_steps: "lr_warmup",
  max_train_epochs: "epoch",
};

/**
 * Turns a configuration saved by kohya_ss' GUI into sd-scripts' keys, as the GUI does when it starts a training,
 * except that an explicit 0 stays 0 where the GUI loses it.
 */
export function fromGuiConfig(saved: Values): { readonly values: Values; readonly warnings: ConfigWarning[] } {
  const updated = updateOldGuiConfig(saved);
  const gui: Record<string, unknown> = { ...GUI_DEFAULTS, ...updated.values };
  const warnings = [...updated.warnings];
  const translated = new Set(["optimizer", "max_resolution", "lr_warmup", "epoch", "additional_parameters"]);
  const values = new Map(Object.entries(gui).filter(([key]) => !translated.has(key)));

  values.set("resolution", gui["max_resolution"]);
  values.set("optimizer_type", gui["optimizer"]);
  if (Object.hasOwn(gui, "xformers")) {
    values.set("xformers", gui["xformers"] === "xformers");
    values.set("sdpa", gui["xformers"] === "sdpa");
  }
  if (isWordTab(saved)) setWords(gui, values);
  if (isModelTab(saved)) setModel(gui, values);
  else values.delete("stop_text_encoder_training");
  setNetwork(gui, values);
  if (number(gui["seed"]) === 0) values.set("seed", null);
  for (const key of ZERO_MEANS_UNSET) if (Object.hasOwn(gui, key) && number(gui[key]) === 0) values.delete(key);
  for (const [type, keys] of Object.entries(NOISE_TYPES)) {
    if (type !== gui["noise_offset_type"]) for (const key of keys) values.delete(key);
  }
  if (gui["caption_extension"] === "") values.set("caption_extension", ".caption");
  if (gui["output_name"] === "") values.delete("output_name");
  setSides(gui, values);
  setWarmup(gui, values);
  if (number(gui["max_train_steps"]) === 0) {
    values.delete("max_train_steps");
    if (number(gui["max_train_epochs"]) === 0) {
      values.set("max_train_epochs", gui["epoch"]);
      const message = "max_train_steps is 0, so the run is as long as the file's epoch says.";
      warnings.push({ code: "config.epochsInsteadOfSteps", param: "max_train_steps", message });
    }
  }
  const additional = readArguments(String(gui["additional_parameters"] ?? ""));
  for (const [key, value] of additional.values) values.set(key, value);
  if (additional.stray.length > 0) {
    const message = `additional_parameters has words that belong to no option: ${additional.stray.join(" ")}.`;
    warnings.push({ code: "config.strayWords", param: "additional_parameters", message });
  }
  return { values: Object.fromEntries(values), warnings };
}

/** The tab "Textual Inversion" saves its own keys, and no kind of network. */
function isWordTab(saved: Values): boolean {
  return Object.hasOwn(saved, "token_string") && !Object.hasOwn(saved, "LoRA_type");
}

function setWords(gui: Values, values: Map<string, unknown>): void {
  values.set("training_kind", "textual_inversion");
  values.delete("template");
  values.set("use_object_template", gui["template"] === "object template");
  values.set("use_style_template", gui["template"] === "style template");
}

/** The tab "Dreambooth" has a rate for the text encoder, and no network. Files of old LoRAs have that rate, too. */
function isModelTab(saved: Values): boolean {
  return Object.hasOwn(saved, "learning_rate_te") && !["LoRA_type", "token_string", "network_dim", "unet_lr"].some((key) => Object.hasOwn(saved, key));
}

/** There it is a percentage, of which 0 means that the text encoder is trained to the end. */
function setModel(gui: Values, values: Map<string, unknown>): void {
  const percent = number(gui["stop_text_encoder_training"]);
  values.set("training_kind", "full");
  values.delete("stop_text_encoder_training");
  if (percent < 0) values.set("stop_text_encoder_training", -1);
  if (percent > 0) values.set("stop_text_encoder_training", Math.ceil((number(gui["max_train_steps"]) * percent) / 100));
  if (number(gui["learning_rate_te"]) === 0) values.delete("learning_rate_te");
}

/** A rate of 0 is how the GUI says "don't train this side"; both 0 means that both train at `learning_rate`. */
function setSides(gui: Values, values: Map<string, unknown>): void {
  const rate = gui["text_encoder_lr"];
  const textEncoder = number(Array.isArray(rate) ? rate[0] : rate);
  const unet = number(gui["unet_lr"]);
  if (textEncoder === 0) {
    values.delete("text_encoder_lr");
    if (unet !== 0) values.set("network_train_unet_only", true);
  }
  if (unet === 0) {
    values.delete("unet_lr");
    if (textEncoder !== 0) values.set("network_train_text_encoder_only", true);
  }
}

function setWarmup(gui: Values, values: Map<string, unknown>): void {
  values.delete("lr_warmup_steps");
  if (gui["lr_scheduler"] === "constant") return;
  const steps = Math.trunc(number(gui["lr_warmup_steps"]));
  const percent = number(gui["lr_warmup"]);
  if (steps > 0) values.set("lr_warmup_steps", steps);
  // As a share 100 % would be 1, which means one step elsewhere.
  else if (percent > 0) values.set("lr_warmup_steps", percent < 100 ? percent / 100 : `${percent}%`);
}

/** Old files keep numbers as text; what is no number counts as 0, as in the GUI. */
function number(value: unknown): number {
  const parsed = typeof value === "string" ? Number.parseFloat(value) : value;
  return typeof parsed === "number" && Number.isFinite(parsed) ? parsed : 0;
}
