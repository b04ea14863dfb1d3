/**
 * What the page and the generation worker say to each other. Types only; calls go through Comlink
 * (`generate-client.ts`), errors cross as they do for training. Everything here survives structured clone.
 *
 * The worker reads files when they are opened, but takes the GPU only to draw. It lets go of it after some idle time,
 * when another tab wants to draw, and at once when a run starts: training goes first, and what is being drawn then ends
 * with `generation.trainingStarted`. While a run is live, in whichever tab and also while it is paused, `generate`
 * and `grid` are refused with `generation.training`; they do not wait, because that may take hours. Nothing opened is
 * lost by any of this: the next picture loads it again.
 */
import type { GridCell, GridPlan, GridSpec } from "../generation/grid.ts";
import type { RecalledSettings } from "../generation/picture-text.ts";
import type {
  AdapterReport, AdapterWeight, GeneratedPicture, GenerationProgress, GenerationRequest,
} from "../generation/request.ts";
import type { ModelReport, ModelSource } from "./train-protocol.ts";

export type { ModelSource };

/** Where an adapter's bytes are: a picked file, or what a run of this browser has stored. */
export type AdapterSource =
  | { readonly kind: "file"; readonly file: File }
  /** `step` names a training snapshot; without it, the run's finished file. */
  | { readonly kind: "run"; readonly runId: string; readonly step?: number };

/** Something of a run that can be opened as an adapter; for the epoch picker. */
export interface TrainedAdapter {
  /** What its adapter will be called, as kohya names files: `smith`, `smith-step00000120`. */
  readonly name: string;
  readonly source: AdapterSource & { readonly kind: "run" };
  readonly step: number;
  /** Epochs finished by then, with a part of the current one: 2.5 is in the middle of the third. */
  readonly epoch: number;
  readonly isFinal: boolean;
}

export interface OpenedModel extends ModelReport {
  /** File name without extension. */
  readonly name: string;
}

/** `name` is unique among the opened adapters: a second file of that name becomes `name-2`. */
export type OpenedAdapter = Omit<AdapterReport, "misfits"> & {
  /** Module names as in the file; the first of them, where there are many. */
  readonly misfits: readonly string[];
  readonly misfitCount: number;
};

export interface OpenedEmbedding {
  /** To be written in prompts. */
  readonly name: string;
  readonly vectors: number;
}

export interface GenerationForecast {
  /** Of the UNet; see `GridPlan.evaluations`. */
  readonly evaluations: number;
  readonly peakBytes: number;
  readonly weightsBytes: number;
  readonly flops: number;
}

/** Who holds the GPU's memory, and why not this worker. */
export type GeneratorState =
  | { readonly state: "closed" }
  | { readonly state: "loading" }
  | { readonly state: "ready" }
  | { readonly state: "released"; readonly reason: "idle" | "training" | "otherTab" | "deviceLost" };

export interface GenerateJob {
  /** Chosen by the page; for `cancel`. */
  readonly id: string;
  readonly request: GenerationRequest;
  readonly adapters: readonly AdapterWeight[];
  /** A job that still waits gives way to a newer one of the same slot (a slider being dragged); it ends as cancelled. */
  readonly slot?: string;
  /** Rough pictures on the way. */
  readonly wantsPreviews?: boolean;
}

export interface GridJob {
  readonly id: string;
  readonly plan: GridPlan;
  readonly wantsPreviews?: boolean;
}

/** The page's side of a job. The worker does not wait for these. */
export interface GenerateObserver {
  /** Loading the model, before the first step; bytes done and in all. Not called where it is loaded already. */
  loading(done: number, total: number): void;
  /** Compiling the GPU's programs, before the first step; shares of a whole. Not called where they are ready. */
  compiling(done: number, total: number): void;
  progress(progress: GenerationProgress): void;
}

export interface GridObserver extends GenerateObserver {
  /** A cell is finished; `done` counts them. */
  cell(cell: GridCell, picture: FinishedPicture, done: number): void;
}

export interface FinishedPicture extends Omit<GeneratedPicture, "rgba"> {
  /** With `infotext` inside, as the webui saves it. */
  readonly png: Blob;
  /** The webui's "parameters". */
  readonly infotext: string;
}

/** A finished cell, for the sheet. */
export interface SheetCell {
  readonly column: number;
  readonly row: number;
  readonly png: Blob;
}

/** Texts beside the axes of an exported grid, in the page's language. */
export interface SheetTexts {
  readonly columns: string;
  readonly rows?: string;
}

export interface GenerateWorkerApi {
  /** Told at once and on every change. */
  watch(onstate: (state: GeneratorState) => void): Promise<void>;
  /**
   * Reads the base model's header and takes it from now on; adapters and embeddings stay open (`adapters` tells how
   * they fit it), what is being drawn ends as cancelled. An embedded model comes as a File made of its bytes.
   * Throws `model.*`, `checkpoint.*`, `safetensors.*`.
   */
  openModel(source: ModelSource): Promise<OpenedModel>;
  /** Another VAE than the model's own; undefined takes the model's again. Throws as `openModel`. */
  openVae(source: ModelSource | undefined): Promise<void>;
  /** What of a run can be opened, oldest first. */
  trainedAdapters(runId: string): Promise<readonly TrainedAdapter[]>;
  /**
   * Reads an adapter and says how much of it fits the opened model. The same source again is read anew under the
   * same name. Throws `generation.noModel`, `lora.*`, `safetensors.*`, `run.nothingStored`.
   */
  openAdapter(source: AdapterSource): Promise<OpenedAdapter>;
  /** The opened ones as they fit the model opened last; `applied` is 0 where nothing does. */
  adapters(): Promise<readonly OpenedAdapter[]>;
  removeAdapter(name: string): Promise<void>;
  /** A textual-inversion embedding. Throws `embedding.*`, `safetensors.*`. */
  openEmbedding(file: File): Promise<OpenedEmbedding>;
  removeEmbedding(name: string): Promise<void>;
  /** Plans without allocating. Throws `generation.noModel` and what `generate` would refuse a request for. */
  forecast(request: GenerationRequest, adapters?: readonly AdapterWeight[]): Promise<GenerationForecast>;
  /**
   * Draws one picture after those asked for before. Throws `cancelled`, `generation.noModel`, `generation.training`,
   * `generation.trainingStarted`, `generation.otherTab`, `generation.unknownLora`, `lora.nothingFits`, `gpu.*`,
   * `prompt.*`.
   */
  generate(job: GenerateJob, observer: GenerateObserver): Promise<FinishedPicture>;
  /** Reads the axes. Throws `grid.*`. */
  planGrid(spec: GridSpec): Promise<GridPlan>;
  /**
   * Draws the cells in the plan's order. Single pictures asked for meanwhile go between two cells. Throws as `generate`;
   * cells told before stay good.
   */
  grid(job: GridJob, observer: GridObserver): Promise<void>;
  /** The grid as one PNG picture with labels and metadata; cells without a picture stay empty. */
  gridSheet(plan: GridPlan, cells: readonly SheetCell[], texts: SheetTexts): Promise<Blob>;
  /** Ends a job, running or waiting; all of them without an id. What runs ends after the step in progress. */
  cancel(id?: string): Promise<void>;
  /** Gives the GPU's memory back now; running jobs end as cancelled. */
  release(): Promise<void>;
  /** Settings from a picture's metadata; undefined where it has none. Throws `png.*`. */
  readSettings(picture: Blob): Promise<RecalledSettings | undefined>;
}
