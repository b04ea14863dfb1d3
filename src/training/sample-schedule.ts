/** When samples are made: sd-scripts' rules. Needs no GPU. */
import type { TrainingConfig } from "../config/parameters.ts";
import type { StepPlan } from "./steps.ts";

/** A state of the adapter of which samples are made. */
export interface SampleMoment {
  /** Updates finished; 0 is the base model. */
  readonly step: number;
  /** Epochs finished, where the step ends one (0 before the first); sd-scripts then names files by it. */
  readonly epoch: number | undefined;
}

type Schedule = Pick<TrainingConfig, "sample_every_n_epochs" | "sample_every_n_steps" | "sample_at_first">;

/** @param step updates finished */
export function momentOf({ updatesPerEpoch, totalUpdates }: StepPlan, step: number): SampleMoment {
  const endsEpoch = step % updatesPerEpoch === 0 || step === totalUpdates;
  return { step, epoch: endsEpoch ? Math.ceil(step / updatesPerEpoch) : undefined };
}

/** Whether samples are due after `step` updates. Epochs win over steps; the last epoch may be cut short. */
export function isSampleDue(schedule: Schedule, steps: StepPlan, step: number): boolean {
  if (step === 0) return schedule.sample_at_first;
  const { sample_every_n_epochs: everyEpochs, sample_every_n_steps: everySteps } = schedule;
  if (everyEpochs !== null) {
    const { epoch } = momentOf(steps, step);
    return epoch !== undefined && epoch % everyEpochs === 0;
  }
  return everySteps !== null && step % everySteps === 0;
}
