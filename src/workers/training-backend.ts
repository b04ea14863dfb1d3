/**
 * The engine as the worker sees it: the one seam between the page's world (runs, storage, tabs) and training.
 * The session (`train-session.ts`) owns pausing, checkpoints and recovery; the backend owns everything numeric.
 */
import type { TrainingConfig } from "../config/parameters.ts";
import type { SampleRecord, StartFile } from "../storage/database.ts";
import type { LogEntry, PhaseProgress, SamplingEvent, StepReport, Verdict } from "../training/events.ts";
import type { FileBytes, StreamedFile } from "../formats/streamed-file.ts";
import type { SavedAdapter } from "../training/save-schedule.ts";
import type { StartWords } from "../training/word-init.ts";
import type { DatasetFile, DatasetReport, GpuReport, ModelReport, PlanReport } from "./train-protocol.ts";

export interface TrainJob {
  /** Name of the output, without extension. */
  readonly name: string;
  readonly config: TrainingConfig;
  readonly model: File;
  readonly dataset: readonly DatasetFile[];
  /** The embedding that `weights` names. */
  readonly startWords?: StartWords;
  /** The adapters that `network_weights` and `base_weights` name. */
  readonly startFiles?: readonly StartFile[];
  /** State to continue from, as `snapshot` gave it. */
  readonly checkpoint?: StoredState;
}

/** A state as it was stored; a whole model's is a file that is read by slices. */
export type StoredState = Uint8Array<ArrayBuffer> | Blob;

/** A state to be stored; a whole model's has to be read before the run goes on. */
export type Snapshot = () => Promise<FileBytes>;

/** A sample of which only the run is not known. */
export type NewSample = Omit<SampleRecord, "runId">;

/** What a run needs from its owner while it goes. */
export interface RunHost {
  /** Aborted when the user stops before the first update; the backend then throws CancelledError. */
  readonly signal: AbortSignal;
  phase(progress: PhaseProgress): void;
  log(entry: LogEntry): void;
  /**
   * Awaited after every update; holds while paused. On "stop" the backend writes the adapter as it is and returns.
   * `snapshot` serializes everything that a bit-identical continuation needs; called only where it is wanted.
   * `drawSamples` makes the samples of this step, unless they were made already.
   */
  afterStep(report: StepReport, snapshot: Snapshot, drawSamples: () => Promise<Verdict>): Promise<Verdict>;
  /** Awaited while samples make progress; holds while paused. On "stop" the other samples are left out and the run ends. */
  sampling(event: SamplingEvent, snapshot?: Snapshot): Promise<Verdict>;
  /** Keeps a sample. Never throws. */
  sample(sample: NewSample): Promise<void>;
  /** Keeps a file of the unfinished adapter. Never throws. Awaited before `afterStep` of the same update. */
  save(saved: SavedAdapter): Promise<void>;
  /** Keeps a state now; for the last good one when the next update failed (`train.notFinite`). */
  keepCheckpoint(step: number, snapshot: FileBytes): Promise<void>;
  /** Keeps the result of a run whose file is too large to be returned. */
  finish(result: StreamedFile): Promise<void>;
}

export interface TrainingBackend {
  gpu(): Promise<GpuReport>;
  openModel(file: File): Promise<ModelReport>;
  openDataset(files: readonly DatasetFile[]): Promise<DatasetReport>;
  /** For the model and dataset opened last. */
  plan(config: TrainingConfig, startFiles?: readonly StartFile[]): Promise<PlanReport>;
  /**
   * A whole run; returns the bytes of its file, unless that was handed to `finish`. Throws `gpu.deviceLost` (the session continues from the last
   * checkpoint), `train.notFinite` (the session stops), or anything else typed.
   */
  train(job: TrainJob, host: RunHost): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** The file of a checkpoint; needs no GPU, and the base model only where that was trained itself. Throws `run.needsModel`. */
  exportAdapter(checkpoint: StoredState, job: Omit<TrainJob, "model" | "dataset" | "checkpoint"> & { readonly model?: File }): Promise<FileBytes>;
}
