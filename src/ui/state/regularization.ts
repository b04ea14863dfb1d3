/** Regularization pictures that were picked apart from the others: where they go in the dataset. */
import { understandFolder } from "../../dataset/folders.ts";
import { isForRegularization } from "../../dataset/paths.ts";
import type { DatasetFile } from "../../workers/train-protocol.ts";

const directory = "reg";

/**
 * The pictures under the paths by which they are known for what they are.
 * @throws InputError `dataset.noPictures`: beside training pictures, a folder without any would be passed over without a word
 */
export function asRegularization(files: readonly DatasetFile[], captionExtension: string): DatasetFile[] {
  if (files.length > 0) understandFolder(files.map(({ path, file }) => ({ path, size: file.size })), captionExtension);
  return files.map(({ path, file }) => ({ path: isForRegularization(path) ? path : `${directory}/${path}`, file }));
}
