/** When a run is validated and at which noise levels: sd-scripts' rules. Needs no GPU. */
import { TIMESTEPS } from "./noise-schedule.ts";
import { momentOf } from "./sample-schedule.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import type { StepPlan } from "./steps.ts";

/** Noise levels between the ends of their range: 200, 400, 600 and 800 of all. */
const LEVELS = 4;

/** Timesteps that every batch of pictures is tested at. */
export function validationTimesteps(config: Pick<TrainingConfig, "min_timestep" | "max_timestep">): number[] {
  const min = config.min_timestep ?? 0;
  const step = ((config.max_timestep ?? TIMESTEPS) - min) / (LEVELS + 1);
  const levels = Array.from({ length: LEVELS }, (_, i) => Math.floor((i + 1) * step + min));
  return levels.map((level) => Math.min(level, TIMESTEPS - 1));
}

type Schedule = Pick<TrainingConfig, "validate_every_n_steps" | "validate_every_n_epochs">;

/** Whether a run is validated after `step` updates. Without a number of epochs it is after each, whatever the steps say. */
export function isValidationDue(schedule: Schedule, steps: StepPlan, step: number): boolean {
  if (schedule.validate_every_n_steps !== null && step % schedule.validate_every_n_steps === 0) return true;
  const { epoch } = momentOf(steps, step);
  return epoch !== undefined && epoch % (schedule.validate_every_n_epochs ?? 1) === 0;
}
