import { automaticSchedules, type SamplerName, type ScheduleChoice } from "../../config/sampling.ts";
import { createDpmpp2m, createDpmpp2mSde, dpmppSdeStep } from "./dpmpp.ts";
import { eulerAncestralStep, eulerStep, heunStep } from "./euler.ts";
import { lcmStep } from "./lcm.ts";
import type { SamplerStep } from "./sampler-step.ts";
import { ddimTimesteps, lcmTimesteps, scheduleSigmas } from "./schedules.ts";
import { sigmaOfTimestep, sigmaTable } from "./sigma-table.ts";

export interface Sampler {
  /** Evaluations of the model for each step but the last, which needs one. */
  readonly evaluations: 1 | 2;
  /** η unless the user says otherwise. */
  readonly eta: number;
  /** Whether runs from pure noise start at variance σ²+1, as DDPM's forward process does, and not at σ². */
  readonly startsAtUnitVariance: boolean;
  /** A step function with a fresh memory; one for each run. */
  readonly createStep: () => SamplerStep;
}

const plain = { evaluations: 1, eta: 0, startsAtUnitVariance: false } as const;

export const samplers: Readonly<Record<SamplerName, Sampler>> = {
  ddim: { ...plain, startsAtUnitVariance: true, createStep: () => eulerAncestralStep },
  euler: { ...plain, createStep: () => eulerStep },
  euler_a: { ...plain, eta: 1, createStep: () => eulerAncestralStep },
  heun: { ...plain, evaluations: 2, createStep: () => heunStep },
  dpmpp_2m: { ...plain, createStep: createDpmpp2m },
  dpmpp_sde: { ...plain, evaluations: 2, eta: 1, createStep: () => dpmppSdeStep },
  dpmpp_2m_sde: { ...plain, eta: 1, createStep: createDpmpp2mSde },
  lcm: { ...plain, startsAtUnitVariance: true, createStep: () => lcmStep },
};

/**
 * Noise levels of a run, highest first. The last is 0, except that DDIM ends at the lowest level of the table, as in
 * diffusers and the webui.
 * @param schedule ignored by DDIM and LCM, which know only their own
 * @throws InputError `sampling.steps`
 */
export function samplerSigmas(sampler: SamplerName, steps: number, schedule: ScheduleChoice = "automatic"): number[] {
  if (sampler === "ddim") return [...ddimTimesteps(steps).map(sigmaOfTimestep), sigmaTable.sigmas[0]!];
  if (sampler === "lcm") return [...lcmTimesteps(steps).map(sigmaOfTimestep), 0];
  return scheduleSigmas(schedule === "automatic" ? automaticSchedules[sampler] : schedule, steps);
}

/** Evaluations of the model in a run over `sigmas`, for progress and forecasts. */
export function evaluationCount(sampler: SamplerName, sigmas: readonly number[]): number {
  const steps = sigmas.length - 1;
  return samplers[sampler].evaluations * (steps - 1) + (sigmas[steps] === 0 ? 1 : samplers[sampler].evaluations);
}
