/**
 * The diffusion process that Stable Diffusion 1 and 2 were trained with: 1000 steps, β from 0.00085 to 0.012, linear in
 * √β. ᾱ is float32 as diffusers' DDPMScheduler makes it with torch, bit for bit.
 */
import type { TrainingConfig } from "../config/parameters.ts";

export const TIMESTEPS = 1000;
const BETA_START = 0.00085;
const BETA_END = 0.012;

export interface NoiseSchedule {
  /** ᾱ_t, [1000]. */
  readonly alphasCumprod: Float32Array;
  /** √ᾱ_t: how much of the picture is left at t. */
  readonly signal: Float32Array;
  /** √(1−ᾱ_t): how much noise there is at t. */
  readonly noise: Float32Array;
  /** Signal-to-noise ratio ᾱ_t / (1−ᾱ_t). */
  readonly snr: Float32Array;
}

export type Prediction = "epsilon" | "v";

/** With `zero_terminal_snr` the last step is pure noise; the ratios stay those of the unchanged schedule, as in sd-scripts. */
export function createNoiseSchedule(
  { zero_terminal_snr: endsInNoise }: Pick<TrainingConfig, "zero_terminal_snr"> = { zero_terminal_snr: false },
): NoiseSchedule {
  const usual = cumulativeProduct(alphas());
  // Through the square roots in float32, as sd-scripts does.
  const snr = usual.map((alpha) => Math.fround(Math.fround(Math.sqrt(alpha)) / Math.fround(noiseShare(alpha))) ** 2);
  const alphasCumprod = endsInNoise ? zeroTerminal(usual) : usual;
  return { alphasCumprod, signal: alphasCumprod.map(Math.sqrt), noise: alphasCumprod.map(noiseShare), snr };
}

function noiseShare(alphaCumprod: number): number {
  return Math.sqrt(Math.fround(1 - alphaCumprod));
}

/** α_t = 1 − β_t. */
function alphas(): Float32Array {
  const start = Math.fround(Math.sqrt(BETA_START));
  const end = Math.fround(Math.sqrt(BETA_END));
  const step = Math.fround(Math.fround(end - start) / (TIMESTEPS - 1));
  return Float32Array.from({ length: TIMESTEPS }, (_, i) => {
    // torch's linspace counts from the nearer end, with fused multiply-adds.
    const root = Math.fround(i < TIMESTEPS / 2 ? start + step * i : end - step * (TIMESTEPS - 1 - i));
    return 1 - Math.fround(root * root);
  });
}

/** torch's cumprod keeps the product in float64. */
function cumulativeProduct(factors: Float32Array): Float32Array {
  let product = 1;
  return factors.map((factor) => (product *= factor));
}

/**
 * √ᾱ moved and stretched so that it ends in 0 and begins where it did (Lin et al. 2023), by way of the betas in
 * float32, as sd-scripts does.
 */
function zeroTerminal(usual: Float32Array): Float32Array {
  const roots = usual.map(Math.sqrt);
  const first = roots[0]!;
  const last = roots[TIMESTEPS - 1]!;
  const stretch = Math.fround(first / Math.fround(first - last));
  const products = roots.map((root) => Math.fround(Math.fround(root - last) * stretch) ** 2);
  const betas = products.map((product, t) => 1 - (t === 0 ? product : Math.fround(product / products[t - 1]!)));
  return cumulativeProduct(betas.map((beta) => 1 - beta));
}

/**
 * x_t = √ᾱ_t·x0 + √(1−ᾱ_t)·ε.
 * @param latents, noise [B, …] of equal length, each sample contiguous; latents already times the VAE's factor
 * @param timesteps [B]
 */
export function addNoise(
  schedule: NoiseSchedule, latents: Float32Array, noise: Float32Array, timesteps: ArrayLike<number>,
): Float32Array<ArrayBuffer> {
  return combine(latents, schedule.signal, noise, schedule.noise, 1, timesteps);
}

/**
 * What the UNet should predict: ε itself, or v = √ᾱ_t·ε − √(1−ᾱ_t)·x0. Parameters as in `addNoise`.
 */
export function predictionTarget(
  schedule: NoiseSchedule, prediction: Prediction, latents: Float32Array, noise: Float32Array,
  timesteps: ArrayLike<number>,
): Float32Array<ArrayBuffer> {
  if (prediction === "epsilon") return noise.slice();
  return combine(noise, schedule.signal, latents, schedule.noise, -1, timesteps);
}

function combine(
  a: Float32Array, aScale: Float32Array, b: Float32Array, bScale: Float32Array, sign: 1 | -1,
  timesteps: ArrayLike<number>,
): Float32Array<ArrayBuffer> {
  const out = new Float32Array(a.length);
  const perSample = a.length / timesteps.length;
  for (let sample = 0; sample < timesteps.length; sample++) {
    const t = timesteps[sample]!;
    const aFactor = aScale[t]!;
    const bFactor = sign * bScale[t]!;
    for (let i = sample * perSample; i < (sample + 1) * perSample; i++) out[i] = aFactor * a[i]! + bFactor * b[i]!;
  }
  return out;
}
