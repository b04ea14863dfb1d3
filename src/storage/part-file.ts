/** A file that is written piece by piece, and what is known of one that is not whole yet. */

/** Reading and writing at places; a FileSystemSyncAccessHandle is one. */
export interface PartFile {
  getSize(): number;
  read(bytes: Uint8Array, options: { at: number }): number;
  write(bytes: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}

/** Where files of one model lie. */
export interface PartFolder {
  /** Makes the file where there is none. */
  open(name: string): Promise<PartFile>;
  remove(name: string): Promise<void>;
}

const rootName = "taggers";

async function modelFolder(id: string, create: boolean): Promise<FileSystemDirectoryHandle> {
  const root = await (await navigator.storage.getDirectory()).getDirectoryHandle(rootName, { create });
  return root.getDirectoryHandle(id, { create });
}

/** In the origin private file system. Works in a worker only. */
export function storedFolder(id: string): PartFolder {
  return {
    async open(name) {
      const entry = await (await modelFolder(id, true)).getFileHandle(name, { create: true });
      return (entry as unknown as { createSyncAccessHandle(): Promise<PartFile> }).createSyncAccessHandle();
    },
    async remove(name) {
      await (await modelFolder(id, true)).removeEntry(name).catch(() => undefined);
    },
  };
}

/** A stored file, read by slices; undefined where it is gone. */
export async function storedFile(id: string, name: string): Promise<File | undefined> {
  try {
    return await (await (await modelFolder(id, false)).getFileHandle(name)).getFile();
  } catch (error) {
    if (error instanceof DOMException && error.name === "NotFoundError") return undefined;
    throw error;
  }
}

export async function removeFolder(id: string): Promise<void> {
  const root = await (await navigator.storage.getDirectory()).getDirectoryHandle(rootName, { create: true });
  await root.removeEntry(id, { recursive: true }).catch(() => undefined);
}
