import { checkSubsets } from "../dataset/configured-folders.ts";
import { datasetError, inspectDataset, type DatasetFolder, type InspectedDataset } from "../dataset/inspect.ts";
import type { RgbaImage } from "../dataset/image.ts";
import { joinFolders } from "../dataset/join-folders.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import type { TrainingPicture } from "../training/run-plan.ts";
import { openConfiguredFolder } from "./configured-folder.ts";
import { openNodeFolder } from "./node-folder.ts";
import { decodeNodeImage } from "./node-images.ts";

export interface NodeDataset {
  readonly inspected: InspectedDataset;
  /** Pictures that decode themselves from disk. */
  readonly pictures: readonly TrainingPicture[];
}

/** Where pictures are: in a folder, or in those that a dataset configuration of sd-scripts names. */
export interface DatasetPlace {
  readonly data?: string | undefined;
  /** Regularization pictures, instead of those below folders named `reg…`. */
  readonly reg?: string | undefined;
  /** File of the dataset configuration; the others then say nothing. */
  readonly datasetConfig?: string | undefined;
}

/**
 * Understands folders of pictures, and refuses them where a picture or caption can't be used.
 * @throws InputError `folder.*`, `dataset.noPictures`, `datasetConfig.*`, `image.*`, `caption.*`
 */
export async function openDataset(place: DatasetPlace, config: TrainingConfig): Promise<NodeDataset> {
  const folder = await openFolder(place);
  const inspected = await inspectDataset(folder, config);
  checkSubsets(inspected.subsets, config);
  if (inspected.problems.length > 0) throw datasetError(inspected.problems);
  const decode = async (path: string): Promise<RgbaImage> => decodeNodeImage(await folder.read(path), path);
  const pictures = inspected.pictures.map((picture): TrainingPicture => {
    const { path, maskPath } = picture;
    return { ...picture, decode: () => decode(path), ...(maskPath === undefined ? {} : { decodeMask: () => decode(maskPath) }) };
  });
  return { inspected, pictures };
}

/** The folder or folders as one. @throws InputError `folder.*`, `datasetConfig.*` */
export async function openFolder({ data, reg, datasetConfig }: DatasetPlace): Promise<DatasetFolder> {
  if (datasetConfig !== undefined) return openConfiguredFolder(datasetConfig);
  const training = await openNodeFolder(data ?? ".");
  return reg === undefined ? training : joinFolders(training, await openNodeFolder(reg));
}
