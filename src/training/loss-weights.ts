/** What each sample's loss counts, and where huber losses bend, as sd-scripts' settings say; functions of the timestep. */
import { TIMESTEPS, type NoiseSchedule, type Prediction } from "./noise-schedule.ts";
import type { TrainingConfig } from "../config/parameters.ts";

export type LossWeightConfig = Pick<
  TrainingConfig,
  "min_snr_gamma" | "scale_v_pred_loss_like_noise_pred" | "v_pred_like_loss" | "debiased_estimation_loss"
>;

/** sd-scripts lets no ratio above this into its weights, except those of min-SNR. */
const HIGHEST_SNR = 1000;

/**
 * Factor of each sample's mean loss. Min-SNR (Hang et al. 2023) keeps the nearly clean steps from outweighing the
 * others: min(SNR, γ)/SNR, and over SNR + 1 when v is predicted. The others multiply it, in sd-scripts' order: the
 * share that makes a v loss weigh like an ε loss, the addition of a v-like loss, and debiasing (Yu et al. 2023).
 * All read the ratios of the schedule before `zero_terminal_snr` changed it, as in sd-scripts.
 * @param timesteps [B]
 * @returns [B]
 */
export function lossWeights(
  schedule: NoiseSchedule, timesteps: ArrayLike<number>, prediction: Prediction, config: LossWeightConfig,
): Float32Array<ArrayBuffer> {
  const isV = prediction === "v";
  return Float32Array.from(timesteps, (t) => {
    const snr = schedule.snr[t]!;
    const limited = Math.min(snr, HIGHEST_SNR);
    let weight = 1;
    if (config.min_snr_gamma !== null) weight = Math.min(snr, config.min_snr_gamma) / (isV ? snr + 1 : snr);
    if (config.scale_v_pred_loss_like_noise_pred) weight *= limited / (limited + 1);
    if (config.v_pred_like_loss !== null) weight += weight * ((limited + 1) / limited) * config.v_pred_like_loss;
    if (config.debiased_estimation_loss) weight *= isV ? 1 / (limited + 1) : 1 / Math.sqrt(limited);
    return weight;
  });
}

export type HuberConfig = Pick<TrainingConfig, "loss_type" | "huber_schedule" | "huber_c" | "huber_scale">;

/**
 * c of each sample: differences far above it count by their size, those far below by their square.
 * "snr" does not know `huber_scale` and reads the schedule that noise is added by, both as in sd-scripts.
 * @param timesteps [B]
 * @returns [B], or undefined where the loss has no c
 */
export function huberThresholds(
  schedule: NoiseSchedule, timesteps: ArrayLike<number>, config: HuberConfig,
): Float32Array<ArrayBuffer> | undefined {
  if (config.loss_type !== "huber" && config.loss_type !== "smooth_l1") return undefined;
  const { huber_schedule: by, huber_c: c, huber_scale: scale } = config;
  return Float32Array.from(timesteps, (t) => {
    if (by === "constant") return c * scale;
    if (by === "exponential") return Math.exp((Math.log(c) * t) / TIMESTEPS) * scale;
    const alpha = schedule.alphasCumprod[t]!;
    const sigma = Math.sqrt((1 - alpha) / alpha);
    return (1 - c) / (1 + sigma) ** 2 + c;
  });
}
