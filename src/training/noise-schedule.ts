/**
 * The diffusion process that Stable Diffusion 1 and 2 were trained with: 1000 steps, β from 0.00085 to 0.012, linear in
 * √β. ᾱ is float32 as diffusers' DDPMScheduler makes it with torch, bit for bit.
 */
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

export function createNoiseSchedule(): NoiseSchedule {
  const alphasCumprod = cumulativeAlphas();
  const signal = alphasCumprod.map(Math.sqrt);
  const noise = alphasCumprod.map((alpha) => Math.sqrt(Math.fround(1 - alpha)));
  // Through the square roots in float32, as sd-scripts does.
  const snr = signal.map((value, t) => Math.fround(value / noise[t]!) ** 2);
  return { alphasCumprod, signal, noise, snr };
}

function cumulativeAlphas(): Float32Array {
  const start = Math.fround(Math.sqrt(BETA_START));
  const end = Math.fround(Math.sqrt(BETA_END));
  const step = Math.fround(Math.fround(end - start) / (TIMESTEPS - 1));
  let product = 1;
  return Float32Array.from({ length: TIMESTEPS }, (_, i) => {
    // torch's linspace counts from the nearer end, with fused multiply-adds; its cumprod keeps the product in float64.
    const root = Math.fround(i < TIMESTEPS / 2 ? start + step * i : end - step * (TIMESTEPS - 1 - i));
    product *= Math.fround(1 - Math.fround(root * root));
    return product;
  });
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

/**
 * Noise offset, in place: each channel of each sample is shifted as a whole by strength·N(0, 1), which teaches the model
 * to change overall brightness.
 * @param noise [B, H, W, C]
 * @param shifts N(0, 1) samples [B, C]
 */
export function offsetNoise(noise: Float32Array, shifts: Float32Array, strength: number, channels: number): void {
  const perSample = noise.length / (shifts.length / channels);
  for (let i = 0; i < noise.length; i++) {
    const shift = shifts[Math.floor(i / perSample) * channels + (i % channels)]!;
    noise[i] = noise[i]! + strength * shift;
  }
}
