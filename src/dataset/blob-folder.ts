import { blobSource, unreadable } from "../formats/byte-source.ts";
import type { DatasetFolder } from "./inspect.ts";

/**
 * Dropped, picked or stored files as a dataset's folder.
 * @param files paths as dropped, with "/"
 */
export function blobFolder(files: readonly { readonly path: string; readonly file: Blob }[]): DatasetFolder {
  const byPath = new Map(files.map(({ path, file }) => [path, file]));
  const open = async (path: string) => {
    const file = byPath.get(path);
    if (file === undefined) throw unreadable(path);
    return blobSource(file, path);
  };
  return {
    entries: files.map(({ path, file }) => ({ path, size: file.size })),
    open,
    read: async (path) => {
      const source = await open(path);
      return source.read(0, source.size);
    },
  };
}
