import { baseRates } from "./learning-rate.ts";
import { ConfigError } from "./errors.ts";
import { optimizerSettings } from "./optimizer-settings.ts";
import type { TrainingConfig } from "./parameters.ts";
import { sideRatios } from "./rate-ratios.ts";
import { ownRate } from "./relative-step.ts";

/** Optimizers that find their step size, so that a rate of 1 is usual. */
export function findsOwnStep(type: TrainingConfig["optimizer_type"]): boolean {
  return type === "Prodigy" || type.startsWith("DAdapt");
}

/** DAdaptAdaGrad and the Adans take the first part's rate without a word, as they do for sd-scripts. */
function hasOneRate(type: TrainingConfig["optimizer_type"]): boolean {
  return findsOwnStep(type) && !["DAdaptAdaGrad", "DAdaptAdan", "DAdaptAdanIP"].includes(type);
}

/**
 * What an optimizer asks of rates and schedule, where sd-scripts or the optimizer itself refuses everything else.
 * @throws ConfigError `config.conflict`, `config.optimizerArgs`
 */
export function checkOptimizer(config: TrainingConfig): void {
  const settings = optimizerSettings(config);
  if (settings.type === "Lion" && settings.decoupled_weight_decay && config.learning_rate === 0) {
    const rule = "the decay is divided by learning_rate, which must then be above 0";
    throw new ConfigError("optimizerArgs", "optimizer_args", "decoupled_weight_decay=True", rule);
  }
  const isRelative = ownRate(config) !== undefined;
  if (isRelative && config.lr_warmup_steps !== 0) {
    const rule = "Adafactor with relative_step has a schedule of its own without a warmup; set it to 0, or relative_step=False";
    throw new ConfigError("conflict", "lr_warmup_steps", config.lr_warmup_steps, rule);
  }
  if (hasOneRate(config.optimizer_type)) {
    const { unet, textEncoder } = baseRates(config);
    if (unet !== undefined && textEncoder !== undefined && unet !== textEncoder) {
      const rule = `${config.optimizer_type} takes one rate for all parts, and learning_rate gives UNet and text encoder others; leave both empty`;
      throw new ConfigError("conflict", config.unet_lr === null ? "text_encoder_lr" : "unet_lr", config.unet_lr ?? config.text_encoder_lr, rule);
    }
  }
  checkRatios(config);
  if (config.lr_scheduler === "adafactor" && !isRelative) {
    const rule = "it is only for the optimizer Adafactor with relative_step; choose another scheduler";
    throw new ConfigError("conflict", "lr_scheduler", config.lr_scheduler, rule);
  }
}

const ratioKeys = ["loraplus_lr_ratio", "loraplus_unet_lr_ratio", "loraplus_text_encoder_lr_ratio", "down_lr_weight", "mid_lr_weight", "up_lr_weight"] as const;

/** Blocks without a rate have no adapter, so they do not count. */
function checkRatios(config: TrainingConfig): void {
  const ratios = sideRatios(config);
  if (ratios === undefined || !hasOneRate(config.optimizer_type)) return;
  const { unet, textEncoder } = baseRates(config);
  const blocks = new Set((ratios.blocks ?? [1]).slice(ratios.blocks === undefined ? 0 : 1).filter((weight) => weight > 0));
  const rates = new Set<number>();
  if (textEncoder !== undefined) for (const up of [1, ratios.up.textEncoder]) rates.add(textEncoder * up);
  if (unet !== undefined) for (const block of blocks) for (const up of [1, ratios.up.unet]) rates.add(unet * block * up);
  const key = ratioKeys.find((name) => config[name] !== null && config[name] !== "");
  if (rates.size <= 1 || key === undefined) return;
  throw new ConfigError("conflict", key, config[key], `${config.optimizer_type} takes one rate for all parts; leave it empty, or choose another optimizer`);
}
