/** The folders that a dataset configuration names, as one folder. */
import { basename, dirname, resolve } from "node:path";
import { stat } from "node:fs/promises";
import { readDatasetConfig } from "../config/dataset-config.ts";
import type { DatasetFolder } from "../dataset/inspect.ts";
import { InputError } from "../errors.ts";
import { unreadable } from "../formats/byte-source.ts";
import { openNodeFolder } from "./node-folder.ts";
import { readText } from "./settings.ts";

/**
 * Opens the folders of `dataset_config`. Their paths count from where the program runs, as for sd-scripts, or else from
 * the configuration.
 * @throws InputError `file.*`, `folder.*`, `datasetConfig.*`
 */
export async function openConfiguredFolder(file: string): Promise<DatasetFolder> {
  const text = await readText(file);
  const opened = new Map<string, DatasetFolder>();
  const folders = new Map<string, string>();
  for (const { imageDir, maskDir, table } of readDatasetConfig(text)) {
    for (const dir of [imageDir, ...(maskDir === undefined ? [] : [maskDir])]) {
      if (folders.has(dir)) continue;
      const path = await findFolder([resolve(dir), resolve(dirname(file), dir)]);
      if (path === undefined) {
        const message = `${table} of the dataset configuration names the folder ${dir}, which does not exist; correct its path.`;
        throw new InputError("datasetConfig.folder", message, { table, dir });
      }
      const name = unused(basename(path), opened);
      opened.set(name, await openNodeFolder(path));
      folders.set(dir, name);
    }
  }
  return joined(opened, { path: basename(file), text, folders });
}

async function findFolder(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if ((await stat(path).catch(() => undefined))?.isDirectory() === true) return path;
  return undefined;
}

function unused(name: string, taken: ReadonlyMap<string, unknown>): string {
  let free = name;
  for (let i = 2; taken.has(free); i++) free = `${name} (${i})`;
  return free;
}

/** A folder's own paths begin with its name, which may be another one here. */
function joined(opened: ReadonlyMap<string, DatasetFolder>, config: NonNullable<DatasetFolder["config"]>): DatasetFolder {
  const places = new Map<string, readonly [folder: DatasetFolder, path: string, size: number]>();
  for (const [name, folder] of opened) {
    for (const { path, size } of folder.entries) places.set(`${name}${path.slice(path.indexOf("/"))}`, [folder, path, size]);
  }
  const place = (path: string): readonly [folder: DatasetFolder, path: string, size: number] => {
    const found = places.get(path);
    if (found === undefined) throw unreadable(path);
    return found;
  };
  return {
    entries: [...places].map(([path, [, , size]]) => ({ path, size })),
    config,
    read: async (path) => {
      const [folder, own] = place(path);
      return folder.read(own);
    },
    open: async (path) => {
      const [folder, own] = place(path);
      return folder.open(own);
    },
  };
}
