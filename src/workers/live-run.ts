/**
 * One run while it goes: the host that the backend reports to. Holds it while paused, stores history and
 * checkpoints, and tells the page. Storage trouble never stops training; it is said once and training goes on.
 */
import { CancelledError, LorasmithError, serializeError } from "../errors.ts";
import type { SerializedError } from "../errors.ts";
import { isStreamed, type FileBytes, type StreamedFile } from "../formats/streamed-file.ts";
import type { RunStore } from "../storage/run-store.ts";
import type { LogEntry, PhaseProgress, SamplingEvent, StepReport, Verdict } from "../training/events.ts";
import type { SavedAdapter } from "../training/save-schedule.ts";
import type { RunState, TrainObserver } from "./train-protocol.ts";
import type { NewSample, RunHost, Snapshot } from "./training-backend.ts";

/** Time between checkpoints: about this much work is repeated after a crash. */
const checkpointEveryMs = 10_000;
/** Where writing one takes long, at most this share of the time goes into it. */
const checkpointShare = 0.03;
/** History is stored this often, so that after a crash the page can say how far the run had come. */
const storePointsEveryMs = 2000;
/** Reports are gathered this long, so that fast steps do not flood the page. */
const flushEveryMs = 100;

type Wish = "run" | "pause" | "stop";

export class LiveRun implements RunHost {
  readonly #runId: string;
  readonly #store: RunStore;
  readonly #observer: TrainObserver;
  readonly #finish: RunHost["finish"];
  readonly #abort = new AbortController();
  #wish: Wish = "run";
  #wake: (() => void) | undefined;
  #isCheckpointWanted = false;
  #areSamplesWanted = false;
  #isHeld = false;
  #lastSamplingAt = 0;
  #lastCheckpointAt = performance.now();
  #checkpointMs = 0;
  #lastStoredAt = 0;
  #lastFlushAt = 0;
  #unsent: StepReport[] = [];
  #unstored: StepReport[] = [];
  #hasToldStorage = false;
  #step: number;
  #checkpointStep: number | undefined;

  /**
   * `checkpointStep`: the stored step that the run starts from; undefined for a run from the beginning. `finish` keeps a result
   * that is made while it is read.
   */
  constructor(runId: string, store: RunStore, observer: TrainObserver, checkpointStep: number | undefined, finish: RunHost["finish"]) {
    this.#finish = finish;
    this.#runId = runId;
    this.#store = store;
    this.#observer = observer;
    this.#step = checkpointStep ?? 0;
    this.#checkpointStep = checkpointStep;
  }

  get runId(): string {
    return this.#runId;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Updates finished. */
  get step(): number {
    return this.#step;
  }

  get isStopping(): boolean {
    return this.#wish === "stop";
  }

  pause(): void {
    if (this.#wish === "run") this.#wish = "pause";
  }

  resume(): void {
    if (this.#wish === "pause") this.#wish = "run";
    this.#wake?.();
  }

  stopAndKeep(): void {
    this.#wish = "stop";
    this.#wake?.();
    // Before the first update there is nothing to keep: leave loading and caching at once.
    if (this.#step === 0) this.#abort.abort(new CancelledError());
  }

  sampleNow(): void {
    this.#areSamplesWanted = true;
    this.#wake?.();
  }

  checkpointSoon(): void {
    this.#isCheckpointWanted = true;
  }

  phase(progress: PhaseProgress): void {
    this.#observer.phase(progress);
  }

  log(entry: LogEntry): void {
    this.#observer.log(entry);
    void this.#keeping(() => this.#store.appendLog(this.#runId, entry));
  }

  async afterStep(report: StepReport, snapshot: Snapshot, drawSamples: () => Promise<Verdict>): Promise<Verdict> {
    this.#step = report.step;
    this.#unsent.push(report);
    this.#unstored.push(report);
    const now = performance.now();
    if (now - this.#lastFlushAt >= flushEveryMs) this.flush();
    const isLast = report.step >= report.totalSteps;
    if (!isLast && this.#isCheckpointDue(now)) await this.#checkpoint(snapshot);
    else if (now - this.#lastStoredAt >= storePointsEveryMs) await this.#storePoints();
    if (!isLast && this.#wish === "pause") await this.#hold(drawSamples);
    if (this.#areSamplesWanted && this.#wish !== "stop") await drawSamples();
    this.#areSamplesWanted = false;
    return this.#verdict;
  }

  async sampling(event: SamplingEvent, snapshot?: Snapshot): Promise<Verdict> {
    const now = performance.now();
    if (event.kind !== "progress" || event.done === event.total || now - this.#lastSamplingAt >= flushEveryMs) {
      if (event.kind === "begin") this.flush();
      this.#observer.sampling(event);
      this.#lastSamplingAt = now;
    }
    // Asked for once more while they are made: these are what is wanted.
    this.#areSamplesWanted = false;
    if (this.#wish === "pause" && !this.#isHeld && snapshot !== undefined) {
      if (event.step > 0) await this.#checkpoint(snapshot);
      await this.#hold();
    }
    return this.#verdict;
  }

  async sample(sample: NewSample): Promise<void> {
    const record = { ...sample, runId: this.#runId };
    await this.#keeping(() => this.#store.saveSample(record));
    this.#observer.sample(record);
  }

  async save({ name, step, epoch, bytes, replaces }: SavedAdapter): Promise<void> {
    const file = isStreamed(bytes) ? bytes : new Blob([bytes], { type: "application/octet-stream" });
    await this.#keeping(async () => {
      await this.#store.saveAdapter({ runId: this.#runId, step, name, epoch, bytes: file }, replaces);
      this.#observer.saved();
    });
  }

  get #verdict(): Verdict {
    return this.#wish === "stop" ? "stop" : "continue";
  }

  async finish(result: StreamedFile): Promise<void> {
    await this.#finish(result);
  }

  async keepCheckpoint(step: number, bytes: FileBytes): Promise<void> {
    await this.#storePoints();
    await this.#keeping(async () => {
      await this.#store.saveCheckpoint(this.#runId, { step, bytes });
      await this.#store.updateRun(this.#runId, { step });
      this.#checkpointStep = step;
    });
  }

  /** Sends the reports gathered so far to the page. */
  flush(): void {
    if (this.#unsent.length === 0) return;
    this.#observer.steps(this.#unsent);
    this.#unsent = [];
    this.#lastFlushAt = performance.now();
  }

  /** Tells the page and the store. Where storing fails the page still hears it. */
  async become(state: RunState, more: { error?: SerializedError; rewoundTo?: number } = {}): Promise<void> {
    if (more.rewoundTo !== undefined) {
      this.#step = more.rewoundTo;
      this.#unsent = [];
      this.#unstored = [];
    }
    this.flush();
    await this.#storePoints();
    const { error } = more;
    await this.#keeping(() =>
      this.#store.updateRun(this.#runId, { state, step: this.#step, ...(error === undefined ? {} : { error }) }),
    );
    const stored = this.#checkpointStep === undefined ? {} : { checkpointStep: this.#checkpointStep };
    this.#observer.state({ state, step: this.#step, ...stored, ...more });
  }

  /** Waits while the run is paused. `drawSamples`: what samples asked for meanwhile are made with. */
  async #hold(drawSamples?: () => Promise<Verdict>): Promise<void> {
    this.#isHeld = true;
    await this.become("paused");
    while (this.#wish === "pause") {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        // Resumed while the checkpoint was being written.
        if (this.#wish !== "pause" || this.#areSamplesWanted) resolve();
      });
      this.#wake = undefined;
      if (this.#wish === "pause" && this.#areSamplesWanted) await drawSamples?.();
      this.#areSamplesWanted = false;
    }
    this.#isHeld = false;
    if (this.#wish === "run") await this.become("running");
  }

  #isCheckpointDue(now: number): boolean {
    if (this.#wish !== "run" || this.#isCheckpointWanted) return true;
    return now - this.#lastCheckpointAt >= Math.max(checkpointEveryMs, this.#checkpointMs / checkpointShare);
  }

  async #checkpoint(snapshot: Snapshot): Promise<void> {
    this.#isCheckpointWanted = false;
    const step = this.#step;
    const begun = performance.now();
    await this.keepCheckpoint(step, await snapshot());
    this.#lastCheckpointAt = performance.now();
    this.#checkpointMs = this.#lastCheckpointAt - begun;
  }

  async #storePoints(): Promise<void> {
    const reports = this.#unstored;
    this.#unstored = [];
    this.#lastStoredAt = performance.now();
    if (reports.length > 0) await this.#keeping(() => this.#store.appendPoints(this.#runId, reports));
  }

  async #keeping(write: () => Promise<unknown>): Promise<void> {
    try {
      await write();
    } catch (thrown) {
      if (this.#hasToldStorage) return;
      this.#hasToldStorage = true;
      const error = thrown instanceof LorasmithError ? thrown : new LorasmithError("storage.failed", String(thrown));
      const { code, message } = serializeError(error);
      this.#observer.log({ level: "warn", code, text: message });
    }
  }
}
