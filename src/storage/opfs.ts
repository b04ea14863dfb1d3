/**
 * Copies of base models in the origin private file system, for browsers that cannot reopen a picked file after a
 * reload. Streamed in pieces; a model is never in memory as a whole. Writing works in a worker only.
 */
import { storing } from "./storage-errors.ts";

const folderName = "models";
const pieceBytes = 8 * 1024 * 1024;

/** The part of FileSystemSyncAccessHandle used here; the page's type library does not have it. */
interface SyncHandle {
  write(bytes: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}

async function modelsFolder(): Promise<FileSystemDirectoryHandle> {
  return (await navigator.storage.getDirectory()).getDirectoryHandle(folderName, { create: true });
}

/** The same file gives the same name, so copying it twice stores it once. */
export function copyNameOf(file: File): string {
  return `${file.size}-${file.lastModified}-${file.name.replaceAll(/[^\w.-]/g, "_")}`;
}

/** The stored copy as a File (read by slices), or undefined where it is gone. */
export async function openCopy(copyName: string): Promise<File | undefined> {
  try {
    return await (await (await modelsFolder()).getFileHandle(copyName)).getFile();
  } catch (error) {
    if (error instanceof DOMException && error.name === "NotFoundError") return undefined;
    throw error;
  }
}

/** Streams `file` into the browser's storage and returns the copy's name. Throws StorageFullError and leaves no part. */
export async function writeCopy(file: File, onprogress: (done: number, total: number) => void): Promise<string> {
  const copyName = copyNameOf(file);
  return storing("a copy of the model", async () => {
    const folder = await modelsFolder();
    const existing = await openCopy(copyName);
    if (existing?.size === file.size) return copyName;
    const entry = await folder.getFileHandle(copyName, { create: true });
    const handle = await (entry as unknown as { createSyncAccessHandle(): Promise<SyncHandle> }).createSyncAccessHandle();
    let isWhole = false;
    try {
      handle.truncate(0);
      for (let at = 0; at < file.size; at += pieceBytes) {
        const piece = new Uint8Array(await file.slice(at, at + pieceBytes).arrayBuffer());
        handle.write(piece, { at });
        onprogress(Math.min(at + pieceBytes, file.size), file.size);
      }
      handle.flush();
      isWhole = true;
    } finally {
      handle.close();
      if (!isWhole) await folder.removeEntry(copyName).catch(() => undefined);
    }
    return copyName;
  });
}

/** Deletes every copy but these. */
export async function deleteCopiesExcept(kept: ReadonlySet<string>): Promise<void> {
  const folder = await modelsFolder();
  for await (const name of folder.keys()) if (!kept.has(name)) await deleteCopy(name);
}

export async function deleteCopy(copyName: string): Promise<void> {
  await (await modelsFolder()).removeEntry(copyName).catch(() => undefined);
}
