/** What a run tells its owner (page, CLI, test). Plain data: it crosses the worker boundary as is. */

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
  /** Learning rates used for this update; a side that is not trained is absent. */
  readonly lr: { readonly unet?: number; readonly textEncoder?: number };
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

export interface RunObserver {
  phase(progress: PhaseProgress): void;
  step(report: StepReport): void;
  log(entry: LogEntry): void;
}
