/** Runs and everything that belongs to one: history, checkpoints, samples, result, log. Used by the page and the worker. */
import type { LogEntry, StepReport } from "../training/events.ts";
import { keysOf, openDatabase } from "./database.ts";
import type { LogRecord, RunRecord, SampleRecord, SaveRecord } from "./database.ts";
import { isStreamed, type FileBytes, type StreamedFile } from "../formats/streamed-file.ts";
import { deleteLarge, deleteLargeOf, isLarge, largeNames, openStored, writeLarge } from "./large-files.ts";
import { concatRows, packPoint, pointWidth, pointsPerChunk, rowsUpTo } from "./points.ts";
import { storing } from "./storage-errors.ts";

/** Whether a run may still be continued, so that its model and pictures must stay. */
export function isUnfinished({ state }: Pick<RunRecord, "state">): boolean {
  return state !== "finished" && state !== "stopped";
}

/** Older checkpoints are deleted only after a newer one is stored, so one good state always exists. */
const checkpointsKept = 2;

/** A state of a run; a whole model's is a file that is read by slices. */
export interface Checkpoint {
  readonly step: number;
  readonly bytes: Uint8Array<ArrayBuffer> | Blob;
}

export interface NewCheckpoint {
  readonly step: number;
  readonly bytes: FileBytes;
}

/** What may be stored: bytes at hand, or a file that is made while it is read. */
type NewFile = Blob | StreamedFile;

export interface RunStore {
  createRun(run: RunRecord): Promise<void>;
  run(id: string): Promise<RunRecord | undefined>;
  /** Newest first. */
  runs(): Promise<RunRecord[]>;
  /** Returns the record as stored; throws where the run was deleted. */
  updateRun(id: string, change: Partial<Omit<RunRecord, "id">>): Promise<RunRecord>;
  deleteRun(id: string): Promise<void>;
  appendPoints(runId: string, reports: readonly StepReport[]): Promise<void>;
  points(runId: string): Promise<Float64Array>;
  /** Forgets the history after `step`, because the run went back to it. */
  cutPoints(runId: string, step: number): Promise<void>;
  saveCheckpoint(runId: string, checkpoint: NewCheckpoint): Promise<void>;
  latestCheckpoint(runId: string): Promise<Checkpoint | undefined>;
  saveResult(runId: string, bytes: NewFile): Promise<void>;
  result(runId: string): Promise<Blob | undefined>;
  /** The same file again takes the place of the one before. `replaces` is dropped in the same breath, if it is there. */
  saveAdapter(save: Omit<SaveRecord, "bytes"> & { readonly bytes: NewFile }, replaces?: Pick<SaveRecord, "step" | "name">): Promise<void>;
  /** Files on the way to the result, by step. */
  saves(runId: string): Promise<SaveRecord[]>;
  /** Forgets them, because the run begins anew. */
  dropSaves(runId: string): Promise<void>;
  /** The same step and prompt again takes the place of the picture before. */
  saveSample(sample: SampleRecord): Promise<void>;
  /** By step, then by prompt. */
  samples(runId: string): Promise<SampleRecord[]>;
  appendLog(runId: string, entry: LogEntry): Promise<void>;
  logs(runId: string): Promise<LogRecord[]>;
}

export const runStore: RunStore = {
  async createRun(run) {
    await storing("the run", async () => (await openDatabase()).put("runs", run));
  },

  async run(id) {
    return (await openDatabase()).get("runs", id);
  },

  async runs() {
    const all = await (await openDatabase()).getAll("runs");
    return all.toSorted((a, b) => b.createdAt - a.createdAt);
  },

  async updateRun(id, change) {
    return storing("the run", async () => {
      const tx = (await openDatabase()).transaction("runs", "readwrite");
      const run = await tx.store.get(id);
      if (run === undefined) throw new Error(`Run ${id} is not stored.`);
      const updated = { ...run, ...change };
      await Promise.all([tx.store.put(updated), tx.done]);
      return updated;
    });
  },

  async deleteRun(id) {
    const db = await openDatabase();
    const tx = db.transaction(["runs", "runPoints", "checkpoints", "results", "samples", "saves", "logs"], "readwrite");
    const logKeys = await tx.objectStore("logs").index("runId").getAllKeys(id);
    await Promise.all([
      tx.objectStore("runs").delete(id),
      tx.objectStore("runPoints").delete(keysOf(id)),
      tx.objectStore("checkpoints").delete(keysOf(id)),
      tx.objectStore("results").delete(id),
      tx.objectStore("samples").delete(keysOf(id)),
      tx.objectStore("saves").delete(keysOf(id)),
      ...logKeys.map((key) => tx.objectStore("logs").delete(key)),
      tx.done,
    ]);
    await deleteLargeOf(id);
  },

  async appendPoints(runId, reports) {
    await storing("the loss history", async () => {
      const tx = (await openDatabase()).transaction("runPoints", "readwrite");
      const last = await tx.store.openCursor(keysOf(runId), "prev");
      let index = last?.value.index ?? 0;
      let rows = concatRows([last?.value.values ?? [], ...reports.map(packPoint)]);
      const chunkLength = pointsPerChunk * pointWidth;
      while (rows.length > 0) {
        await tx.store.put({ runId, index, values: rows.slice(0, chunkLength) });
        rows = rows.slice(chunkLength);
        index += 1;
      }
      await tx.done;
    });
  },

  async points(runId) {
    const chunks = await (await openDatabase()).getAll("runPoints", keysOf(runId));
    return concatRows(chunks.map((chunk) => chunk.values));
  },

  async cutPoints(runId, step) {
    await storing("the loss history", async () => {
      const tx = (await openDatabase()).transaction("runPoints", "readwrite");
      let cursor = await tx.store.openCursor(keysOf(runId), "prev");
      while (cursor) {
        const kept = rowsUpTo(cursor.value.values, step);
        if (kept.length === cursor.value.values.length) break;
        await (kept.length === 0 ? cursor.delete() : cursor.update({ ...cursor.value, values: kept }));
        cursor = await cursor.continue();
      }
      await tx.done;
    });
  },

  async saveCheckpoint(runId, { step, bytes }) {
    await storing("a checkpoint", async () => {
      const stored = isStreamed(bytes) ? await writeLarge("a checkpoint", `${runId}-state-${step}`, bytes) : new Blob([bytes]);
      const tx = (await openDatabase()).transaction("checkpoints", "readwrite");
      await tx.store.put({ runId, step, bytes: stored });
      const old = (await tx.store.getAll(keysOf(runId))).slice(0, -(isStreamed(bytes) ? 1 : checkpointsKept));
      await Promise.all([...old.map((record) => tx.store.delete([runId, record.step])), tx.done]);
      await deleteLarge(largeNames(old.map((record) => record.bytes)));
    });
  },

  async latestCheckpoint(runId) {
    const cursor = await (await openDatabase())
      .transaction("checkpoints")
      .store.openCursor(keysOf(runId), "prev");
    if (cursor === null) return undefined;
    const { step, bytes } = cursor.value;
    const file = await openStored(bytes);
    if (file === undefined) return undefined;
    return { step, bytes: isLarge(bytes) ? file : new Uint8Array(await file.arrayBuffer()) };
  },

  async saveResult(runId, bytes) {
    await storing("the finished file", async () => {
      const stored = bytes instanceof Blob ? bytes : await writeLarge("the finished file", `${runId}-result`, bytes);
      await (await openDatabase()).put("results", { runId, bytes: stored });
    });
  },

  async result(runId) {
    return openStored((await (await openDatabase()).get("results", runId))?.bytes);
  },

  async saveAdapter(save, replaces) {
    await storing("a saved file", async () => {
      const { runId, name, bytes } = save;
      const stored = bytes instanceof Blob ? bytes : await writeLarge("a saved file", `${runId}-save-${name}`, bytes);
      const tx = (await openDatabase()).transaction("saves", "readwrite");
      const drop = replaces === undefined ? undefined : tx.store.delete([save.runId, replaces.step, replaces.name]);
      await Promise.all([tx.store.put({ ...save, bytes: stored }), drop, tx.done]);
      if (replaces !== undefined && !(bytes instanceof Blob)) await deleteLarge([`${runId}-save-${replaces.name}`]);
    });
  },

  async saves(runId) {
    const stored = await (await openDatabase()).getAll("saves", keysOf(runId));
    const opened = await Promise.all(stored.map(async (save) => ({ save, bytes: await openStored(save.bytes) })));
    return opened.flatMap(({ save, bytes }) => (bytes === undefined ? [] : [{ ...save, bytes }]));
  },

  async dropSaves(runId) {
    await storing("the run", async () => {
      const db = await openDatabase();
      const stored = await db.getAll("saves", keysOf(runId));
      await db.delete("saves", keysOf(runId));
      await deleteLarge(largeNames(stored.map(({ bytes }) => bytes)));
    });
  },

  async saveSample(sample) {
    await storing("a sample", async () => (await openDatabase()).put("samples", sample));
  },

  async samples(runId) {
    return (await openDatabase()).getAll("samples", keysOf(runId));
  },

  async appendLog(runId, entry) {
    await storing("the log", async () => (await openDatabase()).add("logs", { runId, at: Date.now(), entry }));
  },

  async logs(runId) {
    return (await openDatabase()).getAllFromIndex("logs", "runId", runId);
  },
};
