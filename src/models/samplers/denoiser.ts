import type { PredictionType } from "../checkpoint-types.ts";
import { timestepOfSigma } from "./sigma-table.ts";
import { type LatentState, weightedSum } from "./state.ts";

/** The picture that a model sees in `x` at noise level σ: an estimate of x0, as long as `x`. */
export type Denoise = (x: LatentState, sigma: number) => Promise<LatentState>;

/** A UNet's raw output. `input` has about unit variance; `timestep` is fractional, from 0 to 999. */
export type ModelOutput = (input: LatentState, timestep: number) => Promise<LatentState>;

/**
 * Makes a model's output into an estimate of x0, with the scaling of k-diffusion (x = x0 + σ·noise): the model gets
 * x/√(σ²+1), and what it says is ε or v = √ᾱ·ε − √(1−ᾱ)·x0.
 */
export function createDenoiser(model: ModelOutput, prediction: PredictionType): Denoise {
  return async (x, sigma) => {
    const scale = inputScale(sigma);
    const output = await model(weightedSum([scale, x]), timestepOfSigma(sigma));
    return prediction === "epsilon"
      ? weightedSum([1, x], [-sigma, output])
      : weightedSum([scale * scale, x], [-sigma * scale, output]);
  };
}

/** 1/√(σ²+1) = √ᾱ: what brings x = x0 + σ·noise to the scale that the model was trained at. */
export function inputScale(sigma: number): number {
  return 1 / Math.sqrt(sigma * sigma + 1);
}
