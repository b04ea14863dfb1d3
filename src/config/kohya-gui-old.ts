/** What kohya_ss makes of a saved JSON before it uses it: its `update_my_data`, for files of every age. */
import type { ConfigWarning } from "./errors.ts";
import { shown } from "./errors.ts";

type Values = Readonly<Record<string, unknown>>;

/** Keys that the GUI turns into numbers, whatever they were saved as → what it takes where that fails. */
const WHOLE_NUMBERS: Values = {
  clip_skip: 0, epoch: 0, keep_tokens: 0, lr_warmup: 0, max_data_loader_n_workers: 0, max_train_epochs: 0,
  save_every_n_epochs: 0, seed: 0, max_train_steps: 0, caption_dropout_every_n_epochs: 0, gradient_accumulation_steps: 1,
  lr_scheduler_num_cycles: 1, max_token_length: 75,
};
const NUMBERS: Values = {
  adaptive_noise_scale: 0, noise_offset: 0, learning_rate: 0, text_encoder_lr: 0, unet_lr: 0, lr_scheduler_power: 1,
};

/** Keys that were renamed. */
const RENAMED: Readonly<Record<string, string>> = {
  lora_network_weights: "network_weights",
  stop_text_encoder_training_pct: "stop_text_encoder_training",
};

/**
 * Brings a saved JSON of any age to the keys and types of today's. Text that should have been a number becomes what
 * the GUI takes for it, with a warning that names the key.
 */
export function updateOldGuiConfig(saved: Values): { readonly values: Values; readonly warnings: ConfigWarning[] } {
  // The GUI keeps what it shows where the file has null.
  const values = new Map(Object.entries(saved).filter(([, value]) => value !== null));
  const warnings: ConfigWarning[] = [];
  if (!values.has("optimizer")) values.set("optimizer", isTrue(values.get("use_8bit_adam")) ? "AdamW8bit" : "AdamW");
  for (const [key, fallback] of [...Object.entries(WHOLE_NUMBERS), ...Object.entries(NUMBERS)]) {
    const value = values.get(key);
    if (value === undefined) continue;
    const number = numberIn(value);
    const used = number === undefined ? fallback : Object.hasOwn(WHOLE_NUMBERS, key) ? Math.trunc(number) : number;
    // What is neither text nor a number is refused by the parameter's own check.
    if (typeof value !== "string" && number === undefined) continue;
    if (used !== number && value !== "") warnings.push(notANumber(key, value, used));
    values.set(key, used);
  }
  if (values.get("LoRA_type") === "LoCon") values.set("LoRA_type", "LyCORIS/LoCon");
  const format = values.get("save_model_as");
  if (format !== undefined && format !== "safetensors" && format !== "ckpt") values.set("save_model_as", "safetensors");
  const xformers = values.get("xformers");
  if (typeof xformers === "boolean") values.set("xformers", xformers ? "xformers" : "none");
  if (isTrue(values.get("use_wandb"))) values.set("log_with", "wandb");
  for (const [old, key] of Object.entries(RENAMED)) {
    if (values.has(old) && !values.has(key)) values.set(key, values.get(old));
    values.delete(old);
  }
  // Files of some age have a number where none is meant.
  if (values.get("network_weights") === 0) values.set("network_weights", "");
  values.delete("use_8bit_adam");
  values.delete("use_wandb");
  return { values: Object.fromEntries(values), warnings };
}

function numberIn(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value !== "string" || value.trim() === "") return undefined;
  const number = Number(value.trim().replace(/(\d)_(?=\d)/g, "$1"));
  return Number.isFinite(number) ? number : undefined;
}

function isTrue(value: unknown): boolean {
  return value === true || String(value).toLowerCase() === "true";
}

function notANumber(key: string, value: unknown, used: unknown): ConfigWarning {
  const message = `${key} is ${shown(value)}; as in kohya_ss, ${shown(used)} is used.`;
  return { code: "config.guiNumber", param: key, message };
}
