import { datasetError, inspectDataset, type InspectedDataset } from "../dataset/inspect.ts";
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
 * @throws InputError `folder.*`, `dataset.noPictures`, `image.*`, `caption.*`
 */
export async function openDataset(path: string, captionExtension: string): Promise<NodeDataset> {
  const folder = await openNodeFolder(path);
  const inspected = await inspectDataset(folder, captionExtension);
  if (inspected.problems.length > 0) throw datasetError(inspected.problems);
  const pictures = inspected.pictures.map((picture): TrainingPicture => ({
    ...picture,
    decode: async () => decodeNodeImage(await folder.read(picture.path), picture.path),
  }));
  return { inspected, pictures };
}
