/** Learning rate over a run, as the factor λ(k) of each side's base rate, k = finished optimizer updates. */
import type { TrainingConfig } from "./parameters.ts";

/**
 * Warmup in updates: a share of the run (below 1) is rounded down, as sd-scripts does.
 * @param warmup `lr_warmup_steps` as configured
 */
export function warmupSteps(warmup: number, totalUpdates: number): number {
  return warmup < 1 ? Math.trunc(warmup * totalUpdates) : warmup;
}

/**
 * λ(k) of huggingface's schedules. With warmup the first update has λ(0) = 0.
 * @param update k, from 0
 */
export function learningRateFactor(
  scheduler: TrainingConfig["lr_scheduler"], update: number, warmup: number, totalUpdates: number,
): number {
  if (scheduler === "constant") return 1;
  if (update < warmup) return update / Math.max(1, warmup);
  if (scheduler === "constant_with_warmup") return 1;
  const progress = (update - warmup) / Math.max(1, totalUpdates - warmup);
  return Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress)));
}

export interface LearningRates {
  /** Absent where the side is not trained. */
  readonly unet?: number;
  readonly textEncoder?: number;
}

/**
 * The rates of one update. A side has its own rate or `learning_rate`; a side whose rate is 0 is not trained but still
 * saved, as in sd-scripts.
 */
export function learningRates(config: TrainingConfig, update: number, totalUpdates: number): LearningRates {
  const warmup = warmupSteps(config.lr_warmup_steps, totalUpdates);
  const factor = learningRateFactor(config.lr_scheduler, update, warmup, totalUpdates);
  const base = baseRates(config);
  return {
    ...(base.unet === undefined ? {} : { unet: base.unet * factor }),
    ...(base.textEncoder === undefined ? {} : { textEncoder: base.textEncoder * factor }),
  };
}

/** Each trained side's rate before the schedule. */
export function baseRates(config: TrainingConfig): LearningRates {
  const unet = config.network_train_text_encoder_only ? 0 : (config.unet_lr ?? config.learning_rate);
  const textEncoder = config.network_train_unet_only ? 0 : (config.text_encoder_lr ?? config.learning_rate);
  return { ...(unet === 0 ? {} : { unet }), ...(textEncoder === 0 ? {} : { textEncoder }) };
}
