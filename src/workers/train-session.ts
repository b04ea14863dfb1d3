/**
 * The worker's side of the protocol: opens what the page picked, runs stored runs one at a time, continues after a
 * lost device, and keeps the result. Knows runs and tabs; everything numeric is the backend's.
 */
import { CancelledError, InputError, LorasmithError, serializeError } from "../errors.ts";
import { blobSource } from "../formats/byte-source.ts";
import { openTensorFile } from "../formats/open-tensor-file.ts";
import { readNetwork } from "../lora/network-reader.ts";
import { chunksOf, isStreamed, type FileBytes } from "../formats/streamed-file.ts";
import type { RunRecord } from "../storage/database.ts";
import type { Checkpoint, RunStore } from "../storage/run-store.ts";
import { LiveRun } from "./live-run.ts";
import type { DatasetFile, DatasetReport, ModelSource, TrainObserver, TrainWorkerApi } from "./train-protocol.ts";
import type { TrainingBackend } from "./training-backend.ts";

/** A device lost this often without one new checkpoint between will be lost again. */
const retriesWithoutProgress = 2;

export interface SessionServices {
  readonly store: RunStore;
  readonly datasetFiles: (datasetId: string) => Promise<readonly DatasetFile[]>;
  readonly openCopy: (copyName: string) => Promise<File | undefined>;
  readonly writeCopy: TrainWorkerApi["keepModelCopy"];
  /** Runs `work` while no other tab trains; returns false, without running it, where one does. */
  readonly alone: (work: () => Promise<void>) => Promise<boolean>;
}

export class TrainSession implements TrainWorkerApi {
  readonly #backend: TrainingBackend;
  readonly #services: SessionServices;
  #live: LiveRun | undefined;
  #openedFiles: readonly DatasetFile[] = [];
  /** Results that could not be stored; the page can still download them. */
  readonly #unstoredResults = new Map<string, Blob>();

  constructor(backend: TrainingBackend, services: SessionServices) {
    this.#backend = backend;
    this.#services = services;
  }

  gpu = () => this.#backend.gpu();
  openModel = async (source: ModelSource) => this.#backend.openModel(await this.#modelFile(source));
  checkNetwork: TrainWorkerApi["checkNetwork"] = async ({ name, file }) => {
    await readNetwork(await openTensorFile(blobSource(file, name)));
  };
  plan: TrainWorkerApi["plan"] = (config, startFiles) => this.#backend.plan(config, startFiles);
  keepModelCopy: TrainWorkerApi["keepModelCopy"] = (file, onprogress) => this.#services.writeCopy(file, onprogress);

  async openDataset(files: readonly DatasetFile[]): Promise<DatasetReport> {
    const report = await this.#backend.openDataset(files);
    this.#openedFiles = files;
    return report;
  }

  async start(runId: string, model: ModelSource, observer: TrainObserver): Promise<void> {
    if (this.#live !== undefined) throw new InputError("run.busy", "A run is going on in this tab already.");
    const run = await this.#services.store.run(runId);
    if (run === undefined) throw new InputError("run.unknown", "This run is no longer stored here.", { runId });
    const file = await this.#modelFile(model);
    const couldRun = await this.#services.alone(() => this.#run(run, file, observer));
    if (!couldRun) {
      throw new InputError("run.otherTab", "Another tab is training. Let it finish, or pause it and close that tab.");
    }
  }

  async pause(): Promise<void> {
    this.#live?.pause();
  }

  async resume(): Promise<void> {
    this.#live?.resume();
  }

  async sampleNow(): Promise<void> {
    this.#live?.sampleNow();
  }

  async stopAndKeep(): Promise<void> {
    this.#live?.stopAndKeep();
  }

  async checkpointSoon(): Promise<void> {
    this.#live?.checkpointSoon();
  }

  async keepLastGood(runId: string, model?: ModelSource): Promise<void> {
    const { store } = this.#services;
    const [run, checkpoint] = await Promise.all([store.run(runId), store.latestCheckpoint(runId)]);
    if (run === undefined || checkpoint === undefined) {
      throw new InputError("run.nothingToKeep", "This run has no checkpoint yet, so there is no LoRA to keep.");
    }
    const base = model === undefined ? {} : { model: await this.#modelFile(model) };
    const bytes = await this.#backend.exportAdapter(checkpoint.bytes, { name: run.name, config: run.config, ...base });
    await this.#keepResult(runId, bytes);
    await store.updateRun(runId, { state: "stopped", step: checkpoint.step });
  }

  async result(runId: string): Promise<Blob | undefined> {
    return this.#unstoredResults.get(runId) ?? this.#services.store.result(runId);
  }

  async #modelFile(source: ModelSource): Promise<File> {
    if (source.kind === "file") return source.file;
    const copy = await this.#services.openCopy(source.copyName);
    if (copy === undefined) {
      throw new InputError("model.copyGone", "The browser deleted its copy of the model. Pick the file again.");
    }
    return copy;
  }

  async #run(run: RunRecord, model: File, observer: TrainObserver): Promise<void> {
    const { store } = this.#services;
    let checkpoint = await store.latestCheckpoint(run.id);
    const live: LiveRun = new LiveRun(run.id, store, observer, checkpoint?.step, (file) => this.#keepResult(run.id, file, live));
    this.#live = live;
    try {
      // A dataset that the browser had no room for has no id; it is the one opened here.
      const dataset = run.datasetId === "" ? this.#openedFiles : await this.#services.datasetFiles(run.datasetId);
      for (let retries = 0; ; ) {
        await this.#rewind(live, checkpoint);
        try {
          const { name, config, startWords, startFiles } = run;
          const job = { name, config, model, dataset, ...(startWords && { startWords }), ...(startFiles && { startFiles }) };
          const bytes = await this.#backend.train(
            { ...job, ...(checkpoint === undefined ? {} : { checkpoint: checkpoint.bytes }) },
            live,
          );
          if (bytes !== undefined) await this.#keepResult(run.id, bytes, live);
          await live.become(live.isStopping ? "stopped" : "finished");
          return;
        } catch (error) {
          if (!isDeviceLost(error)) throw error;
          const newer = await store.latestCheckpoint(run.id);
          retries = newer?.step === checkpoint?.step ? retries + 1 : 1;
          if (retries > retriesWithoutProgress) throw error;
          checkpoint = newer;
          live.log({
            level: "warn",
            code: "run.deviceLost",
            text: `The graphics driver restarted. Continuing from step ${checkpoint?.step ?? 0}.`,
            data: { step: checkpoint?.step ?? 0 },
          });
        }
      }
    } catch (error) {
      if (error instanceof CancelledError) await live.become("stopped");
      else await live.become("failed", { error: serializeError(error) });
    } finally {
      this.#live = undefined;
    }
  }

  async #rewind(live: LiveRun, checkpoint: Checkpoint | undefined): Promise<void> {
    const step = checkpoint?.step ?? 0;
    await this.#services.store.cutPoints(live.runId, step);
    // From a checkpoint the files after it come again as they are; from the start perhaps under another seed.
    if (checkpoint === undefined) await this.#services.store.dropSaves(live.runId);
    await live.become("running", { rewoundTo: step });
  }

  /** Stores the file; where there is no room it stays in memory for download and the log says so. */
  async #keepResult(runId: string, bytes: FileBytes, live?: LiveRun): Promise<void> {
    const type = "application/octet-stream";
    const file = isStreamed(bytes) ? bytes : new Blob([bytes], { type });
    try {
      await this.#services.store.saveResult(runId, file);
    } catch (error) {
      // Browsers keep large blobs on disk, too, but for this tab alone.
      const parts: Blob[] = [];
      for await (const piece of chunksOf(bytes)) parts.push(new Blob([piece]));
      this.#unstoredResults.set(runId, new Blob(parts, { type }));
      const text = "The finished file could not be stored here. Download it before you close this tab.";
      live?.log({ level: "warn", code: "run.resultNotStored", text, data: { reason: serializeError(error).message } });
    }
  }
}

function isDeviceLost(error: unknown): boolean {
  return error instanceof LorasmithError && error.code === "gpu.deviceLost";
}
