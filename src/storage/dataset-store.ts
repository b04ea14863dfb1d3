/** Imported datasets: the picture and caption files as blobs, so that a reload needs no second drop. */
import { keysOf, openDatabase } from "./database.ts";
import type { DatasetFile, DatasetRecord } from "./database.ts";
import { isUnfinished } from "./run-store.ts";
import { storing } from "./storage-errors.ts";

/** Files written per transaction; a failed import is removed as a whole. */
const filesPerTransaction = 64;

/** Stores the files and returns the dataset's record. Throws StorageFullError; nothing partial stays. */
export async function saveDataset(name: string, files: readonly DatasetFile[]): Promise<DatasetRecord> {
  const record: DatasetRecord = { id: crypto.randomUUID(), createdAt: Date.now(), name, fileCount: files.length };
  try {
    await storing("the pictures", async () => {
      const db = await openDatabase();
      for (let start = 0; start < files.length; start += filesPerTransaction) {
        const tx = db.transaction("datasetFiles", "readwrite");
        const batch = files.slice(start, start + filesPerTransaction);
        await Promise.all([
          ...batch.map(({ path, file }) => tx.store.put({ datasetId: record.id, path, file })),
          tx.done,
        ]);
      }
      await db.put("datasets", record);
    });
  } catch (error) {
    await deleteDataset(record.id).catch(() => undefined);
    throw error;
  }
  return record;
}

export async function dataset(id: string): Promise<DatasetRecord | undefined> {
  return (await openDatabase()).get("datasets", id);
}

/** In path order. */
export async function datasetFiles(id: string): Promise<DatasetFile[]> {
  const records = await (await openDatabase()).getAll("datasetFiles", keysOf(id));
  return records.map(({ path, file }) => ({ path, file }));
}

export async function deleteDataset(id: string): Promise<void> {
  const tx = (await openDatabase()).transaction(["datasets", "datasetFiles", "provenance"], "readwrite");
  await Promise.all([
    tx.objectStore("datasets").delete(id),
    tx.objectStore("datasetFiles").delete(keysOf(id)),
    tx.objectStore("provenance").delete(keysOf(id)),
    tx.done,
  ]);
}

/** Deletes what neither `keepIds` nor a run that may still continue refers to. */
export async function deleteUnusedDatasets(keepIds: readonly string[]): Promise<void> {
  const db = await openDatabase();
  const runs = await db.getAll("runs");
  const needed = new Set(keepIds);
  for (const run of runs.filter(isUnfinished)) needed.add(run.datasetId);
  for (const id of await db.getAllKeys("datasets")) if (!needed.has(id)) await deleteDataset(id);
}
