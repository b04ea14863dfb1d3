import type { DatasetFolder } from "./inspect.ts";

/** Where regularization pictures that come from a folder of their own are put. */
const REG_DIR = "reg_data_dir";

/** Training pictures and a folder of regularization pictures as one folder, which says which is which. */
export function joinFolders(training: DatasetFolder, regularization: DatasetFolder): DatasetFolder {
  const prefix = `${REG_DIR}/`;
  const owner = (path: string): readonly [folder: DatasetFolder, path: string] =>
    path.startsWith(prefix) ? [regularization, path.slice(prefix.length)] : [training, path];
  return {
    entries: [
      ...training.entries.filter(({ path }) => !path.startsWith(prefix)),
      ...regularization.entries.map(({ path, size }) => ({ path: `${prefix}${path}`, size })),
    ],
    regDir: REG_DIR,
    read(path) {
      const [folder, inner] = owner(path);
      return folder.read(inner);
    },
    open(path) {
      const [folder, inner] = owner(path);
      return folder.open(inner);
    },
  };
}
