import { inputScale } from "./denoiser.ts";
import type { SamplerStep } from "./sampler-step.ts";
import { timestepOfSigma } from "./sigma-table.ts";
import { weightedSum } from "./state.ts";

const SIGMA_DATA = 0.5;
const TIMESTEP_SCALE = 10;

/**
 * Latent consistency models: the estimate is the picture, and each further step adds noise to it again. Boundary
 * factors as in diffusers' LCMScheduler.
 */
export const lcmStep: SamplerStep = async ({ x, sigma, next, denoise, noise }) => {
  const time = TIMESTEP_SCALE * timestepOfSigma(sigma);
  const norm = time * time + SIGMA_DATA * SIGMA_DATA;
  const skip = (SIGMA_DATA * SIGMA_DATA) / norm;
  const denoised = weightedSum([time / Math.sqrt(norm), await denoise(x, sigma)], [skip * inputScale(sigma), x]);
  return next === 0 ? denoised : weightedSum([1, denoised], [next, noise()]);
};
