/** Whole folders by Chromium's handles: read without the browser's warning about uploads, and written to. */
import type { DatasetFile } from "../../workers/train-protocol.ts";

/** What TypeScript's DOM library lacks: Chromium's picker. */
interface PickerWindow {
  showDirectoryPicker?(options: { mode: "read" | "readwrite"; id: string }): Promise<FileSystemDirectoryHandle>;
}

export function canPickFolders(): boolean {
  return (window as PickerWindow).showDirectoryPicker !== undefined;
}

/** Needs a user's click. Undefined where the browser has no such picker, or the user closed it. */
export async function pickFolder(mode: "read" | "readwrite"): Promise<FileSystemDirectoryHandle | undefined> {
  try {
    return await (window as PickerWindow).showDirectoryPicker?.({ mode, id: mode === "read" ? "pictures" : "export" });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") return undefined;
    throw error;
  }
}

/** All files of a folder, with paths that begin with its name. */
export async function filesBelow(folder: FileSystemDirectoryHandle): Promise<DatasetFile[]> {
  const found: DatasetFile[] = [];
  await walk(folder, folder.name);
  return found;

  async function walk(directory: FileSystemDirectoryHandle, path: string): Promise<void> {
    for await (const entry of directory.values()) {
      if (entry.kind === "directory") await walk(entry as FileSystemDirectoryHandle, `${path}/${entry.name}`);
      else found.push({ path: `${path}/${entry.name}`, file: await (entry as FileSystemFileHandle).getFile() });
    }
  }
}

/** A new folder in the given one: of this name, or with a number behind it. Nothing that is there is touched. */
export async function newFolderIn(parent: FileSystemDirectoryHandle, name: string): Promise<FileSystemDirectoryHandle> {
  const taken = new Set<string>();
  for await (const { name: known } of parent.values()) taken.add(known.toLowerCase());
  for (let number = 1; ; number++) {
    const candidate = number === 1 ? name : `${name}-${number}`;
    if (!taken.has(candidate.toLowerCase())) return parent.getDirectoryHandle(candidate, { create: true });
  }
}

/** Writes a file below a folder, with the folders on its way. */
export async function writeBelow(folder: FileSystemDirectoryHandle, { path, file }: DatasetFile): Promise<void> {
  const parts = path.split("/");
  const name = parts.pop() ?? path;
  let directory = folder;
  for (const part of parts) directory = await directory.getDirectoryHandle(part, { create: true });
  const handle = await directory.getFileHandle(name, { create: true });
  await file.stream().pipeTo(await handle.createWritable());
}
