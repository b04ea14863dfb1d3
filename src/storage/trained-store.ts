/** What runs have stored that can be tried out: training snapshots, files saved on the way, and finished files. */
import { keysOf, openDatabase } from "./database.ts";
import { openStored } from "./large-files.ts";
import { pointWidth } from "./points.ts";
import { runStore } from "./run-store.ts";

export interface TrainedEntry {
  /** Absent for the finished file. */
  readonly step?: number;
  /** Name of the file that was saved on the way; absent for snapshots and the finished file. */
  readonly fileName?: string;
  /** Updates that went into it. */
  readonly updates: number;
  /** The epoch that the last of them belongs to, from 1; 0 before the first. */
  readonly epoch: number;
}

export interface TrainedStore {
  /** The run's name and what it has, oldest first and each step once; undefined where the run is gone. */
  entries(runId: string): Promise<{ readonly runName: string; readonly entries: readonly TrainedEntry[] } | undefined>;
  /** A training state as `snapshot` gave it. */
  snapshot(runId: string, step: number): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** The LoRA file that was saved on the way, at this step. */
  saved(runId: string, step: number): Promise<Blob | undefined>;
  /** The finished LoRA file. */
  result(runId: string): Promise<Blob | undefined>;
}

export const trainedStore: TrainedStore = {
  async entries(runId) {
    const run = await runStore.run(runId);
    if (run === undefined) return undefined;
    const db = await openDatabase();
    const [keys, saves, points, result] = await Promise.all([
      db.getAllKeys("checkpoints", keysOf(runId)),
      runStore.saves(runId),
      runStore.points(runId),
      db.getKey("results", runId),
    ]);
    const snapshots = keys.map(([, step]) => ({ step, updates: step, epoch: epochAt(points, step) }));
    const files = saves.map(({ step, epoch, name }) => ({ step, updates: step, epoch, fileName: name }));
    const final = result === undefined ? [] : [{ updates: run.step, epoch: epochAt(points, run.step) }];
    return { runName: run.name, entries: [...mergeByStep(snapshots, files), ...final] };
  },

  async snapshot(runId, step) {
    const record = await (await openDatabase()).get("checkpoints", [runId, step]);
    const file = await openStored(record?.bytes);
    return file === undefined ? undefined : new Uint8Array(await file.arrayBuffer());
  },

  async saved(runId, step) {
    const range = IDBKeyRange.bound([runId, step], [runId, step, []]);
    const [record] = await (await openDatabase()).getAll("saves", range, 1);
    return openStored(record?.bytes);
  },

  result: (runId) => runStore.result(runId),
};

type StepEntry = TrainedEntry & { readonly step: number };

/** Of the same step all hold the same adapter: one is enough, and a file is read faster than a snapshot. */
export function mergeByStep(snapshots: readonly StepEntry[], files: readonly StepEntry[]): StepEntry[] {
  const entries = new Map([...snapshots, ...files.toReversed()].map((entry) => [entry.step, entry]));
  return [...entries.values()].toSorted((a, b) => a.step - b.step);
}

/** @param points rows of `pointWidth` numbers, one for each step in order, that begin with step and epoch */
function epochAt(points: Float64Array, step: number): number {
  let epoch = 0;
  for (let row = 0; row < points.length && points[row]! <= step; row += pointWidth) epoch = points[row + 1]!;
  return epoch;
}
