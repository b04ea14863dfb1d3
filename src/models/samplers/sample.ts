import type { SamplerName } from "../../config/sampling.ts";
import { CancelledError, LorasmithError } from "../../errors.ts";
import { type Denoise, inputScale } from "./denoiser.ts";
import { samplers } from "./samplers.ts";
import { type LatentState, weightedSum } from "./state.ts";

export interface SampleProgress {
  /** Steps done, from 1. */
  readonly step: number;
  readonly steps: number;
  /** Latents after this step and their noise level: x = x0 + σ·noise. */
  readonly x: LatentState;
  readonly sigma: number;
  /** The model's latest estimate of the picture, for a preview. */
  readonly denoised: LatentState;
}

export interface SampleOptions {
  readonly sampler: SamplerName;
  /** Noise levels, falling: `samplerSigmas`, or the end of it for a run that starts from a picture. */
  readonly sigmas: readonly number[];
  /** Latents at noise level sigmas[0]: `startLatents`. Not changed. */
  readonly x: LatentState;
  readonly denoise: Denoise;
  /** Fresh N(0, 1) samples, as many as `x` has; asked for in the same order in every run, so that seeds reproduce. */
  readonly noise: () => LatentState;
  /** How much noise is added anew, 0 to 1; the sampler's own by default. */
  readonly eta?: number;
  readonly signal?: AbortSignal;
  /** After each step; sampling waits for it. */
  readonly onStep?: (progress: SampleProgress) => void | Promise<void>;
}

/**
 * Samples a picture: takes `x` through the noise levels.
 * @returns latents at the model's scale (those that the VAE decoder takes), like `x`
 * @throws CancelledError when `signal` is aborted, before the next evaluation of the model
 * @throws LorasmithError `sampling.not-finite` when the model gives NaN or infinity
 */
export async function sample(options: SampleOptions): Promise<LatentState> {
  const { sampler, sigmas, noise, signal, onStep } = options;
  const { createStep, eta } = samplers[sampler];
  const takeStep = createStep();
  const steps = sigmas.length - 1;
  let x = options.x;
  let denoised = x;
  const denoise: Denoise = async (at, sigma) => {
    if (signal?.aborted === true) throw new CancelledError();
    denoised = await options.denoise(at, sigma);
    return denoised;
  };
  for (let i = 0; i < steps; i++) {
    const [sigma, next] = [sigmas[i]!, sigmas[i + 1]!];
    x = await takeStep({ x, sigma, next, denoise, noise, eta: options.eta ?? eta });
    checkFinite(x, i + 1, steps);
    await onStep?.({ step: i + 1, steps, x, sigma: next, denoised });
  }
  const left = sigmas[steps]!;
  return left > 0 ? weightedSum([inputScale(left), x]) : x;
}

/**
 * Latents to start from: noise alone, or a picture's latents with noise on them.
 * @param noise N(0, 1), as long as the result
 * @param sigma the first noise level of the run
 * @param picture latents at the model's scale
 */
export function startLatents(
  sampler: SamplerName, noise: LatentState, sigma: number, picture?: LatentState,
): LatentState {
  if (picture !== undefined) return weightedSum([sigma, noise], [1, picture]);
  return weightedSum([samplers[sampler].startsAtUnitVariance ? 1 / inputScale(sigma) : sigma, noise]);
}

function checkFinite(x: LatentState, step: number, steps: number): void {
  if (x.every(Number.isFinite)) return;
  const message =
    `The model gave NaN or infinity at sampling step ${step} of ${steps}. The usual causes are a LoRA trained with ` +
    "too high a learning rate, a weight far above 1, or a damaged checkpoint.";
  throw new LorasmithError("sampling.not-finite", message, { step, steps });
}
