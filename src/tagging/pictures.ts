import { understandFolder } from "../dataset/folders.ts";
import { normalizeExtension } from "../dataset/caption-files.ts";
import type { DatasetFolder } from "../dataset/inspect.ts";
import { stemOf } from "../dataset/paths.ts";
import type { ExistingCaption } from "./merge-caption.ts";

/** A picture of the training set, and where its caption is or would be. */
export interface PictureToTag {
  readonly path: string;
  /** Its own caption file, or the one to be made. */
  readonly captionPath: string;
  readonly existing: ExistingCaption;
}

/**
 * The pictures that a run would train on, with their captions. Regularization pictures stay as their folders describe them.
 * @param captionExtension `caption_extension`: the ending of new caption files
 * @throws InputError `dataset.noPictures`, `file.unreadable`
 */
export async function picturesToTag(folder: DatasetFolder, captionExtension: string): Promise<PictureToTag[]> {
  const { subsets } = understandFolder(folder.entries, captionExtension);
  const pictures: PictureToTag[] = [];
  const training = subsets.filter(({ isReg }) => !isReg);
  for (const { path, captionPath: found } of training.flatMap(({ images }) => images)) {
    const stem = stemOf(path);
    const captionPath = found !== null && stemOf(found) === stem ? found : `${stem}${normalizeExtension(captionExtension)}`;
    // Crops of one picture may share its caption; they get their own, which begins with what they shared.
    const existing: ExistingCaption = found === null ? { kind: "none" } : decodeExisting(await folder.read(found));
    pictures.push({ path, captionPath, existing });
  }
  return pictures;
}

function decodeExisting(bytes: Uint8Array): ExistingCaption {
  try {
    return { kind: "text", text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    return { kind: "unreadable" };
  }
}
