/** What the worker needs of the training engine. `src/training` provides it; tests put a deterministic one in its place. */
import type { TrainingConfig } from "../config/parameters.ts";
import type { BucketPlan } from "../dataset/buckets.ts";
import type { DatasetFolder, InspectedDataset } from "../dataset/inspect.ts";
import type { Checkpoint } from "../models/config.ts";
import type { StepPlan } from "../training/steps.ts";
import type { Forecast } from "./train-protocol.ts";
import type { RunHost, TrainJob } from "./training-backend.ts";

export interface ForecastInput {
  readonly config: TrainingConfig;
  readonly checkpoint: Checkpoint;
  readonly buckets: BucketPlan;
  readonly steps: StepPlan;
}

export interface EngineRun {
  /** Name of the output, without extension. */
  readonly name: string;
  readonly config: TrainingConfig;
  readonly checkpoint: Checkpoint;
  readonly dataset: InspectedDataset;
  /** The files of `dataset`, to decode pictures from. */
  readonly folder: DatasetFolder;
  /** State to continue from, as the host got it from `snapshot`. */
  readonly resume?: Uint8Array;
}

export interface Engine {
  /** Plans without allocating; `resultBytes` is the size of the file that would be written. */
  forecast(input: ForecastInput): Promise<{ readonly forecast: Forecast; readonly resultBytes: number }>;
  /** A whole run, see `TrainingBackend.train`. */
  train(run: EngineRun, host: RunHost): Promise<Uint8Array>;
  /** The LoRA file of a snapshot; needs neither model nor GPU. */
  exportAdapter(snapshot: Uint8Array, job: Pick<TrainJob, "name" | "config">): Promise<Uint8Array>;
}
