/**
 * One run as the page sees it: live, paused, ended or found again after a reload. Follows the worker's reports;
 * decides nothing about training.
 */
import { fileEnding } from "../../config/file-ending.ts";
import { trainsModel } from "../../config/trained-model.ts";
import { serializeError } from "../../errors.ts";
import type { SerializedError } from "../../errors.ts";
import type { RunRecord, SaveRecord } from "../../storage/database.ts";
import { unpackPoints } from "../../storage/points.ts";
import { runStore } from "../../storage/run-store.ts";
import type { Phase } from "../../training/events.ts";
import type { TrainClient } from "../../workers/train-client.ts";
import type { ModelSource, RunState, RunStateChange, TrainObserver } from "../../workers/train-protocol.ts";
import { isSameModel, reopenModel } from "./model-access.ts";
import type { ModelNeed } from "./model-access.ts";
import { RunLog } from "./run-log.svelte.ts";
import { RunProgress } from "./run-progress.svelte.ts";
import { RunSamples } from "./run-samples.svelte.ts";

export type RunView = RunState | "pausing" | "stopping" | "interrupted";

export class RunMonitor {
  readonly progress: RunProgress;
  readonly log = new RunLog();
  readonly samples = new RunSamples();
  readonly #client: TrainClient;

  #run: RunRecord | undefined = $state.raw();
  #view: RunView = $state("ready");
  /** Whether the worker holds this run now. A stored run that is paused is not live after a reload. */
  #isLive = $state(false);
  #error: SerializedError | undefined = $state.raw();
  #result: Blob | undefined = $state.raw();
  #saves: readonly SaveRecord[] = $state.raw([]);
  #recovered: { readonly from: number; readonly to: number } | undefined = $state.raw();
  #need: ModelNeed | undefined = $state();
  #wrongPick: string | undefined = $state();
  #copyProgress: { readonly done: number; readonly total: number } | undefined = $state.raw();
  #deviceLostStep: number | undefined = $state();
  #checkpointStep: number | undefined = $state();

  constructor(client: TrainClient, smoothing: number) {
    this.#client = client;
    this.progress = new RunProgress(smoothing);
  }

  get run() {
    return this.#run;
  }
  get view() {
    return this.#view;
  }
  /** True from Start to the end, also while paused. */
  get isLive() {
    return this.#isLive;
  }
  get error() {
    return this.#error;
  }
  get result() {
    return this.#result;
  }
  /** Files written on the way to the result, oldest first. */
  get saves() {
    return this.#saves;
  }
  get recovered() {
    return this.#recovered;
  }
  get need() {
    return this.#need;
  }
  get wrongPick() {
    return this.#wrongPick;
  }
  get copyProgress() {
    return this.#copyProgress;
  }
  /** Set once the device was lost in this run: the step it continued from. */
  get deviceLostStep() {
    return this.#deviceLostStep;
  }
  /** The step that a continuation or "keep" would start from; undefined where there is no checkpoint. */
  get checkpointStep() {
    return this.#checkpointStep;
  }
  /** Whether the state shown is on disk: a tab closed now would continue from exactly here. */
  get isStored(): boolean {
    return this.#checkpointStep !== undefined && this.#checkpointStep === (this.progress.last?.step ?? this.#run?.step);
  }
  get fileName(): string {
    return `${this.#run?.name ?? ""}${fileEnding(this.#run?.config ?? {})}`;
  }
  /** Whether samples can be asked for now. */
  get canSample(): boolean {
    const goes = this.#view === "running" || this.#view === "ready" || this.#view === "paused";
    return this.#isLive && goes && this.hasPrompts && this.samples.now === undefined && !this.samples.isAsked;
  }
  /** Whether the run's settings have prompts for samples. */
  get hasPrompts(): boolean {
    return (this.#run?.config.sample_prompts ?? "").trim() !== "";
  }
  isPhaseDone(phase: Phase, order: readonly Phase[]): boolean {
    return this.#view === "finished" || this.progress.isPast(phase, order);
  }

  /** A new run: stores it, keeps a copy of the model where wanted, and starts. */
  async begin(run: RunRecord, source: ModelSource, file: File | undefined, oncopied: (name: string) => void): Promise<void> {
    this.#show(run);
    let model = source;
    try {
      if (file !== undefined) {
        this.#copyProgress = { done: 0, total: file.size };
        const copyName = await this.#client.keepModelCopy(file, (done, total) => {
          this.#copyProgress = { done, total };
        });
        model = { kind: "copy", copyName };
        this.#run = { ...run, model: { ...run.model, copyName } };
        oncopied(copyName);
      }
    } catch (error) {
      // Without a copy the run is as good; only a reload would ask for the file.
      const entry = { level: "warn", code: "model.copyNotKept", text: serializeError(error).message } as const;
      this.log.add({ runId: run.id, at: Date.now(), entry });
    } finally {
      this.#copyProgress = undefined;
    }
    try {
      await runStore.createRun(this.#run ?? run);
    } catch (error) {
      this.#fail(error);
      return;
    }
    await this.#go(model);
    // Refused before it began: there is no run to come back to.
    if (this.#error?.code === "run.otherTab") await runStore.deleteRun(run.id);
  }

  /** Shows a stored run with its history; a run that was going on when the page closed continues if it can. */
  async open(run: RunRecord, mayContinue: boolean): Promise<void> {
    this.#show(run);
    const [points, logs, checkpoint, result, samples, saves] = await Promise.all([
      runStore.points(run.id),
      runStore.logs(run.id),
      runStore.latestCheckpoint(run.id),
      this.#client.result(run.id),
      runStore.samples(run.id),
      runStore.saves(run.id),
    ]);
    this.#saves = saves;
    this.samples.show(samples);
    const reports = unpackPoints(points, { totalSteps: run.totalSteps, totalEpochs: 0 });
    this.progress.show(reports, logs.map(({ entry }) => entry));
    this.log.show(logs);
    this.#checkpointStep = checkpoint?.step;
    this.#result = result;
    if (run.state === "failed") this.#error = run.error;
    const wasGoing = run.state === "running" || run.state === "ready";
    this.#view = wasGoing ? "interrupted" : run.state;
    if (wasGoing && mayContinue) await this.continueRun();
  }

  /** Continues a run that is not live, from its last checkpoint. `ask`: the user clicked, questions are welcome. */
  async continueRun(ask = false): Promise<void> {
    if (this.#run === undefined) return;
    const found = await reopenModel(this.#run.model, ask);
    if (typeof found === "string") {
      this.#need = found;
      if (this.#view !== "paused" && this.#view !== "failed") this.#view = "interrupted";
      return;
    }
    await this.#recover(found);
  }

  /** Continues with a file that the user picked again. */
  async continueWith(file: File): Promise<void> {
    if (this.#run === undefined) return;
    this.#wrongPick = isSameModel(this.#run.model, file) ? undefined : file.name;
    if (this.#wrongPick === undefined) await this.#recover({ kind: "file", file });
  }

  async pause(): Promise<void> {
    if (this.#view !== "running") return;
    this.#view = "pausing";
    await this.#client.pause();
  }

  async resume(): Promise<void> {
    if (this.#view !== "paused" && this.#view !== "pausing") return;
    if (!this.#isLive) return this.continueRun(true);
    this.#view = "running";
    await this.#client.resume();
  }

  async sampleNow(): Promise<void> {
    if (!this.canSample) return;
    this.samples.ask();
    await this.#client.sampleNow();
  }

  async stopAndKeep(): Promise<void> {
    if (this.#isLive) {
      this.#view = "stopping";
      await this.#client.stopAndKeep();
    } else {
      await this.keepLastGood();
    }
  }

  /** Takes the LoRA out of the last good checkpoint of a run that ended badly. */
  async keepLastGood(): Promise<void> {
    if (this.#run === undefined) return;
    try {
      // A whole model's file is made of its base model's.
      const model = trainsModel(this.#run.config) ? await reopenModel(this.#run.model, true) : undefined;
      if (typeof model === "string") {
        this.#need = model;
        return;
      }
      await this.#client.keepLastGood(this.#run.id, model);
      this.#result = await this.#client.result(this.#run.id);
      this.#error = undefined;
      this.#view = "stopped";
    } catch (error) {
      this.#fail(error);
    }
  }

  close(): void {
    if (!this.#isLive) this.#run = undefined;
  }

  #show(run: RunRecord): void {
    this.#run = run;
    this.#view = "ready";
    this.#isLive = false;
    this.progress.show([], []);
    this.log.show([]);
    this.samples.show([]);
    this.#error = undefined;
    this.#result = undefined;
    this.#saves = [];
    this.#recovered = undefined;
    this.#need = undefined;
    this.#wrongPick = undefined;
    this.#deviceLostStep = undefined;
    this.#checkpointStep = undefined;
  }

  async #recover(model: ModelSource): Promise<void> {
    const from = this.progress.last?.step ?? 0;
    const to = this.#checkpointStep ?? 0;
    if (from > 0) this.#recovered = { from, to };
    this.#need = undefined;
    this.#error = undefined;
    await this.#go(model);
  }

  async #go(model: ModelSource): Promise<void> {
    const run = this.#run;
    if (run === undefined) return;
    this.#view = "ready";
    this.#isLive = true;
    try {
      await this.#client.start(run.id, model, this.#observer());
      this.#result = await this.#client.result(run.id);
      this.#checkpointStep = (await runStore.latestCheckpoint(run.id))?.step;
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#isLive = false;
    }
  }

  #observer(): TrainObserver {
    return {
      phase: (phase) => this.progress.enter(phase),
      steps: (reports) => this.progress.add(reports),
      log: (entry) => {
        if (this.#run !== undefined) this.log.add({ runId: this.#run.id, at: Date.now(), entry });
        this.progress.addValidation(entry);
        if (entry.code === "run.deviceLost") this.#deviceLostStep = Number(entry.data?.["step"] ?? 0);
      },
      sampling: (event) => {
        this.samples.follow(event);
        this.progress.interrupt();
      },
      sample: (sample) => this.samples.add(sample),
      saved: () => void this.#readSaves(),
      state: (change) => this.#changeState(change),
    };
  }

  async #readSaves(): Promise<void> {
    const id = this.#run?.id;
    if (id === undefined) return;
    // Trouble of the storage is told by the run itself.
    const saves = await runStore.saves(id).catch(() => this.#saves);
    if (this.#run?.id === id) this.#saves = saves;
  }

  #changeState({ state, error, rewoundTo, checkpointStep }: RunStateChange): void {
    this.#checkpointStep = checkpointStep;
    const isWaiting = state === "running" && (this.#view === "pausing" || this.#view === "stopping");
    if (!isWaiting) this.#view = state;
    if (rewoundTo !== undefined || state === "finished" || state === "stopped" || state === "failed") this.samples.interrupt();
    if (rewoundTo !== undefined) {
      this.progress.rewind(rewoundTo);
      void this.#readSaves();
    }
    if (error !== undefined) this.#error = error;
    if (this.#run !== undefined) this.#run = { ...this.#run, state };
  }

  #fail(error: unknown): void {
    this.#error = serializeError(error);
    this.#view = "failed";
  }
}
