/** Everything random that a micro-batch needs: noise in all its forms, and timesteps. */
import { gaussian, integers, uniform } from "../random/rng.ts";
import { addLevels, levelSizes } from "./multires-noise.ts";
import { offsetNoise, offsetStrengths } from "./noise-offset.ts";
import { TIMESTEPS } from "./noise-schedule.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import type { BatchShape } from "./training-plan.ts";

export type NoiseConfig = Pick<
  TrainingConfig,
  | "noise_offset" | "noise_offset_random_strength" | "adaptive_noise_scale"
  | "multires_noise_iterations" | "multires_noise_discount"
  | "ip_noise_gamma" | "ip_noise_gamma_random_strength"
>;

const CHANNELS = 4;
/** Room for the levels of a micro-batch's multires noise in the generator's index; what the setting allows at most. */
const LEVELS = 64;

export interface BatchNoise {
  /** What the model should find, [B, h, w, 4]. */
  readonly noise: Float32Array<ArrayBuffer>;
  /** What is added to the latents, where that is more than `noise`. */
  readonly inputNoise?: Float32Array<ArrayBuffer>;
}

/**
 * Noise of one micro-batch, in sd-scripts' order: offset, multires, input perturbation. Each draws from its own
 * stream, so that one does not change the numbers of another.
 * @param index of the micro-batch in the run
 * @param latents [B, h, w, 4], scaled
 */
export function drawNoise(
  config: NoiseConfig, seed: number, index: number, { batch, height, width }: BatchShape, latents: Float32Array,
): BatchNoise {
  const noise = gaussian(seed, "noise", index, latents.length);
  if (config.noise_offset !== null && config.noise_offset !== 0) {
    const share = config.noise_offset_random_strength ? uniform(seed, "noiseOffsetStrength", index, 1)[0]! : 1;
    const strengths = offsetStrengths(latents, batch, CHANNELS, share * config.noise_offset, config.adaptive_noise_scale);
    offsetNoise(noise, gaussian(seed, "noiseOffset", index, batch * CHANNELS), strengths, CHANNELS);
  }
  if (config.multires_noise_iterations !== null) {
    const draws = uniform(seed, "multiresSizes", index, config.multires_noise_iterations);
    const levels = levelSizes(height, width, draws).map((size, i) => {
      const samples = gaussian(seed, "multiresNoise", index * LEVELS + i, batch * size.height * size.width * CHANNELS);
      return { ...size, samples };
    });
    addLevels(noise, { batch, height, width, channels: CHANNELS }, levels, config.multires_noise_discount);
  }
  if (config.ip_noise_gamma === null) return { noise };
  const share = config.ip_noise_gamma_random_strength ? uniform(seed, "inputNoiseStrength", index, 1)[0]! : 1;
  return { noise, inputNoise: perturbed(noise, gaussian(seed, "inputNoise", index, noise.length), share * config.ip_noise_gamma) };
}

/** noise + strength·extra: the input perturbation of Ning et al. 2023. */
export function perturbed(noise: Float32Array, extra: Float32Array, strength: number): Float32Array<ArrayBuffer> {
  return Float32Array.from(noise, (value, i) => value + strength * extra[i]!);
}

/** A timestep for each sample, from `min_timestep` up to but not including `max_timestep`; that one where they leave none. */
export function drawTimesteps(
  config: Pick<TrainingConfig, "min_timestep" | "max_timestep">, seed: number, index: number, batch: number,
): Int32Array<ArrayBuffer> {
  const min = config.min_timestep ?? 0;
  const max = config.max_timestep ?? TIMESTEPS;
  return min < max ? integers(seed, "timesteps", index, batch, min, max) : new Int32Array(batch).fill(max);
}
