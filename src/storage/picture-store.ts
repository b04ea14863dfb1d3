/**
 * The history of generated pictures. Kept within limits by letting go of the oldest that are no favourites; a deleted
 * picture can be had back for a while, also after a reload.
 */
import type { PictureRecord } from "./database.ts";
import { type PictureTable, pictureTable } from "./picture-table.ts";

export interface PictureLimits {
  readonly count: number;
  readonly bytes: number;
  /** How long a deleted picture can be had back. */
  readonly undoMs: number;
}

export type NewPicture = Omit<PictureRecord, "id" | "createdAt" | "bytes" | "isFavourite" | "deletedAt">;

export interface AddedPicture {
  readonly picture: PictureRecord;
  /** Older pictures that had to go for it; to be said. */
  readonly removed: number;
  /** True where favourites alone are more than the limits allow, so that nothing more can go. */
  readonly isOverLimit: boolean;
}

export interface PictureStore {
  /** Throws StorageFullError; the picture can still be downloaded from where it is shown. */
  add(picture: NewPicture, png: Blob): Promise<AddedPicture>;
  /** Newest first; `before` is the last one's id of the page before. */
  list(count: number, before?: number): Promise<PictureRecord[]>;
  favourites(count: number, before?: number): Promise<PictureRecord[]>;
  picture(id: number): Promise<PictureRecord | undefined>;
  png(id: number): Promise<Blob | undefined>;
  setFavourite(id: number, isFavourite: boolean): Promise<void>;
  /** Takes pictures out of the history; `restore` brings them back until the undo time is over. */
  remove(ids: readonly number[]): Promise<void>;
  restore(ids: readonly number[]): Promise<void>;
  /** Deletes for good what was removed longer ago than the undo time. Called with every `add`; call it at start-up. */
  sweep(): Promise<void>;
}

type Alterable = Omit<PictureRecord, "isFavourite" | "deletedAt"> & { isFavourite: boolean; deletedAt?: number };

export const pictureLimits: PictureLimits = { count: 1000, bytes: 1024 ** 3, undoMs: 30_000 };

/** @param now milliseconds since 1970 */
export function createPictureStore(table: PictureTable, limits: PictureLimits, now: () => number): PictureStore {
  const isShown = ({ deletedAt }: PictureRecord): boolean => deletedAt === undefined;
  const rows = (isWanted: (picture: PictureRecord) => boolean) =>
    table.newest(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, isWanted);

  const change = async (ids: readonly number[], alter: (picture: Alterable) => void): Promise<void> => {
    for (const id of ids) {
      const picture = await table.get(id);
      if (picture === undefined) continue;
      const altered = { ...picture };
      alter(altered);
      await table.put(altered);
    }
  };

  const sweep = async (): Promise<void> => {
    const expired = await rows(({ deletedAt }) => deletedAt !== undefined && deletedAt <= now() - limits.undoMs);
    if (expired.length > 0) await table.delete(expired.map(({ id }) => id));
  };

  /** Never the newest: the picture just made is what the user is looking at. */
  const trim = async (): Promise<{ removed: number; isOverLimit: boolean }> => {
    const kept = await rows(isShown);
    let count = kept.length;
    let bytes = kept.reduce((sum, picture) => sum + picture.bytes, 0);
    const isOver = (): boolean => count > limits.count || bytes > limits.bytes;
    const gone: number[] = [];
    for (const picture of kept.slice(1).toReversed()) {
      if (!isOver()) break;
      if (picture.isFavourite) continue;
      gone.push(picture.id);
      count -= 1;
      bytes -= picture.bytes;
    }
    if (gone.length > 0) await table.delete(gone);
    return { removed: gone.length, isOverLimit: isOver() };
  };

  return {
    async add(picture, png) {
      await sweep();
      const row = { ...picture, createdAt: now(), bytes: png.size, isFavourite: false };
      const id = await table.add(row, png);
      return { picture: { ...row, id }, ...(await trim()) };
    },
    list: (count, before = Number.POSITIVE_INFINITY) => table.newest(count, before, isShown),
    favourites: (count, before = Number.POSITIVE_INFINITY) =>
      table.newest(count, before, (picture) => isShown(picture) && picture.isFavourite),
    async picture(id) {
      const picture = await table.get(id);
      return picture !== undefined && isShown(picture) ? picture : undefined;
    },
    png: (id) => table.png(id),
    setFavourite: (id, isFavourite) => change([id], (picture) => void (picture.isFavourite = isFavourite)),
    remove: (ids) => change(ids, (picture) => void (picture.deletedAt = now())),
    restore: (ids) => change(ids, (picture) => void delete picture.deletedAt),
    sweep,
  };
}

export const pictureStore = createPictureStore(pictureTable, pictureLimits, Date.now);
