import { baseRates } from "./learning-rate.ts";
import { ConfigError } from "./errors.ts";
import { optimizerSettings } from "./optimizer-settings.ts";
import type { TrainingConfig } from "./parameters.ts";
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
  if (config.lr_scheduler === "adafactor" && !isRelative) {
    const rule = "it is only for the optimizer Adafactor with relative_step; choose another scheduler";
    throw new ConfigError("conflict", "lr_scheduler", config.lr_scheduler, rule);
  }
}
