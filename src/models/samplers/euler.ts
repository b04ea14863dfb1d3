import { splitAncestral, type SamplerStep } from "./sampler-step.ts";
import { type LatentState, weightedSum } from "./state.ts";

/** Along the line from `x` through its estimate: the step of Euler, and what others end with. */
export function towards(x: LatentState, denoised: LatentState, sigma: number, next: number): LatentState {
  return weightedSum([next / sigma, x], [1 - next / sigma, denoised]);
}

export const eulerStep: SamplerStep = async ({ x, sigma, next, denoise }) =>
  towards(x, await denoise(x, sigma), sigma, next);

/** Euler a; over DDIM's timesteps it is DDIM, whose η is this one. */
export const eulerAncestralStep: SamplerStep = async ({ x, sigma, next, denoise, noise, eta }) => {
  const { down, up } = splitAncestral(sigma, next, eta);
  const moved = towards(x, await denoise(x, sigma), sigma, down);
  return up > 0 ? weightedSum([1, moved], [up, noise()]) : moved;
};

/** Euler's step, corrected by the direction found where it ends. */
export const heunStep: SamplerStep = async ({ x, sigma, next, denoise }) => {
  const denoised = await denoise(x, sigma);
  const predicted = towards(x, denoised, sigma, next);
  if (next === 0) return predicted;
  const half = (next - sigma) / 2;
  return weightedSum(
    [1 + half / sigma, x],
    [-half / sigma, denoised],
    [half / next, predicted],
    [-half / next, await denoise(predicted, next)],
  );
};
