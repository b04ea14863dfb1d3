/** Generated pictures as rows. What is kept, and for how long, is `picture-store.ts`' business. */
import { openDatabase } from "./database.ts";
import type { PictureRecord } from "./database.ts";
import { storing } from "./storage-errors.ts";

export interface PictureTable {
  /** Returns the new row's id, which is higher than all before it. Throws StorageFullError. */
  add(picture: Omit<PictureRecord, "id">, png: Blob): Promise<number>;
  get(id: number): Promise<PictureRecord | undefined>;
  png(id: number): Promise<Blob | undefined>;
  put(picture: PictureRecord): Promise<void>;
  /** Up to `count` rows older than `before` that `isWanted`, newest first. */
  newest(count: number, before: number, isWanted: (picture: PictureRecord) => boolean): Promise<PictureRecord[]>;
  delete(ids: readonly number[]): Promise<void>;
}

export const pictureTable: PictureTable = {
  async add(picture, png) {
    return storing("the picture", async () => {
      const tx = (await openDatabase()).transaction(["pictures", "pictureFiles"], "readwrite");
      // The store gives the id.
      const id = await tx.objectStore("pictures").add(picture as PictureRecord);
      await Promise.all([tx.objectStore("pictureFiles").put(png, id), tx.done]);
      return id;
    });
  },

  async get(id) {
    return (await openDatabase()).get("pictures", id);
  },

  async png(id) {
    return (await openDatabase()).get("pictureFiles", id);
  },

  async put(picture) {
    await storing("the picture", async () => (await openDatabase()).put("pictures", picture));
  },

  async newest(count, before, isWanted) {
    const found: PictureRecord[] = [];
    const range = Number.isFinite(before) ? IDBKeyRange.upperBound(before, true) : null;
    let cursor = await (await openDatabase()).transaction("pictures").store.openCursor(range, "prev");
    while (cursor !== null && found.length < count) {
      if (isWanted(cursor.value)) found.push(cursor.value);
      cursor = await cursor.continue();
    }
    return found;
  },

  async delete(ids) {
    const tx = (await openDatabase()).transaction(["pictures", "pictureFiles"], "readwrite");
    await Promise.all([
      ...ids.flatMap((id) => [tx.objectStore("pictures").delete(id), tx.objectStore("pictureFiles").delete(id)]),
      tx.done,
    ]);
  },
};
