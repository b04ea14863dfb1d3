/** From `optimizer_type` and its arguments to the optimizer that the engine runs. */
import { adam, adamW } from "../gpu/optimizers/adamw.ts";
import { adafactor } from "../gpu/optimizers/adafactor.ts";
import { adamW8bit, lion8bit, sgd8bit } from "../gpu/optimizers/blockwise.ts";
import { dAdaptAdam } from "../gpu/optimizers/dadapt-adam.ts";
import { dAdaptAdan } from "../gpu/optimizers/dadapt-adan.ts";
import { dAdaptAdaGrad, dAdaptSgd } from "../gpu/optimizers/dadapt-dual.ts";
import { dAdaptLion } from "../gpu/optimizers/dadapt-lion.ts";
import { prodigy } from "../gpu/optimizers/prodigy.ts";
import { lion } from "../gpu/optimizers/lion.ts";
import { sgd } from "../gpu/optimizers/sgd.ts";
import { optimizerSettings } from "../config/optimizer-settings.ts";
import type { Optimizer } from "../gpu/optimizers/optimizer.ts";
import type { TrainingConfig } from "../config/parameters.ts";

/** @throws ConfigError `config.optimizerArgs` */
export function createOptimizer(config: Pick<TrainingConfig, "optimizer_type" | "optimizer_args" | "learning_rate">): Optimizer {
  const settings = optimizerSettings(config);
  const { weight_decay: weightDecay } = settings;
  switch (settings.type) {
    case "AdamW":
      return adamW({ ...settings, weightDecay });
    case "Adam":
      return settings.decoupled_weight_decay ? adamW({ ...settings, weightDecay }) : adam({ ...settings, weightDecay });
    case "Lion":
      // What lion-pytorch calls decoupled is free of the first learning rate.
      return lion({ ...settings, weightDecay: settings.decoupled_weight_decay ? weightDecay / config.learning_rate : weightDecay });
    case "SGDNesterov":
      return sgd({ ...settings, isNesterov: true, weightDecay });
    case "DAdaptation":
    case "DAdaptAdam":
      return dAdaptAdam({
        ...settings,
        weightDecay,
        isDecoupled: settings.decouple,
        hasBiasCorrection: settings.type === "DAdaptAdam" && settings.use_bias_correction,
        growthRate: settings.growth_rate,
        isPreprint: settings.type === "DAdaptation",
      });
    case "DAdaptAdaGrad":
      return dAdaptAdaGrad({ ...settings, weightDecay, growthRate: settings.growth_rate });
    case "DAdaptAdan":
    case "DAdaptAdanIP":
      return dAdaptAdan({
        ...settings,
        weightDecay,
        isProxFree: settings.no_prox,
        growthRate: settings.growth_rate,
        isInnerProduct: settings.type === "DAdaptAdanIP",
      });
    case "DAdaptSGD":
      return dAdaptSgd({ ...settings, weightDecay, growthRate: settings.growth_rate });
    case "DAdaptLion":
      return dAdaptLion({ ...settings, weightDecay });
    case "Prodigy":
      return prodigy({
        ...settings,
        weightDecay,
        isDecoupled: settings.decouple,
        hasBiasCorrection: settings.use_bias_correction,
        hasSafeguard: settings.safeguard_warmup,
        dCoef: settings.d_coef,
        growthRate: settings.growth_rate,
        slice: settings.slice_p,
      });
    case "AdamW8bit":
      return adamW8bit({ ...settings, weightDecay, minSize: settings.min_8bit_size });
    case "Lion8bit":
      return lion8bit({ ...settings, weightDecay, minSize: settings.min_8bit_size });
    case "SGDNesterov8bit":
      return sgd8bit({ ...settings, weightDecay, minSize: settings.min_8bit_size });
    case "Adafactor":
      return adafactor({
        ...settings,
        clipThreshold: settings.clip_threshold,
        decayRate: settings.decay_rate,
        weightDecay,
        scaleParameter: settings.scale_parameter,
      });
    default:
      return settings satisfies never;
  }
}
