/** What the worker needs of the training engine. `webgpu-engine.ts` provides it; tests put a deterministic one in its place. */
import type { TrainingConfig } from "../config/parameters.ts";
import type { InspectedDataset } from "../dataset/inspect.ts";
import type { Checkpoint } from "../models/config.ts";
import type { StartNetworks } from "../training/start-networks.ts";
import type { DatasetPlan, TrainingPicture } from "../training/run-plan.ts";
import type { Forecast, PlanAdvice } from "./train-protocol.ts";
import type { FileBytes } from "../formats/streamed-file.ts";
import type { RunHost, StoredState, TrainJob } from "./training-backend.ts";

export interface ForecastInput {
  readonly config: TrainingConfig;
  readonly checkpoint: Checkpoint;
  readonly plan: DatasetPlan;
  readonly networks: StartNetworks;
}

export interface EngineRun {
  readonly config: TrainingConfig;
  readonly checkpoint: Checkpoint;
  readonly dataset: InspectedDataset;
  /** In the dataset's order; they decode themselves. */
  readonly pictures: readonly TrainingPicture[];
  /** The embedding that `weights` names. */
  readonly startWords?: TrainJob["startWords"];
  /** The adapters that `network_weights` and `base_weights` name. */
  readonly networks: StartNetworks;
  /** State to continue from, as the host got it from `snapshot`. */
  readonly resume?: StoredState;
}

export interface Engine {
  /** Plans without allocating. `resultBytes` is the size of the tensors in the file that would be written. */
  forecast(input: ForecastInput): Promise<{
    readonly forecast: Forecast;
    readonly resultBytes: number;
    readonly advice: readonly PlanAdvice[];
  }>;
  /** A whole run, see `TrainingBackend.train`. */
  train(run: EngineRun, host: RunHost): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** The file of a snapshot; needs no GPU, and the base model only where that was trained itself. */
  exportAdapter(snapshot: StoredState, job: Pick<TrainJob, "name" | "config">, base: Checkpoint | undefined): Promise<FileBytes>;
}
