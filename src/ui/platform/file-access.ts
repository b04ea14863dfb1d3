/**
 * Picking and dropping files and folders. Chromium gives handles that survive a reload; other browsers give files.
 * Nothing here reads a file's bytes.
 */
import type { ModelRef } from "../../storage/database.ts";
import type { DatasetFile } from "../../workers/train-protocol.ts";

/** What TypeScript's DOM library lacks: Chromium's pickers and permissions. */
interface PermissionedHandle {
  queryPermission?(options: { mode: "read" }): Promise<PermissionState>;
  requestPermission?(options: { mode: "read" }): Promise<PermissionState>;
}
interface PickerWindow {
  showOpenFilePicker?(options: {
    types: readonly { description: string; accept: Readonly<Record<string, readonly string[]>> }[];
  }): Promise<FileSystemFileHandle[]>;
}
interface HandleItem {
  getAsFileSystemHandle?(): Promise<FileSystemHandle | null>;
}

export interface PickedModel {
  readonly file: File;
  readonly handle?: FileSystemFileHandle;
  readonly isDemo?: boolean;
  readonly trained?: ModelRef["trained"];
}

/** Endings of base models, as an input's `accept`. What a file really is its content tells. */
export const modelEndings = ".safetensors,.ckpt";
const modelTypes = [
  { description: "Stable Diffusion checkpoint", accept: { "application/octet-stream": modelEndings.split(",") } },
];

export function canPickHandles(): boolean {
  return (window as PickerWindow).showOpenFilePicker !== undefined;
}

/** Chromium's picker; undefined where the user closed it. */
export async function pickModelHandle(): Promise<PickedModel | undefined> {
  try {
    const [handle] = (await (window as PickerWindow).showOpenFilePicker?.({ types: modelTypes })) ?? [];
    return handle === undefined ? undefined : { file: await handle.getFile(), handle };
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") return undefined;
    throw error;
  }
}

/** Must be called in the drop event itself: the list is emptied when the handler returns. */
export async function droppedModel(transfer: DataTransfer): Promise<PickedModel | undefined> {
  const item = [...transfer.items].find((entry) => entry.kind === "file");
  const file = item?.getAsFile();
  if (item === undefined || file === null || file === undefined) return undefined;
  const handle = await (item as HandleItem).getAsFileSystemHandle?.().catch(() => null);
  return handle?.kind === "file" ? { file, handle: handle as FileSystemFileHandle } : { file };
}

/** Whether a stored handle can be read now. `ask` shows the browser's question and needs a user's click. */
export async function mayRead(handle: FileSystemFileHandle, ask: boolean): Promise<boolean> {
  const { queryPermission, requestPermission } = handle as PermissionedHandle;
  const answer = ask ? requestPermission?.call(handle, { mode: "read" }) : queryPermission?.call(handle, { mode: "read" });
  return (await answer) === "granted";
}

/** Files of an `<input>`, with their paths inside the picked folder. */
export function inputFiles(list: FileList): DatasetFile[] {
  return [...list].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
}

/** Everything dropped, folders opened. Must be called in the drop event itself. */
export async function droppedFiles(transfer: DataTransfer): Promise<DatasetFile[]> {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry() ?? item.getAsFile());
  const found: DatasetFile[] = [];
  for (const entry of entries) {
    if (entry instanceof File) found.push({ path: entry.name, file: entry });
    else if (entry !== null) await walk(entry, "", found);
  }
  return found;
}

async function walk(entry: FileSystemEntry, folder: string, found: DatasetFile[]): Promise<void> {
  const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    found.push({ path, file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // A reader gives at most about 100 entries at a time and an empty list at the end.
    const batch = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (batch.length === 0) return;
    for (const child of batch) await walk(child, path, found);
  }
}

/** The folder that all paths share, or the first file's name: what to call the dataset. */
export function datasetNameOf(files: readonly DatasetFile[]): string {
  const first = files[0]?.path ?? "";
  const folder = first.split("/")[0] ?? "";
  return files.every(({ path }) => path.startsWith(`${folder}/`)) ? folder : first;
}

/** Hands a finished file to the browser's downloads. */
export function download(bytes: Blob, name: string): void {
  const url = URL.createObjectURL(bytes);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The download has its own reference once it has begun; a minute is ample for that.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
