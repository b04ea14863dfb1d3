/** Tests a run with the pictures that it does not learn from, with the same noise each time. */
import type { BatchSource } from "./batch-source.ts";
import type { LogEntry, Verdict } from "./events.ts";
import type { StepEngine } from "./step-engine.ts";
import type { StepPlan } from "./steps.ts";
import type { ValidationPlan } from "./validation-plan.ts";
import { isValidationDue, validationTimesteps } from "./validation-schedule.ts";
import type { TrainingConfig } from "../config/parameters.ts";

export interface ValidatorParts {
  readonly engine: StepEngine;
  readonly config: TrainingConfig;
  readonly steps: StepPlan;
  readonly plan: ValidationPlan;
  /** Of the validation's own seed. */
  readonly source: BatchSource;
}

export class Validator {
  readonly #parts: ValidatorParts;
  readonly #timesteps: readonly number[];

  constructor(parts: ValidatorParts) {
    this.#parts = parts;
    this.#timesteps = validationTimesteps(parts.config);
  }

  /** @param step updates finished */
  isDue(step: number): boolean {
    return isValidationDue(this.#parts.config, this.#parts.steps, step);
  }

  /**
   * The mean loss over all batches at all noise levels, weighted as the training loss is.
   * @param epoch from 1
   * @param mayGoOn asked before each batch
   * @returns undefined where it may not
   */
  async loss(step: number, epoch: number, mayGoOn: () => Verdict): Promise<number | undefined> {
    const { engine, plan, source } = this.#parts;
    let sum = 0;
    let count = 0;
    for (const batch of plan.batches) {
      if (mayGoOn() === "stop") return undefined;
      for (const timestep of this.#timesteps) {
        sum += await engine.validate(await source.prepare(batch, count, { epoch, step }, timestep));
        count++;
      }
    }
    return sum / count;
  }
}

/** How a validation is told. The page reads its curve off these entries. */
export function validationEntry(step: number, loss: number): LogEntry {
  return { level: "info", code: "train.validation", text: `Validation loss after step ${step}: ${loss.toFixed(4)}`, data: { step, loss } };
}
