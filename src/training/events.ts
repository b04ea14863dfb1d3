/** What a run tells its owner (page, CLI, test). Plain data: it crosses the worker boundary as is. */
import type { SampleMoment } from "./sample-schedule.ts";
import type { RunState } from "./state-file.ts";

export type Phase = "load" | "cacheLatents" | "cacheText" | "compile" | "train" | "save";

export interface PhaseProgress {
  readonly phase: Phase;
  /** Units finished and in all; what a unit is depends on the phase (bytes, pictures, captions, pipelines, updates). */
  readonly done: number;
  readonly total: number;
}

export interface StepReport {
  /** Optimizer updates finished, counted from 1 (sd-scripts' global_step). */
  readonly step: number;
  readonly totalSteps: number;
  /** 1-based. */
  readonly epoch: number;
  readonly totalEpochs: number;
  /** Mean over the update's micro-batches of the loss that sd-scripts logs. */
  readonly loss: number;
  /** Global L2 norm of the adapter gradients before clipping. */
  readonly gradNorm: number;
  /** Learning rates used for this update, times the step size that the optimizer found; a side that is not trained is absent. */
  readonly lr: { readonly unet?: number; readonly textEncoder?: number };
  /** With `scale_weight_norms`: modules that it made smaller, and the mean and the largest norm behind it. */
  readonly norms?: { readonly scaled: number; readonly mean: number; readonly largest: number };
  /** With `mixed_precision` fp16: by what gradients were multiplied on their way back. */
  readonly lossScale?: number;
  /** The gradients overflowed at this scale, and nothing was changed. */
  readonly isSkipped?: boolean;
  /** Wall time of this update. */
  readonly stepMs: number;
}

export type LogLevel = "info" | "warn" | "error";

export interface LogEntry {
  readonly level: LogLevel;
  /** i18n key under `log`, with `data` for its placeholders. `text` is the English line. */
  readonly code: string;
  readonly text: string;
  readonly data?: Readonly<Record<string, string | number>>;
}

/** Whether the owner wants the run to go on. */
export type Verdict = "continue" | "stop";

export type SamplingEvent = SampleMoment &
  (
    | { readonly kind: "begin"; readonly prompts: readonly { readonly index: number; readonly prompt: string }[] }
    /** Steps of the sampler finished, of the picture of this prompt. */
    | { readonly kind: "progress"; readonly index: number; readonly done: number; readonly total: number }
    | { readonly kind: "end" }
  );

/** A picture made while training. */
export interface SamplePicture extends SampleMoment {
  /** Of the prompt, from 0. */
  readonly index: number;
  readonly prompt: string;
  readonly seed: number;
  /** The prompt itself names the seed. */
  readonly hasOwnSeed: boolean;
  readonly width: number;
  readonly height: number;
  /** Opaque. */
  readonly rgba: Uint8ClampedArray<ArrayBuffer>;
  /** The webui's "parameters". */
  readonly infotext: string;
  readonly milliseconds: number;
}

/** The owner's side of samples. A run whose owner takes none makes none. */
export interface SampleObserver {
  log(entry: LogEntry): void;
  /**
   * Awaited where samples make progress, so that the owner can hold the run; "stop" leaves the other samples out and
   * ends the run. `snapshot` reads the state of this step.
   */
  sampling?(event: SamplingEvent, snapshot?: () => Promise<RunState>): void | Promise<void | Verdict>;
  /** Awaited: what keeps the picture. */
  sample?(picture: SamplePicture): Promise<void>;
}

export interface RunObserver {
  phase(progress: PhaseProgress): void;
  step(report: StepReport): void;
  log(entry: LogEntry): void;
}
