import { type LatentState, weightedSum } from "./state.ts";

export interface GuidedEstimate {
  readonly denoised: LatentState;
  /** Weight of a part of the prompt, as in `cat AND dog:0.5`; negative ones push away. */
  readonly weight: number;
}

/**
 * Classifier-free guidance: D_u + Σ weight·cfg·(D_c − D_u). Being linear, it does as well for raw model outputs.
 * @param negative the estimate for the negative prompt
 * @param positives one for each part of the prompt
 */
export function guide(negative: LatentState, positives: readonly GuidedEstimate[], cfg: number): LatentState {
  const total = positives.reduce((sum, { weight }) => sum + weight * cfg, 0);
  const terms = positives.map(({ denoised, weight }) => [weight * cfg, denoised] as const);
  return weightedSum([1 - total, negative], ...terms);
}

/** Whether the negative prompt has no part in the result, so that its pass through the model can be left out. */
export function isUnguided(positives: readonly Pick<GuidedEstimate, "weight">[], cfg: number): boolean {
  return positives.reduce((sum, { weight }) => sum + weight * cfg, 0) === 1;
}
