import { ConfigError } from "./errors.ts";
import { optimizerSettings } from "./optimizer-settings.ts";
import type { TrainingConfig } from "./parameters.ts";
import { ownRate } from "./relative-step.ts";

/**
 * What an optimizer asks of rates and schedule, where sd-scripts or the optimizer itself refuses everything else.
 * @throws ConfigError `config.conflict`, `config.optimizerArgs`
 */
export function checkOptimizer(config: TrainingConfig): void {
  optimizerSettings(config);
  const isRelative = ownRate(config) !== undefined;
  if (isRelative && config.lr_warmup_steps !== 0) {
    const rule = "Adafactor with relative_step has a schedule of its own without a warmup; set it to 0, or relative_step=False";
    throw new ConfigError("conflict", "lr_warmup_steps", config.lr_warmup_steps, rule);
  }
  if (config.lr_scheduler === "adafactor" && !isRelative) {
    const rule = "it is only for the optimizer Adafactor with relative_step; choose another scheduler";
    throw new ConfigError("conflict", "lr_scheduler", config.lr_scheduler, rule);
  }
}
