/**
 * Sets of the dataset studio: pictures as records, their files by content, and every edit, so that undoing survives a
 * reload. A picture that was taken out keeps its file for as long as that can be undone.
 */
import { InputError } from "../errors.ts";
import { applyEdit, invert } from "../studio/edit.ts";
import type { Change, Edit, SetState } from "../studio/edit.ts";
import type { StudioPicture } from "../studio/picture.ts";
import type { StudioSet, StudioSubset } from "../studio/studio-set.ts";
import { keysOf, openDatabase } from "./database.ts";
import type { EditHistory, SetPictureRecord, SetRecord } from "./database.ts";
import { storing } from "./storage-errors.ts";

/** Edits that can be taken back. */
export const maxEdits = 200;

export interface LoadedSet {
  readonly state: SetState;
  readonly history: EditHistory;
  readonly revision: number;
}

/** A picture that comes in: its record, its file as it came, and something small to look at. */
export interface IncomingPicture {
  readonly picture: StudioPicture;
  readonly file: Blob;
  readonly thumbnail: Blob;
}

const noHistory: EditHistory = { labels: [], first: 0, done: 0 };

/** All sets, the newest first. */
export async function studioSets(): Promise<StudioSet[]> {
  const records = await (await openDatabase()).getAll("sets");
  return records.sort((a, b) => b.createdAt - a.createdAt).map(setOf);
}

/** Throws StorageFullError. */
export async function createSet(set: StudioSet): Promise<void> {
  await storing("the set", async () => (await openDatabase()).put("sets", { ...set, history: noHistory, revision: 0 }));
}

/** undefined where there is no set of this id. Pictures are in the order of their ids. */
export async function loadSet(id: string): Promise<LoadedSet | undefined> {
  const tx = (await openDatabase()).transaction(["sets", "setPictures"], "readonly");
  const [record, rows] = await Promise.all([tx.objectStore("sets").get(id), tx.objectStore("setPictures").getAll(keysOf(id))]);
  if (record === undefined) return undefined;
  const pictures = new Map(rows.map((row) => [row.id, pictureOf(row)]));
  return { state: { set: setOf(record), pictures }, history: record.history, revision: record.revision };
}

export async function picturesInSet(id: string): Promise<number> {
  return (await openDatabase()).count("setPictures", keysOf(id));
}

/**
 * Stores pictures of an import while it goes on, with their files. They are in the set from here on; `recordEdit` with
 * the same pictures as `add` changes makes the import something that can be taken back.
 * @param revision of the set as the caller knows it
 * @param subsets where the pictures lie in new ones: all of the set's subsets from now on
 * @returns the revision afterwards
 * @throws StorageFullError, then none of these is stored; InputError `set.changedElsewhere`
 */
export async function storePictures(
  setId: string, revision: number, incoming: readonly IncomingPicture[], subsets?: readonly StudioSubset[],
): Promise<number> {
  return storing("the pictures", async () => {
    const tx = (await openDatabase()).transaction(["sets", "setPictures", "originals", "thumbnails"], "readwrite");
    const originals = tx.objectStore("originals");
    const record = await tx.objectStore("sets").get(setId);
    if (record === undefined || record.revision !== revision) throw changedElsewhere();
    const known = await Promise.all(incoming.map(({ picture }) => originals.getKey(picture.original)));
    const writes: Promise<unknown>[] = incoming.flatMap(({ picture, file, thumbnail }, index) => [
      ...(known[index] === undefined ? [originals.put(file, picture.original)] : []),
      tx.objectStore("thumbnails").put(thumbnail, picture.original),
      tx.objectStore("setPictures").put({ ...picture, setId }),
    ]);
    if (subsets !== undefined) writes.push(tx.objectStore("sets").put({ ...record, subsets, revision: revision + 1 }));
    await Promise.all([...writes, tx.done]);
    return subsets === undefined ? revision : revision + 1;
  });
}

/** What a set looks like in storage after a change of its history. */
export interface Stored {
  readonly history: EditHistory;
  readonly revision: number;
}

/**
 * Applies and remembers an edit, all or nothing. Edits that were taken back before can't be done again afterwards.
 * @param revision of the set as the caller knows it
 * @throws StorageFullError; InputError `set.changedElsewhere`
 */
export async function recordEdit(setId: string, revision: number, edit: Edit): Promise<Stored> {
  return changing(setId, revision, edit.changes, (history) => {
    const { labels, first, done } = history;
    const kept = [...labels.slice(0, done), edit.label];
    const forgotten = Math.max(0, kept.length - maxEdits);
    return {
      history: { labels: kept.slice(forgotten), first: first + forgotten, done: kept.length - forgotten },
      put: { ...edit, setId, number: first + done },
    };
  });
}

/** Takes back the latest edit that holds; undefined where none does. @throws StorageFullError; InputError `set.changedElsewhere` */
export async function undoEdit(setId: string, revision: number): Promise<(Stored & { readonly changes: readonly Change[] }) | undefined> {
  return step(setId, revision, -1);
}

/** Does again what was taken back last. */
export async function redoEdit(setId: string, revision: number): Promise<(Stored & { readonly changes: readonly Change[] }) | undefined> {
  return step(setId, revision, 1);
}

/** A picture's file as it came. */
export async function originalOf(hash: string): Promise<Blob | undefined> {
  return (await openDatabase()).get("originals", hash);
}

export async function thumbnailOf(hash: string): Promise<Blob | undefined> {
  return (await openDatabase()).get("thumbnails", hash);
}

/** Deletes a set for good, and the files that no other set knows. */
export async function deleteSet(id: string): Promise<void> {
  const tx = (await openDatabase()).transaction(["sets", "setPictures", "setEdits"], "readwrite");
  await Promise.all([
    tx.objectStore("sets").delete(id),
    tx.objectStore("setPictures").delete(keysOf(id)),
    tx.objectStore("setEdits").delete(keysOf(id)),
    tx.done,
  ]);
  await sweepOriginals();
}

/** Deletes files that no set has a picture of, and that no edit could bring back. @returns how many */
export async function sweepOriginals(): Promise<number> {
  const stores = ["setPictures", "setEdits", "originals", "thumbnails"] as const;
  const tx = (await openDatabase()).transaction(stores, "readwrite");
  const needed = new Set<string>();
  for (let at = await tx.objectStore("setPictures").openCursor(); at !== null; at = await at.continue()) {
    needed.add(at.value.original);
  }
  for (let at = await tx.objectStore("setEdits").openCursor(); at !== null; at = await at.continue()) {
    for (const change of at.value.changes) {
      if (change.kind === "add" || change.kind === "remove") needed.add(change.picture.original);
    }
  }
  const hashes = await tx.objectStore("originals").getAllKeys();
  const unneeded = hashes.filter((hash) => !needed.has(hash));
  const deletions = unneeded.flatMap((hash) => [
    tx.objectStore("originals").delete(hash), tx.objectStore("thumbnails").delete(hash),
  ]);
  await Promise.all([...deletions, tx.done]);
  return unneeded.length;
}

async function step(
  setId: string, revision: number, direction: 1 | -1,
): Promise<(Stored & { readonly changes: readonly Change[] }) | undefined> {
  const record = await (await openDatabase()).get("sets", setId);
  if (record === undefined) throw changedElsewhere();
  const { labels, first, done } = record.history;
  const number = first + done - (direction < 0 ? 1 : 0);
  if (direction < 0 ? done === 0 : done === labels.length) return undefined;
  const edit = await (await openDatabase()).get("setEdits", [setId, number]);
  if (edit === undefined) return undefined;
  const changes = direction < 0 ? invert(edit.changes) : edit.changes;
  const stored = await changing(setId, revision, changes, (history) => ({ history: { ...history, done: done + direction } }));
  return { ...stored, changes };
}

async function changing(
  setId: string, revision: number, changes: readonly Change[],
  historyAfter: (history: EditHistory) => { history: EditHistory; put?: Edit & { setId: string; number: number } },
): Promise<Stored> {
  return storing("the change", async () => {
    const tx = (await openDatabase()).transaction(["sets", "setPictures", "setEdits"], "readwrite");
    const [sets, pictures, edits] = [tx.objectStore("sets"), tx.objectStore("setPictures"), tx.objectStore("setEdits")];
    const record = await sets.get(setId);
    if (record === undefined || record.revision !== revision) throw changedElsewhere();
    const { history, put } = historyAfter(record.history);
    if (put !== undefined) {
      // Neither what fell out of the history nor what was taken back before can be reached any more.
      await edits.delete(IDBKeyRange.bound([setId, put.number], [setId, []]));
      await edits.delete(IDBKeyRange.bound([setId], [setId, history.first], false, true));
      await edits.put(put);
    }
    const touched = touchedIn(changes);
    const rows = await Promise.all(touched.map((id) => pictures.get([setId, id])));
    const known = rows.filter((row) => row !== undefined).map((row) => [row.id, pictureOf(row)] as const);
    const after = applyEdit({ set: setOf(record), pictures: new Map(known) }, changes);
    for (const id of touched) {
      const picture = after.pictures.get(id);
      if (picture === undefined) void pictures.delete([setId, id]);
      else void pictures.put({ ...picture, setId });
    }
    const next: SetRecord = { ...after.set, history, revision: revision + 1 };
    await Promise.all([sets.put(next), tx.done]);
    return { history, revision: next.revision };
  });
}

function touchedIn(changes: readonly Change[]): string[] {
  const ids = changes.flatMap((change) => {
    if (change.kind === "set") return [];
    return [change.kind === "picture" ? change.id : change.picture.id];
  });
  return [...new Set(ids)];
}

function setOf({ id, name, createdAt, captionExtension, subsets, groups, mergeRules }: SetRecord): StudioSet {
  return { id, name, createdAt, captionExtension, subsets, groups, mergeRules };
}

function pictureOf(row: SetPictureRecord): StudioPicture {
  const picture: StudioPicture & { setId?: string } = { ...row };
  delete picture.setId;
  return picture;
}

function changedElsewhere(): InputError {
  return new InputError(
    "set.changedElsewhere", "This set was changed or deleted in another tab. Open it again to go on with what is there now.", {},
  );
}
