import { towards } from "./euler.ts";
import { splitAncestral, type SamplerStep } from "./sampler-step.ts";
import { type LatentState, weightedSum } from "./state.ts";

/** What a multistep sampler keeps of its last step. */
interface LastStep {
  readonly denoised: LatentState;
  /** Length of the step in λ = −ln σ. */
  readonly length: number;
}

/** DPM++ 2M (k-diffusion `sample_dpmpp_2m`): second order from the estimate of the step before. */
export function createDpmpp2m(): SamplerStep {
  let last: LastStep | undefined;
  return async ({ x, sigma, next, denoise }) => {
    const denoised = await denoise(x, sigma);
    if (next === 0) return denoised;
    const length = Math.log(sigma / next);
    const lead = last === undefined ? 0 : length / (2 * last.length);
    const share = 1 - next / sigma;
    const moved = weightedSum(
      [next / sigma, x],
      [share * (1 + lead), denoised],
      [-share * lead, last?.denoised ?? denoised],
    );
    last = { denoised, length };
    return moved;
  };
}

/** DPM++ SDE with r = ½ (k-diffusion `sample_dpmpp_sde`): two evaluations and two lots of noise a step. */
export const dpmppSdeStep: SamplerStep = async ({ x, sigma, next, denoise, noise, eta }) => {
  const denoised = await denoise(x, sigma);
  if (next === 0) return towards(x, denoised, sigma, next);
  const middle = Math.sqrt(sigma * next);
  const toMiddle = splitAncestral(sigma, middle, eta);
  const halfway = weightedSum([1, towards(x, denoised, sigma, toMiddle.down)], [toMiddle.up, noise()]);
  // With r = ½ the estimate halfway counts in full and the first one not at all.
  const better = await denoise(halfway, middle);
  const toNext = splitAncestral(sigma, next, eta);
  return weightedSum([1, towards(x, better, sigma, toNext.down)], [toNext.up, noise()]);
};

/** DPM++ 2M SDE, midpoint (k-diffusion `sample_dpmpp_2m_sde`). */
export function createDpmpp2mSde(): SamplerStep {
  let last: LastStep | undefined;
  return async ({ x, sigma, next, denoise, noise, eta }) => {
    const denoised = await denoise(x, sigma);
    if (next === 0) return denoised;
    const length = Math.log(sigma / next);
    const share = -Math.expm1(-(1 + eta) * length);
    const lead = last === undefined ? 0 : (share * length) / (2 * last.length);
    const moved = weightedSum(
      [(next / sigma) * Math.exp(-eta * length), x],
      [share + lead, denoised],
      [-lead, last?.denoised ?? denoised],
    );
    last = { denoised, length };
    if (eta === 0) return moved;
    return weightedSum([1, moved], [next * Math.sqrt(-Math.expm1(-2 * eta * length)), noise()]);
  };
}
