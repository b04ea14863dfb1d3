/**
 * Files of runs that are too large for the database (whole models and their states): in the origin private file system,
 * written some megabytes at a time. Writing works in a worker only. Records name them; a name begins with the run's id.
 */
import type { StreamedFile } from "../formats/streamed-file.ts";
import { storing } from "./storage-errors.ts";

const folderName = "runs";

/** The part of FileSystemSyncAccessHandle used here; the page's type library does not have it. */
interface SyncHandle {
  write(bytes: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}

/** A file that lies beside the database. */
export interface LargeFile {
  readonly largeFile: string;
}

async function folder(): Promise<FileSystemDirectoryHandle> {
  return (await navigator.storage.getDirectory()).getDirectoryHandle(folderName, { create: true });
}

/** Throws StorageFullError and leaves no part. `what` names it for that message. */
export async function writeLarge(what: string, name: string, file: StreamedFile): Promise<LargeFile> {
  return storing(what, async () => {
    const entry = await (await folder()).getFileHandle(name, { create: true });
    const handle = await (entry as unknown as { createSyncAccessHandle(): Promise<SyncHandle> }).createSyncAccessHandle();
    let isWhole = false;
    try {
      handle.truncate(0);
      let at = 0;
      for await (const piece of file.chunks()) at += handle.write(piece, { at });
      handle.flush();
      isWhole = true;
    } finally {
      handle.close();
      if (!isWhole) await deleteLarge([name]);
    }
    return { largeFile: name };
  });
}

/** What a record holds as bytes at hand: a File that is read by slices, or undefined where it is gone. */
export async function openStored(stored: Blob | LargeFile | undefined): Promise<Blob | undefined> {
  if (stored === undefined || !isLarge(stored)) return stored;
  try {
    return await (await (await folder()).getFileHandle(stored.largeFile)).getFile();
  } catch (error) {
    if (error instanceof DOMException && error.name === "NotFoundError") return undefined;
    throw error;
  }
}

export function isLarge(stored: Blob | LargeFile): stored is LargeFile {
  return "largeFile" in stored;
}

/** Names of what these records hold beside the database. */
export function largeNames(stored: readonly (Blob | LargeFile)[]): string[] {
  return stored.flatMap((bytes) => (isLarge(bytes) ? [bytes.largeFile] : []));
}

export async function deleteLarge(names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  const from = await folder();
  for (const name of names) await from.removeEntry(name).catch(() => undefined);
}

/** All that a run has, named by records or not: a browser that was closed while it wrote may have left some. */
export async function deleteLargeOf(runId: string): Promise<void> {
  // Browsers and tests without such a file system have no such files.
  if (typeof navigator === "undefined" || navigator.storage?.getDirectory === undefined) return;
  const names: string[] = [];
  for await (const name of (await folder()).keys()) if (name.startsWith(`${runId}-`)) names.push(name);
  await deleteLarge(names);
}
