import type { Denoise } from "./denoiser.ts";
import type { LatentState } from "./state.ts";

export interface StepInput {
  readonly x: LatentState;
  /** Noise level of `x`. */
  readonly sigma: number;
  /** The level to go to; 0 on the last step of most samplers. */
  readonly next: number;
  readonly denoise: Denoise;
  /** Fresh N(0, 1) samples, as many as `x` has elements. */
  readonly noise: () => LatentState;
  /** How much noise is added anew: 0 none, 1 as much as the process has. Samplers without noise ignore it. */
  readonly eta: number;
}

/** Takes `x` from one noise level to the next. */
export type SamplerStep = (input: StepInput) => Promise<LatentState>;

export interface AncestralSplit {
  /** The level that the deterministic part goes down to. */
  readonly down: number;
  /** Standard deviation of the noise added after it: down² + up² = next². */
  readonly up: number;
}

/** Splits a step from `sigma` to `next` into going down and adding noise. */
export function splitAncestral(sigma: number, next: number, eta: number): AncestralSplit {
  const up = Math.min(next, (eta * next * Math.sqrt(sigma * sigma - next * next)) / sigma);
  return { down: Math.sqrt(next * next - up * up), up };
}
