import { describe, expect, it } from "vitest";
import { defaultConfig } from "../../src/config/parameters.ts";
import { CancelledError, LorasmithError } from "../../src/errors.ts";
import { DeviceLostError } from "../../src/gpu/errors.ts";
import { StorageFullError } from "../../src/storage/storage-errors.ts";
import type { RunRecord, SampleRecord, SaveRecord } from "../../src/storage/database.ts";
import type { Checkpoint, NewCheckpoint, RunStore } from "../../src/storage/run-store.ts";
import { savesAfter } from "../../src/training/save-schedule.ts";
import { planSteps } from "../../src/training/steps.ts";
import type { LogEntry, SamplingEvent, StepReport, Verdict } from "../../src/training/events.ts";
import { TrainSession } from "../../src/workers/train-session.ts";
import type { RunStateChange, TrainObserver } from "../../src/workers/train-protocol.ts";
import type { RunHost, TrainingBackend } from "../../src/workers/training-backend.ts";

const totalSteps = 6;
const source = { kind: "file", file: new File(["model"], "m.safetensors") } as const;

function record(): RunRecord {
  return {
    id: "r", createdAt: 0, name: "n", config: defaultConfig(), state: "ready",
    model: { name: "m.safetensors", bytes: 5, lastModified: 0 }, datasetId: "d", step: 0, totalSteps,
  };
}

/** The store's contract in memory; `isFull` makes every write of bytes fail. */
class MemoryStore implements Pick<RunStore, keyof RunStore> {
  stored: RunRecord | undefined = record();
  checkpoints: Checkpoint[] = [];
  steps: number[] = [];
  saved: Blob | undefined;
  entries: LogEntry[] = [];
  isFull = false;

  createRun = async () => undefined;
  deleteRun = async () => undefined;
  run = async () => this.stored;
  runs = async () => [];
  updateRun = async (_: string, change: Partial<RunRecord>) => (this.stored = { ...record(), ...this.stored, ...change });
  appendPoints = async (_: string, reports: readonly StepReport[]) => void this.steps.push(...reports.map(({ step }) => step));
  points = async () => new Float64Array();
  cutPoints = async (_: string, step: number) => void (this.steps = this.steps.filter((kept) => kept <= step));
  latestCheckpoint = async () => this.checkpoints.at(-1);
  result = async () => this.saved;
  logs = async () => [];
  pictures: SampleRecord[] = [];
  samples = async () => this.pictures;
  saveSample = async (sample: SampleRecord) => {
    if (this.isFull) throw new StorageFullError("a sample");
    this.pictures.push(sample);
  };
  files: SaveRecord[] = [];
  saves = async () => this.files;
  dropSaves = async () => void (this.files = []);
  saveAdapter = async (save: SaveRecord, replaces?: Pick<SaveRecord, "name">) => {
    if (this.isFull) throw new StorageFullError("a saved LoRA");
    this.files = [...this.files.filter(({ name }) => name !== save.name && name !== replaces?.name), save];
  };
  appendLog = async (_: string, entry: LogEntry) => void this.entries.push(entry);
  saveCheckpoint = async (_: string, { step, bytes }: NewCheckpoint) => {
    if (this.isFull) throw new StorageFullError("a checkpoint");
    this.checkpoints.push({ step, bytes: bytes as Uint8Array<ArrayBuffer> });
  };
  saveResult = async (_: string, bytes: Blob) => {
    if (this.isFull) throw new StorageFullError("the finished file");
    this.saved = bytes;
  };
}

class Observer implements TrainObserver {
  seen: number[] = [];
  changes: RunStateChange[] = [];
  entries: LogEntry[] = [];
  onstep: (step: number) => void = () => undefined;
  phase = (): void => undefined;
  steps = (reports: readonly StepReport[]): void => void this.seen.push(...reports.map(({ step }) => step));
  log = (entry: LogEntry): void => void this.entries.push(entry);
  state = (change: RunStateChange): void => void this.changes.push(change);
  sampling = (event: SamplingEvent): void => void this.sampled.push(`${event.kind} ${event.step}`);
  sample = ({ step, index }: SampleRecord): void => void this.sampled.push(`picture ${step}/${index}`);
  sampled: string[] = [];
  saved = (): void => void (this.savedCount += 1);
  savedCount = 0;
  get states(): string[] {
    return this.changes.map(({ state }) => state);
  }
}

/** Samples of two prompts, three steps each. */
async function drawTwo(step: number, snapshot: () => Promise<Uint8Array<ArrayBuffer>>, host: RunHost): Promise<Verdict> {
  const moment = { step, epoch: undefined };
  await host.sampling({ kind: "begin", ...moment, prompts: [{ index: 0, prompt: "a" }, { index: 1, prompt: "b" }] });
  let verdict: Verdict = "continue";
  for (const index of [0, 1]) {
    for (let done = 1; done <= 3 && verdict === "continue"; done++) {
      verdict = await host.sampling({ kind: "progress", ...moment, index, done, total: 3 }, snapshot);
    }
    if (verdict === "stop") break;
    await host.sample({ ...moment, index, prompt: "a", seed: 1, width: 64, height: 64, milliseconds: 1, png: new Blob() });
  }
  await host.sampling({ kind: "end", ...moment });
  return verdict;
}

/** Two updates an epoch. */
const plan = planSteps({ bucketSizes: [2], batchSize: 1, accumulation: 1, maxSteps: totalSteps, maxEpochs: null });

/** A run whose state is its step number; `before` may interfere ahead of a step. */
function backend(before: (step: number, host: RunHost) => void | Promise<void>): TrainingBackend {
  const unused = () => Promise.reject(new Error("not called here"));
  return {
    gpu: unused,
    openModel: unused,
    openDataset: unused,
    plan: unused,
    exportAdapter: async (checkpoint) => Uint8Array.of(100 + (checkpoint as Uint8Array)[0]!),
    async train({ checkpoint, config }, host) {
      let step = (checkpoint as Uint8Array | undefined)?.[0] ?? 0;
      while (step < totalSteps) {
        await before(step + 1, host);
        if (host.signal.aborted) throw new CancelledError();
        step += 1;
        const done = step;
        const report = { step, totalSteps, epoch: 1, totalEpochs: 1, loss: 1, gradNorm: 1, lr: {}, stepMs: 1 };
        const snapshot = async () => Uint8Array.of(done);
        for (const save of savesAfter(config, plan, step)) await host.save({ ...save, bytes: Uint8Array.of(step) });
        if ((await host.afterStep(report, snapshot, () => drawTwo(done, snapshot, host))) === "stop") break;
      }
      return Uint8Array.of(step);
    },
  };
}

function setUp(before: (step: number, host: RunHost) => void | Promise<void> = () => undefined) {
  const store = new MemoryStore();
  const observer = new Observer();
  let isAlone = true;
  const session = new TrainSession(backend(before), {
    store,
    datasetFiles: async () => [],
    openCopy: async () => undefined,
    writeCopy: async () => "",
    alone: async (work) => (isAlone ? (await work(), true) : false),
  });
  return { store, observer, session, start: () => session.start("r", source, observer), otherTabTrains: () => (isAlone = false) };
}

async function bytesOf(blob: Blob | undefined): Promise<number[]> {
  return blob === undefined ? [] : [...new Uint8Array(await blob.arrayBuffer())];
}

describe("a run", () => {
  it("goes through every step, stores its history and keeps the result", async () => {
    const { store, observer, session, start } = setUp();
    await start();
    expect(observer.seen).toEqual([1, 2, 3, 4, 5, 6]);
    expect(store.steps).toEqual([1, 2, 3, 4, 5, 6]);
    expect(observer.states).toEqual(["running", "finished"]);
    expect(store.stored).toMatchObject({ state: "finished", step: 6 });
    expect(await bytesOf(await session.result("r"))).toEqual([6]);
  });

  it("holds where it was paused, with a checkpoint of that step, until it is resumed", async () => {
    const { store, observer, session, start } = setUp(async (step) => {
      if (step === 3) await session.pause();
    });
    const running = start();
    await expect.poll(() => observer.states).toEqual(["running", "paused"]);
    expect(observer.changes.at(-1)).toEqual({ state: "paused", step: 3, checkpointStep: 3 });
    expect(store.stored).toMatchObject({ state: "paused", step: 3 });
    expect(store.checkpoints.map(({ step }) => step)).toEqual([3]);
    await session.resume();
    await running;
    expect(observer.states).toEqual(["running", "paused", "running", "finished"]);
  });

  it("continues from its last checkpoint after the tab was closed, and repeats no point", async () => {
    const { store, observer, start } = setUp();
    store.checkpoints = [{ step: 4, bytes: Uint8Array.of(4) }];
    store.steps = [1, 2, 3, 4, 5];
    await start();
    expect(observer.seen).toEqual([5, 6]);
    expect(store.steps).toEqual([1, 2, 3, 4, 5, 6]);
    expect(observer.changes[0]).toMatchObject({ state: "running", rewoundTo: 4 });
  });

  it("stops where it was told to and keeps the LoRA of that step", async () => {
    const { store, session, start } = setUp(async (step) => {
      if (step === 4) await session.stopAndKeep();
    });
    await start();
    expect(store.stored).toMatchObject({ state: "stopped", step: 4 });
    expect(await bytesOf(store.saved)).toEqual([4]);
  });

  it("stopped before its first step keeps nothing and is no error", async () => {
    const { store, observer, session, start } = setUp(async (step) => {
      if (step === 1) await session.stopAndKeep();
    });
    await start();
    expect(observer.changes.at(-1)).toEqual({ state: "stopped", step: 0 });
    expect(store.saved).toBeUndefined();
  });

  it("stops out of a pause", async () => {
    const { store, observer, session, start } = setUp(async (step) => {
      if (step === 2) await session.pause();
    });
    const running = start();
    await expect.poll(() => observer.states.at(-1)).toBe("paused");
    await session.stopAndKeep();
    await running;
    expect(await bytesOf(store.saved)).toEqual([2]);
  });
});

describe("samples", () => {
  const whole = (step: number) => [`begin ${step}`, `progress ${step}`, `picture ${step}/0`, `progress ${step}`, `picture ${step}/1`, `end ${step}`];
  const distinct = (seen: readonly string[]) => seen.filter((what, i) => what !== seen[i - 1]);

  it("come after the update at hand when they are asked for, and are kept with the run", async () => {
    const { store, observer, session, start } = setUp(async (step) => {
      if (step === 2) await session.sampleNow();
    });
    await start();
    expect(distinct(observer.sampled)).toEqual(whole(2));
    expect(store.pictures.map(({ runId, step, index }) => [runId, step, index])).toEqual([["r", 2, 0], ["r", 2, 1]]);
    expect(observer.seen).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it("asked for in a pause are made in it", async () => {
    const { observer, session, start } = setUp(async (step) => {
      if (step === 3) await session.pause();
    });
    const running = start();
    await expect.poll(() => observer.states.at(-1)).toBe("paused");
    await session.sampleNow();
    await expect.poll(() => distinct(observer.sampled)).toEqual(whole(3));
    expect(observer.states).toEqual(["running", "paused"]);
    await session.resume();
    await running;
    expect(distinct(observer.sampled)).toEqual(whole(3));
    expect(observer.states.at(-1)).toBe("finished");
  });

  it("hold between two of their steps while the run is paused, with a checkpoint, and go on where they were", async () => {
    const { store, observer, session, start } = setUp(async (step) => {
      if (step === 2) await session.sampleNow();
    });
    const sampling = observer.sampling;
    observer.sampling = (event) => {
      sampling(event);
      if (event.kind === "begin") void session.pause();
    };
    const running = start();
    await expect.poll(() => observer.states.at(-1)).toBe("paused");
    expect(observer.sampled).toEqual(["begin 2"]);
    expect(store.checkpoints.map(({ step }) => step)).toEqual([2]);
    await session.resume();
    await running;
    expect(distinct(observer.sampled)).toEqual(whole(2));
  });

  it("are left out when the run is stopped, and the LoRA is kept", async () => {
    const { store, observer, session, start } = setUp(async (step) => {
      if (step === 2) await session.sampleNow();
    });
    observer.sample = () => void session.stopAndKeep();
    await start();
    expect(store.pictures.length).toBe(1);
    expect(await bytesOf(store.saved)).toEqual([2]);
  });

  it("that there is no room for are still shown", async () => {
    const { store, observer, session, start } = setUp(async (step) => {
      if (step === 2) await session.sampleNow();
    });
    store.isFull = true;
    await start();
    expect(distinct(observer.sampled)).toEqual(whole(2));
    expect(observer.entries.map(({ code }) => code)).toContain("storage.full");
  });
});

describe("files on the way", () => {
  const saving = (store: MemoryStore, more: Partial<RunRecord["config"]> = {}) =>
    (store.stored = { ...record(), config: { ...defaultConfig(), output_name: "n", save_every_n_epochs: 1, ...more } });
  const kept = async ({ files }: MemoryStore) =>
    Promise.all(files.map(async ({ runId, name, step, epoch, bytes }) => [runId, name, step, epoch, ...(await bytesOf(bytes))]));

  it("are stored with the run, each as it was after its epoch, and the page hears of every one", async () => {
    const { store, observer, start } = setUp();
    saving(store);
    await start();
    expect(await kept(store)).toEqual([["r", "n-000001", 2, 1, 2], ["r", "n-000002", 4, 2, 4]]);
    expect(observer.savedCount).toBe(2);
    expect(await bytesOf(store.saved)).toEqual([6]);
  });

  it("take the place of older ones where only the last are wanted", async () => {
    const { store, start } = setUp();
    saving(store, { save_last_n_epochs: 1, save_every_n_steps: 2, save_last_n_steps: 2 });
    await start();
    expect(store.files.map(({ name }) => name)).toEqual(["n-step00000004", "n-000002", "n-step00000006"]);
  });

  it("are none where none are wanted", async () => {
    const { store, observer, start } = setUp();
    await start();
    expect([store.files.length, observer.savedCount]).toEqual([0, 0]);
  });

  it("are there once after the run went back to a checkpoint before them, and none is missing", async () => {
    let losses = 0;
    const { store, start } = setUp(async (step) => {
      if (step === 3) await store.saveCheckpoint("r", { step: 2, bytes: Uint8Array.of(2) });
      if (step === 5 && losses++ === 0) throw new DeviceLostError("test");
    });
    saving(store);
    await start();
    expect(await kept(store)).toEqual([["r", "n-000001", 2, 1, 2], ["r", "n-000002", 4, 2, 4]]);
  });

  it("of a run that goes on stay, and those behind it are not written again", async () => {
    const { store, observer, start } = setUp();
    saving(store);
    store.checkpoints = [{ step: 3, bytes: Uint8Array.of(3) }];
    store.files = [{ runId: "r", name: "n-000001", step: 2, epoch: 1, bytes: new Blob(["x"]) }];
    await start();
    expect(store.files.map(({ name }) => name)).toEqual(["n-000001", "n-000002"]);
    expect(observer.savedCount).toBe(1);
  });

  it("of an attempt without a checkpoint are dropped, because the next may draw another seed", async () => {
    const { store, start } = setUp((step) => {
      if (step === 1) throw new LorasmithError("test", "no");
    });
    saving(store);
    store.files = [{ runId: "r", name: "n-000001", step: 2, epoch: 1, bytes: new Blob(["x"]) }];
    await start();
    expect(store.files).toEqual([]);
  });

  it("that there is no room for are told as trouble of the storage, and training goes on", async () => {
    const { store, observer, start } = setUp();
    saving(store);
    store.isFull = true;
    await start();
    expect(observer.seen).toEqual([1, 2, 3, 4, 5, 6]);
    expect(observer.savedCount).toBe(0);
    expect(observer.entries.map(({ code }) => code)).toEqual(["storage.full", "run.resultNotStored"]);
  });
});

describe("trouble", () => {
  it("of a lost device is overcome from the last checkpoint, and the page hears what is void", async () => {
    let losses = 0;
    const { store, observer, session, start } = setUp(async (step) => {
      if (step === 3) await session.checkpointSoon();
      if (step === 5 && losses++ === 0) throw new DeviceLostError("test");
    });
    await start();
    expect(observer.changes.map(({ rewoundTo }) => rewoundTo)).toEqual([0, 3, undefined]);
    expect(observer.entries).toMatchObject([{ code: "run.deviceLost", data: { step: 3 } }]);
    expect(store.steps).toEqual([1, 2, 3, 4, 5, 6]);
    expect(store.stored).toMatchObject({ state: "finished" });
  });

  it("of a device that is lost again and again ends the run with that error", async () => {
    let starts = 0;
    const { observer, start } = setUp((step) => {
      if (step === 1) starts += 1;
      if (step === 2) throw new DeviceLostError("test");
    });
    await start();
    expect(starts).toBe(3);
    expect(observer.changes.at(-1)).toMatchObject({ state: "failed", error: { code: "gpu.deviceLost" } });
  });

  it("of an invalid loss ends the run; the last good state can still be kept", async () => {
    const { store, observer, session, start } = setUp(async (step, host) => {
      if (step !== 5) return;
      await host.keepCheckpoint(4, Uint8Array.of(4));
      throw new LorasmithError("train.notFinite", "no", { step });
    });
    await start();
    expect(observer.changes.at(-1)).toMatchObject({ state: "failed", error: { code: "train.notFinite", data: { step: 5 } } });
    await session.keepLastGood("r");
    expect(await bytesOf(store.saved)).toEqual([104]);
    expect(store.stored).toMatchObject({ state: "stopped", step: 4 });
  });

  it("of full storage does not stop training, is told once, and leaves the result to download", async () => {
    const { store, observer, session, start } = setUp(async (step) => {
      if (step === 2 || step === 4) await session.checkpointSoon();
    });
    store.isFull = true;
    await start();
    expect(observer.seen).toEqual([1, 2, 3, 4, 5, 6]);
    expect(observer.entries.map(({ code }) => code)).toEqual(["storage.full", "run.resultNotStored"]);
    expect(await bytesOf(await session.result("r"))).toEqual([6]);
  });

  it("of full storage is not hidden by a pause: the page hears that the state is not on disk", async () => {
    const { store, observer, session, start } = setUp(async (step) => {
      if (step === 2) await session.checkpointSoon();
      if (step === 4) await session.pause();
      if (step === 3) store.isFull = true;
    });
    const running = start();
    await expect.poll(() => observer.states.at(-1)).toBe("paused");
    expect(observer.changes.at(-1)).toEqual({ state: "paused", step: 4, checkpointStep: 2 });
    await session.resume();
    await running;
  });

  it("of a second tab is a typed error, and the run stays as it is", async () => {
    const { store, start, otherTabTrains } = setUp();
    otherTabTrains();
    await expect(start()).rejects.toMatchObject({ code: "run.otherTab" });
    expect(store.stored).toMatchObject({ state: "ready" });
  });

  it("of a deleted model copy is said before anything starts", async () => {
    const { session, observer } = setUp();
    await expect(session.start("r", { kind: "copy", copyName: "x" }, observer)).rejects.toMatchObject({ code: "model.copyGone" });
    expect(observer.changes).toEqual([]);
  });

  it("of a run without a checkpoint leaves nothing to keep", async () => {
    const { session } = setUp();
    await expect(session.keepLastGood("r")).rejects.toMatchObject({ code: "run.nothingToKeep" });
  });
});
