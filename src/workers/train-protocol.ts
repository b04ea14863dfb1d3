/**
 * What the page and the training worker say to each other. Types only: both sides import this file and
 * nothing of each other. Calls go through Comlink (`train-client.ts`); everything here survives structured clone.
 * Errors cross as SerializedError and are rebuilt as LorasmithError on the page (`typed-errors.ts`).
 */
import type { Advice } from "../config/advice.ts";
import type { MemoryLever } from "../training/memory-levers.ts";
import type { Overrides } from "../config/dataset-keys.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import type { SerializedError } from "../errors.ts";
import type { DatasetFile, RunState, SampleRecord, StartFile } from "../storage/database.ts";
import type { LogEntry, PhaseProgress, SamplingEvent, StepReport } from "../training/events.ts";

export type { DatasetFile, RunState, SampleRecord, SamplingEvent };

/** Values for the placeholders of a translated text. */
export type TextData = Readonly<Record<string, string | number>>;

export type GpuReport =
  | {
      readonly status: "ready";
      readonly name: string;
      /** A software adapter: correct, but many times slower than a graphics card. */
      readonly isSoftware: boolean;
      readonly hasF16: boolean;
      readonly maxBindingBytes: number;
    }
  | { readonly status: "missing"; readonly reason: "noWebGpu" | "noAdapter" }
  | {
      readonly status: "insufficient";
      readonly name: string;
      readonly limit: string;
      readonly required: number;
      readonly actual: number;
    };

export interface ModelReport {
  /** What to call it on the screen, e.g. "Stable Diffusion 1.x". */
  readonly family: string;
  /** kohya's `v2`. */
  readonly isV2: boolean;
  readonly predictionType: "epsilon" | "v_prediction";
  /** True where the file does not say it and the usual choice of the family was taken. */
  readonly isPredictionAssumed: boolean;
  readonly tensorCount: number;
  readonly parameterCount: number;
}

export interface SubsetReport {
  /** Folder as picked, "" for loose files. */
  readonly path: string;
  readonly repeats: number;
  /** False where the folder has no `N_` prefix and repeats is therefore 1. */
  readonly hasRepeatsPrefix: boolean;
  readonly classTokens: string;
  /** Regularization pictures. */
  readonly isReg: boolean;
  readonly pictureCount: number;
  readonly captionCount: number;
  /** Of a dataset configuration: which of its `[[datasets]]`, from 0, */
  readonly dataset?: number;
  /** … the table of this folder, e.g. `[[datasets.subsets]] 2`, */
  readonly table?: string;
  /** … what it says of it, inherited values included, */
  readonly overrides?: Overrides;
  /** … and where it says that masks are. */
  readonly maskDir?: string;
}

/** Something found in the folder that the user should know. `code` is an i18n key under `problem`. */
export interface DatasetProblem {
  readonly severity: "error" | "warning" | "note";
  readonly code: string;
  readonly path: string;
  readonly data: TextData;
  /** English, for codes without a translation. */
  readonly text: string;
}

export interface DatasetReport {
  /** Training pictures and their captions. */
  readonly pictureCount: number;
  readonly captionCount: number;
  readonly regCount: number;
  readonly subsets: readonly SubsetReport[];
  readonly problems: readonly DatasetProblem[];
  /** Paths of the first usable pictures, for thumbnails. */
  readonly previewPaths: readonly string[];
}

export interface BucketReport {
  readonly width: number;
  readonly height: number;
  /** Pictures with repeats counted. */
  readonly count: number;
}

/** How sd-scripts counts: every number that the formula on the screen needs. */
export interface StepsReport {
  /** Pictures with repeats, regularization pictures included. */
  readonly samplesPerEpoch: number;
  /** How many of them are regularization pictures. */
  readonly regPerEpoch: number;
  /** Training pictures. */
  readonly pictureCount: number;
  /** The common repeats of all subsets; absent where they differ, and where there are regularization pictures. */
  readonly repeats?: number;
  readonly batchSize: number;
  readonly gradientAccumulationSteps: number;
  readonly batchesPerEpoch: number;
  readonly updatesPerEpoch: number;
  readonly epochs: number;
  readonly totalSteps: number;
}

export interface Forecast {
  /** GPU bytes of the training phase by part; they add up to that phase's peak. */
  readonly parts: readonly { readonly key: string; readonly bytes: number }[];
  readonly phases: readonly { readonly phase: string; readonly peakBytes: number }[];
  readonly peakBytes: number;
  readonly weightsBytes: number;
  readonly savedActivationBytes: number;
  readonly dispatches: number;
  readonly flops: number;
  /** What settings that are about memory save, or would. */
  readonly levers: readonly MemoryLever[];
  /** What this adapter can probably hold; absent where nothing is known. */
  readonly limitBytes?: number;
}

/** A warning about the plan as a whole, with what to do. `code` is an i18n key under `advice`. */
export type PlanAdvice = Advice;

/** What the current settings mean for the opened model and dataset. Parts that lack their input are absent. */
export interface PlanReport {
  readonly buckets?: readonly BucketReport[];
  readonly steps?: StepsReport;
  readonly forecast?: Forecast;
  /** Size of the file that will be written. */
  readonly resultBytes?: number;
  readonly advice: readonly PlanAdvice[];
}

export interface RunStateChange {
  readonly state: RunState;
  /** Updates finished. */
  readonly step: number;
  /** The last step that is safely stored; absent before the first checkpoint. */
  readonly checkpointStep?: number;
  /** Set where the run went back to its last checkpoint: reports after this step are void and will come again. */
  readonly rewoundTo?: number;
  readonly error?: SerializedError;
}

/** The page's side of a run. Calls are one-way in spirit: the worker does not wait for them. */
export interface TrainObserver {
  phase(progress: PhaseProgress): void;
  /** Reports since the last call, oldest first; at most about ten calls a second. */
  steps(reports: readonly StepReport[]): void;
  log(entry: LogEntry): void;
  /** Samples begin, get on (at most about ten calls a second) and end. */
  sampling(event: SamplingEvent): void;
  sample(sample: SampleRecord): void;
  /** A file of the unfinished adapter was stored with the run, and maybe an older one dropped. */
  saved(): void;
  state(change: RunStateChange): void;
}

/** Where the base model's bytes are: a file the user granted, or a copy kept in this browser. */
export type ModelSource =
  | { readonly kind: "file"; readonly file: File }
  | { readonly kind: "copy"; readonly copyName: string };

export interface TrainWorkerApi {
  gpu(): Promise<GpuReport>;
  /** Reads the header and says what it is. Throws `model.*`, `safetensors.*`. */
  openModel(source: ModelSource): Promise<ModelReport>;
  /** Reads sizes and captions. Throws `dataset.empty` where no picture can be used. */
  openDataset(files: readonly DatasetFile[]): Promise<DatasetReport>;
  /** Throws `lora.*` or `file.*` where a file is no adapter. */
  checkNetwork(file: StartFile): Promise<void>;
  /** @param startFiles adapters that the settings name */
  plan(config: TrainingConfig, startFiles?: readonly StartFile[]): Promise<PlanReport>;
  /**
   * Runs the stored run from its last checkpoint, or from the start. Resolves when it has ended, whatever the end;
   * the end is told through `observer.state`. Throws `run.otherTab` where another tab trains.
   */
  start(runId: string, model: ModelSource, observer: TrainObserver): Promise<void>;
  /** Finishes the update in progress, saves a checkpoint, then holds. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Makes samples after the update in progress, or at once while paused. */
  sampleNow(): Promise<void>;
  /** Finishes the update in progress and writes the LoRA as it is now; samples in progress are left out. */
  stopAndKeep(): Promise<void>;
  /** Asks for a checkpoint after the update in progress (the page is being hidden). */
  checkpointSoon(): Promise<void>;
  /**
   * Writes the file of the last good checkpoint of a run that is not running. Throws `run.nothingToKeep`, and for a model that was
   * trained itself `run.needsModel` without its base model.
   */
  keepLastGood(runId: string, model?: ModelSource): Promise<void>;
  /** The finished file, also where the browser had no room to store it. */
  result(runId: string): Promise<Blob | undefined>;
  /** Streams a model into this browser's own storage; `onprogress` gets finished and total bytes. */
  keepModelCopy(file: File, onprogress: (done: number, total: number) => void): Promise<string>;
}
