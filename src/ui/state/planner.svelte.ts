/** What the present settings mean for the model and the pictures: asked of the worker whenever something changed. */
import { serializeError } from "../../errors.ts";
import type { SerializedError } from "../../errors.ts";
import type { TrainingConfig } from "../../config/parameters.ts";
import type { StartFile } from "../../storage/database.ts";
import type { TrainClient } from "../../workers/train-client.ts";
import type { PlanReport } from "../../workers/train-protocol.ts";

/** Wait for typing to end before the worker plans again. */
const delayMs = 150;

interface Planned {
  readonly config: TrainingConfig;
  readonly startFiles: readonly StartFile[];
}

export class Planner {
  readonly #client: TrainClient;
  #plan: PlanReport | undefined = $state.raw();
  #error: SerializedError | undefined = $state.raw();
  #isPlanning = $state(false);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #request = 0;

  constructor(client: TrainClient) {
    this.#client = client;
  }

  get plan() {
    return this.#plan;
  }
  get error() {
    return this.#error;
  }
  get isPlanning() {
    return this.#isPlanning;
  }

  clear(): void {
    this.#plan = undefined;
  }

  /** Plans soon, with the settings as they are then; undefined where there is nothing to plan with. */
  soon(settings: () => Planned | undefined): void {
    clearTimeout(this.#timer);
    if (settings() === undefined) return;
    this.#isPlanning = true;
    this.#timer = setTimeout(() => void this.#now(settings()), delayMs);
  }

  async #now(planned: Planned | undefined): Promise<void> {
    this.#request += 1;
    const request = this.#request;
    try {
      const plan = planned === undefined ? undefined : await this.#client.plan(planned.config, planned.startFiles);
      if (request !== this.#request) return;
      this.#plan = plan;
      this.#error = undefined;
    } catch (error) {
      if (request !== this.#request) return;
      this.#plan = undefined;
      this.#error = serializeError(error);
    }
    this.#isPlanning = false;
  }
}
