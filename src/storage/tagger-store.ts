/** Taggers and captioners that are in this browser: their files in OPFS, their records in IndexedDB once all are whole. */
import { openDatabase } from "./database.ts";
import type { TaggerRecord } from "./database.ts";
import { removeFolder, storedFile } from "./part-file.ts";
import { deleteReadings } from "./reading-store.ts";
import { storing } from "./storage-errors.ts";

/** The newest first. Throws StorageUnavailableError. */
export async function storedTaggers(): Promise<TaggerRecord[]> {
  const records = await (await openDatabase()).getAll("taggers");
  return records.sort((a, b) => b.addedAt - a.addedAt);
}

/** Throws StorageFullError. */
export async function recordTagger(record: TaggerRecord): Promise<void> {
  await storing("the model", async () => (await openDatabase()).put("taggers", record));
}

/** Its files by what they are to it, read by slices; undefined where the browser has deleted one. */
export async function filesOfTagger({ id, files }: TaggerRecord): Promise<Map<TaggerRecord["files"][number]["role"], File> | undefined> {
  const found = new Map<TaggerRecord["files"][number]["role"], File>();
  for (const { role, name, bytes } of files) {
    const file = await storedFile(id, name);
    if (file?.size !== bytes) return undefined;
    found.set(role, file);
  }
  return found;
}

/** With everything that it said of pictures. Also where only a part of it was downloaded. */
export async function deleteTagger(id: string): Promise<void> {
  await (await openDatabase()).delete("taggers", id);
  await deleteReadings(id);
  await removeFolder(id);
}
