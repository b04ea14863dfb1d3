import { datasetError, inspectDataset, type CaptionReading, type InspectedDataset } from "../dataset/inspect.ts";
import { joinFolders } from "../dataset/join-folders.ts";
import type { TrainingPicture } from "../training/run-plan.ts";
import { openNodeFolder } from "./node-folder.ts";
import { decodeNodeImage } from "./node-images.ts";

export interface NodeDataset {
  readonly inspected: InspectedDataset;
  /** Pictures that decode themselves from disk. */
  readonly pictures: readonly TrainingPicture[];
}

/**
 * Understands a folder of pictures, and refuses it where a picture or caption can't be used.
 * @param regularization a folder of regularization pictures, instead of those below folders named `reg…`
 * @throws InputError `folder.*`, `dataset.noPictures`, `image.*`, `caption.*`
 */
export async function openDataset(path: string, regularization: string | undefined, reading: CaptionReading): Promise<NodeDataset> {
  const training = await openNodeFolder(path);
  const folder = regularization === undefined ? training : joinFolders(training, await openNodeFolder(regularization));
  const inspected = await inspectDataset(folder, reading);
  if (inspected.problems.length > 0) throw datasetError(inspected.problems);
  const pictures = inspected.pictures.map((picture): TrainingPicture => ({
    ...picture,
    decode: async () => decodeNodeImage(await folder.read(picture.path), picture.path),
  }));
  return { inspected, pictures };
}
