import type { ScheduleName } from "../../config/sampling.ts";
import { InputError } from "../../errors.ts";
import { sigmaOfTimestep, sigmaTable, TIMESTEPS } from "./sigma-table.ts";

const SIGMA_MIN = sigmaTable.sigmas[0]!;
const SIGMA_MAX = sigmaTable.sigmas[TIMESTEPS - 1]!;
const KARRAS_RHO = 7;
/** LCM models were distilled on this many evenly spaced timesteps; only these are used. */
const LCM_GRID = 50;

const spacings: Readonly<Record<ScheduleName, (steps: number) => number[]>> = {
  uniform: (steps) => spaced(TIMESTEPS - 1, 0, steps).map(sigmaOfTimestep),
  karras: (steps) =>
    spaced(SIGMA_MAX ** (1 / KARRAS_RHO), SIGMA_MIN ** (1 / KARRAS_RHO), steps).map((root) => root ** KARRAS_RHO),
  exponential: (steps) => spaced(Math.log(SIGMA_MAX), Math.log(SIGMA_MIN), steps).map(Math.exp),
  sgm_uniform: (steps) => spaced(TIMESTEPS - 1, 0, steps + 1).slice(0, -1).map(sigmaOfTimestep),
  simple: (steps) =>
    Array.from({ length: steps }, (_, i) => sigmaTable.sigmas[TIMESTEPS - 1 - Math.floor((i * TIMESTEPS) / steps)]!),
  ddim: (steps) => ddimTimesteps(steps).map(sigmaOfTimestep),
};

/**
 * Noise levels of a run, highest first, with a final 0.
 * @param steps whole number from 1 to 1000
 * @returns σ [steps + 1]; `ddim` gives more where `steps` does not divide 1000, as the webui does (30 → 31)
 * @throws InputError `sampling.steps`
 */
export function scheduleSigmas(schedule: ScheduleName, steps: number): number[] {
  checkSteps(steps, TIMESTEPS);
  return [...spacings[schedule](steps), 0];
}

/**
 * Timesteps of DDIM, highest first: every (1000/steps)-th one, from 1 up.
 * @throws InputError `sampling.steps`
 */
export function ddimTimesteps(steps: number): number[] {
  checkSteps(steps, TIMESTEPS);
  const stride = Math.floor(TIMESTEPS / steps);
  const count = Math.ceil(TIMESTEPS / stride);
  const timesteps = Array.from({ length: count }, (_, i) => Math.min((count - 1 - i) * stride + 1, TIMESTEPS - 1));
  // A stride of 1 runs over the end; a step from a level to itself would do nothing.
  return timesteps.filter((timestep, i) => timestep !== timesteps[i - 1]);
}

/**
 * Timesteps of LCM, highest first, picked from the 50 that LCM models know.
 * @throws InputError `sampling.steps` above 50
 */
export function lcmTimesteps(steps: number): number[] {
  checkSteps(steps, LCM_GRID);
  const stride = TIMESTEPS / LCM_GRID;
  return Array.from({ length: steps }, (_, i) => (LCM_GRID - Math.floor((i * LCM_GRID) / steps)) * stride - 1);
}

function checkSteps(steps: number, most: number): void {
  if (Number.isInteger(steps) && steps >= 1 && steps <= most) return;
  const message = `The number of sampling steps is ${steps}; give a whole number from 1 to ${most}.`;
  throw new InputError("sampling.steps", message, { steps, most });
}

/** `count` numbers from `first` to `last`, both included; only `first` where one is asked for. */
function spaced(first: number, last: number, count: number): number[] {
  // The last one is set rather than computed: rounding must not carry it out of the table.
  return Array.from({ length: count }, (_, i) =>
    i > 0 && i === count - 1 ? last : first + ((last - first) * i) / Math.max(count - 1, 1),
  );
}
