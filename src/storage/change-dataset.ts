import { keysOf, openDatabase } from "./database.ts";
import type { DatasetRecord } from "./database.ts";
import { isUnfinished } from "./run-store.ts";
import { storing } from "./storage-errors.ts";

/** Files by path; null takes one away. */
export type DatasetChanges = ReadonlyMap<string, Blob | null>;

/**
 * Puts files into a stored dataset or takes them away, all or nothing. Where a run that may still continue was begun
 * with it, that run keeps what it began with and the changed dataset is a new one.
 * @returns the record of the changed dataset; undefined where there is no dataset of this id
 * @throws StorageFullError
 */
export async function changeDataset(id: string, changes: DatasetChanges): Promise<DatasetRecord | undefined> {
  return storing("the captions", async () => {
    const tx = (await openDatabase()).transaction(["datasets", "datasetFiles", "provenance", "runs"], "readwrite");
    const files = tx.objectStore("datasetFiles");
    const [known, runs] = await Promise.all([tx.objectStore("datasets").get(id), tx.objectStore("runs").getAll()]);
    if (known === undefined) return undefined;
    const isNeeded = runs.some((run) => run.datasetId === id && isUnfinished(run));
    const record = isNeeded ? { ...known, id: crypto.randomUUID(), createdAt: Date.now() } : known;
    if (isNeeded) {
      const notes = tx.objectStore("provenance");
      for (const row of await files.getAll(keysOf(id))) await files.put({ ...row, datasetId: record.id });
      for (const row of await notes.getAll(keysOf(id))) await notes.put({ ...row, datasetId: record.id });
    }
    for (const [path, file] of changes) {
      if (file === null) await files.delete([record.id, path]);
      else await files.put({ datasetId: record.id, path, file });
    }
    const changed = { ...record, fileCount: await files.count(keysOf(record.id)) };
    await Promise.all([tx.objectStore("datasets").put(changed), tx.done]);
    return changed;
  });
}
