import { readFile, readdir, realpath, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import type { DatasetFolder } from "../dataset/inspect.ts";
import type { FolderEntry } from "../dataset/report.ts";
import { InputError } from "../errors.ts";
import { unreadable } from "../formats/byte-source.ts";
import { openNodeFile } from "./node-file.ts";

/**
 * A directory and what is below it, seen as a browser sees a dropped folder: paths begin with its own name. Links are
 * followed, but not in circles.
 * @throws InputError `folder.missing`, `folder.notAFolder` or `folder.unreadable`
 */
export async function openNodeFolder(directory: string): Promise<DatasetFolder> {
  const root = resolve(directory);
  const stats = await stat(root).catch((cause: unknown) => {
    throw new InputError("folder.missing", `${directory} does not exist.`, { folder: directory }, { cause });
  });
  if (!stats.isDirectory()) {
    throw new InputError("folder.notAFolder", `${directory} is not a folder.`, { folder: directory });
  }
  const files = new Map<string, string>();
  const entries: FolderEntry[] = [];
  await list(root, basename(root), new Set());
  const locate = (path: string): string => {
    const file = files.get(path);
    if (file === undefined) throw unreadable(path);
    return file;
  };
  return {
    entries,
    read: (path) => readFile(locate(path)).catch((cause: unknown) => Promise.reject(unreadable(path, cause))),
    open: async (path) => ({ ...(await openNodeFile(locate(path))), name: path }),
  };

  async function list(folder: string, path: string, above: ReadonlySet<string>): Promise<void> {
    const real = await realpath(folder);
    // A link to a folder that it lies in would never end.
    if (above.has(real)) return;
    const names = await readdir(folder).catch((cause: unknown) => {
      throw new InputError("folder.unreadable", `${folder} can't be listed.`, { folder }, { cause });
    });
    for (const name of names) {
      const file = join(folder, name);
      const entry = path === "" ? name : `${path}/${name}`;
      // A link that leads nowhere is as good as absent.
      const stats = await stat(file).catch(() => undefined);
      if (stats?.isDirectory() === true) await list(file, entry, new Set([...above, real]));
      else if (stats?.isFile() === true) {
        files.set(entry, file);
        entries.push({ path: entry, size: stats.size });
      }
    }
  }
}
