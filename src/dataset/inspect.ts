/** Everything about a dataset that can be known without decoding a picture. */
import type { Size } from "../config/parameter.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import { InputError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import type { Overrides } from "../config/dataset-keys.ts";
import type { PictureSize } from "./buckets.ts";
import type { CaptionedSubset } from "./captions.ts";
import { readCaptions } from "./captions.ts";
import { findDatasetConfig, understandConfigured } from "./configured-folders.ts";
import { understandFolder } from "./folders.ts";
import { readImageSize } from "./image-size.ts";
import type { RepeatedPicture } from "./regularization.ts";
import type { DatasetProblem, DatasetReport, FolderEntry } from "./report.ts";

/** Files by path, wherever they are: on disk, dropped, or stored in the browser. */
export interface DatasetFolder {
  readonly entries: readonly FolderEntry[];
  /** What lies below this folder are the regularization pictures; where absent, folders named `reg…` hold them. */
  readonly regDir?: string;
  /** The dataset configuration to follow, instead of one among the entries, and which folder is which `image_dir`. */
  readonly config?: { readonly path: string; readonly text: string; readonly folders: ReadonlyMap<string, string> };
  /** Whole contents of a file. */
  read(path: string): Promise<Uint8Array>;
  /** A file for reading parts of it. */
  open(path: string): Promise<ByteSource & { close?(): Promise<void> }>;
}

/** How caption files are found and read. */
export type CaptionReading = Pick<TrainingConfig, "caption_extension" | "enable_wildcard">;

export interface Picture extends PictureSize, RepeatedPicture {
  readonly caption: string;
  /** Of a dataset configuration, as of its subset. */
  readonly dataset?: number;
  readonly overrides?: Overrides;
  /** A picture of the same name that says what of this one counts. */
  readonly maskPath?: string;
}

export interface InspectedDataset extends Omit<DatasetReport, "subsets"> {
  readonly subsets: readonly CaptionedSubset[];
  /** Usable pictures of all subsets, in order; buckets and batches refer to them by number. */
  readonly pictures: readonly Picture[];
  /** Files that stop a run. */
  readonly problems: readonly DatasetProblem[];
}

/**
 * Understands a folder, reads its captions and the sizes of its pictures.
 * @throws InputError `dataset.noPictures`, `datasetConfig.*`; what is wrong with single files is listed instead
 */
export async function inspectDataset(folder: DatasetFolder, reading: CaptionReading): Promise<InspectedDataset> {
  const report = await understandDataset(folder, reading.caption_extension);
  const read = (path: string): Promise<Uint8Array> => folder.read(path);
  const { subsets, problems: captionProblems } = await readCaptions(report.subsets, read, reading.enable_wildcard);
  const problems = [...captionProblems];
  const pictures: Picture[] = [];
  for (const { repeats, isReg, images, dataset, overrides } of subsets) {
    const configured = { ...(dataset === undefined ? {} : { dataset }), ...(overrides === undefined ? {} : { overrides }) };
    for (const { path, caption, maskPath } of images) {
      const size = await sizeOrProblem(folder, path);
      if ("problem" in size) problems.push(size.problem);
      else pictures.push({ path, caption, repeats, size: size.size, ...(isReg ? { isReg } : {}), ...configured, ...(maskPath === undefined ? {} : { maskPath }) });
    }
  }
  return { ...report, subsets, pictures, problems };
}

/**
 * Which pictures there are and what they are: by the dataset configuration, where there is one, otherwise by the names of
 * the folders.
 * @throws InputError `dataset.noPictures`, `datasetConfig.*`
 */
export async function understandDataset(folder: DatasetFolder, captionExtension: string): Promise<DatasetReport> {
  const { entries, config } = folder;
  if (config !== undefined) return understandConfigured(entries, config, captionExtension, (dir) => config.folders.get(dir));
  const path = findDatasetConfig(entries);
  if (path === undefined) return understandFolder(entries, captionExtension, folder.regDir);
  const text = new TextDecoder().decode(await folder.read(path));
  return understandConfigured(entries, { path, text }, captionExtension);
}

async function sizeOrProblem(
  folder: DatasetFolder, path: string,
): Promise<{ readonly size: Size } | { readonly problem: DatasetProblem }> {
  const file = await folder.open(path);
  try {
    return { size: await readImageSize(file) };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { problem: { path, code: error.code, data: error.data, text: error.message } };
  } finally {
    await file.close?.();
  }
}

/** At most this many further files are named in a message; all are in its data. */
const NAMED_FILES = 5;

/** The error that stops a run: the first problem, and the other files that have the same one. */
export function datasetError(problems: readonly DatasetProblem[]): InputError {
  const [first, ...others] = problems;
  if (first === undefined) throw new Error("invariant: an error needs a problem");
  const rest = others.filter((problem) => problem.code === first.code).map((problem) => problem.path);
  const named = rest.slice(0, NAMED_FILES).join(", ") + (rest.length > NAMED_FILES ? ", …" : "");
  const also = rest.length === 0 ? "" : ` The same goes for ${rest.length} more: ${named}.`;
  return new InputError(first.code, first.text + also, { ...first.data, files: [first.path, ...rest] });
}
