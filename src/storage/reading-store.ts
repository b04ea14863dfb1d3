/** What taggers and captioners said of pictures, so that rules change without running them again. */
import { openDatabase } from "./database.ts";
import type { ReadingRecord } from "./database.ts";
import { storing } from "./storage-errors.ts";

/** @returns by picture; those that were not read are left out */
export async function readingsOf(model: string, variant: string, pictures: readonly string[]): Promise<Map<string, ReadingRecord>> {
  const store = (await openDatabase()).transaction("readings", "readonly").objectStore("readings");
  const found = await Promise.all(pictures.map((picture) => store.get([model, variant, picture])));
  return new Map(found.filter((record) => record !== undefined).map((record) => [record.picture, record]));
}

/** Throws StorageFullError. */
export async function storeReadings(records: readonly ReadingRecord[]): Promise<void> {
  await storing("what the tagger found", async () => {
    const tx = (await openDatabase()).transaction("readings", "readwrite");
    await Promise.all([...records.map((record) => tx.store.put(record)), tx.done]);
  });
}

/** Forgets all that a model said. */
export async function deleteReadings(model: string): Promise<void> {
  await (await openDatabase()).delete("readings", IDBKeyRange.bound([model], [model, []]));
}
