/** The owner of a run in the terminal: shows it, keeps its state on disk now and then, and stops it on Ctrl-C. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { serializeError } from "../errors.ts";
import type { fileEnding } from "../config/file-ending.ts";
import { decodeState, stateFile, type RunState } from "../training/state-file.ts";
import type { LogEntry, PhaseProgress, SamplePicture, SamplingEvent, StepReport, Verdict } from "../training/events.ts";
import type { DueSave, SavedAdapter } from "../training/save-schedule.ts";
import { isStreamed } from "../formats/streamed-file.ts";
import { resultFile } from "../training/result.ts";
import type { Checkpoint } from "../models/config.ts";
import type { TrainHost } from "../training/trainer.ts";
import { reopenedFile } from "./node-file.ts";
import { Progress } from "./progress.ts";
import { writeSample, type SampleFiles } from "./sample-files.ts";
import { clearLive, mebibytes, say, warn } from "./terminal.ts";
import { writeWhole } from "./write-file.ts";

/** Time between states on disk: at most this much work is lost in a crash. */
const keepEveryMs = 30_000;
/** … unless keeping takes long: then it gets at most this share of the time. */
const maxKeepShare = 0.05;

export interface RunFiles extends SampleFiles {
  /** How the names of results end. */
  readonly ending: ReturnType<typeof fileEnding>;
}

export interface RunResult {
  /** Of its file. */
  readonly path: string;
  /** What a fully trained model's file is made of. */
  readonly base: Checkpoint;
  /** The state is wanted beside it. */
  readonly keepsState: boolean;
}

export class RunHost implements TrainHost {
  readonly #statePath: string;
  readonly #files: RunFiles;
  readonly #result: RunResult;
  readonly #progress = new Progress();
  readonly #abort = new AbortController();
  #wantsStop = false;
  #wantsSamples = false;
  #isSaving = false;
  #isTraining = false;
  #nextKeepAt = performance.now() + keepEveryMs;
  #latest: RunState | undefined;

  constructor(statePath: string, files: RunFiles, result: RunResult) {
    this.#statePath = statePath;
    this.#files = files;
    this.#result = result;
  }

  /** Writes the result, and the state where the run was cut short or it is wanted. @throws InputError `file.cannotWrite` */
  async finish(state: RunState): Promise<void> {
    const { path, base, keepsState } = this.#result;
    clearLive();
    const bytes = resultFile(state, Date.now() / 1000, base);
    await writeWhole(path, bytes);
    const isCutShort = state.update < state.facts.maxTrainSteps;
    if (isCutShort || keepsState) await this.keepCheckpoint(state);
    else if (this.#latest !== undefined) await rm(this.#statePath, { force: true });
    process.stdout.write(`${path}: ${state.update} steps, ${mebibytes(isStreamed(bytes) ? bytes.size : bytes.length)}\n`);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get isStopping(): boolean {
    return this.#wantsStop;
  }

  /** The newest state that is on disk. */
  get latest(): RunState | undefined {
    return this.#latest;
  }

  /** The first call ends the run after the update at hand, or at once where none has begun. */
  stop(): void {
    this.#wantsStop = true;
    if (this.#isTraining) say("Stopping after this update; press Ctrl-C again to leave without saving.");
    else {
      say("Stopping; press Ctrl-C again to leave at once.");
      this.#abort.abort();
    }
  }

  /** Makes samples after the update at hand. */
  sampleNow(): void {
    // The last update is done: there is none after which they could come.
    if (this.#isSaving) return;
    say("Making samples after this update.");
    this.#wantsSamples = true;
  }

  phase(progress: PhaseProgress): void {
    if (progress.phase === "train") this.#isTraining = true;
    if (progress.phase === "save") this.#isSaving = true;
    this.#progress.phase(progress);
  }

  log({ level, text }: LogEntry): void {
    if (level === "info") say(text);
    else warn(text);
  }

  async afterStep(report: StepReport, snapshot: () => Promise<RunState>, drawSamples: () => Promise<Verdict>): Promise<Verdict> {
    this.#progress.step(report);
    if (this.#wantsStop) return "stop";
    const started = performance.now();
    if (started >= this.#nextKeepAt && report.step < report.totalSteps) {
      await this.keepCheckpoint(await snapshot());
      const took = performance.now() - started;
      this.#nextKeepAt = performance.now() + Math.max(keepEveryMs, took / maxKeepShare);
    }
    if (!this.#wantsSamples) return "continue";
    this.#wantsSamples = false;
    return drawSamples();
  }

  async sampling(event: SamplingEvent): Promise<Verdict> {
    this.#progress.sampling(event);
    return this.#wantsStop ? "stop" : "continue";
  }

  /** @throws InputError `file.cannotWrite` */
  async sample(picture: SamplePicture): Promise<void> {
    say(`Sample of step ${picture.step}: ${await writeSample(this.#files, picture)}`);
  }

  /** Writes a file beside the result. Where it cannot, that is said and training goes on. */
  async save({ name, step, bytes, replaces }: SavedAdapter): Promise<void> {
    const pathOf = (fileName: string): string => join(this.#files.out, `${fileName}${this.#files.ending}`);
    try {
      await writeWhole(pathOf(name), bytes);
      if (replaces !== undefined) await rm(pathOf(replaces.name), { force: true });
      say(`Saved the result of step ${step}: ${pathOf(name)}`);
    } catch (error) {
      warn(`no file of step ${step} was saved: ${serializeError(error).message}`);
    }
  }

  /** Writes a state beside such a file, and drops the older one that it replaces. Trouble ends no run here either. */
  async saveState({ name, step, state: wanted }: DueSave, state: RunState): Promise<void> {
    if (wanted === undefined) return;
    const pathOf = (fileName: string): string => join(this.#files.out, `${fileName}.state.safetensors`);
    try {
      await writeWhole(pathOf(name), stateFile(state));
      if (wanted.replaces !== undefined) await rm(pathOf(wanted.replaces.name), { force: true });
    } catch (error) {
      warn(`no state of step ${step} was saved: ${serializeError(error).message}`);
    }
  }

  /** Writes a state that the run can be continued from. @throws InputError `file.cannotWrite` */
  async keepCheckpoint(state: RunState): Promise<void> {
    await writeWhole(this.#statePath, stateFile(state));
    // A model's state lies on the GPU, which may be lost: what is on disk stays.
    this.#latest = state.model === undefined ? state : await decodeState(await reopenedFile(this.#statePath));
  }
}
