/** What was understood of a dropped or named folder. Plain data: shown on the page, printed, and trained from. */
import type { Overrides } from "../config/dataset-keys.ts";
import type { ErrorData } from "../errors.ts";

export interface FolderEntry {
  /** Relative, with "/", beginning with the dropped folder's own name if there is one. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
}

export interface DatasetImage {
  readonly path: string;
  /** `null`: the subset's class tokens are the caption. */
  readonly captionPath: string | null;
  /** A picture of the same name that says what of this one counts. */
  readonly maskPath?: string;
}

export interface Subset {
  /** Path of the folder; "" for loose pictures. */
  readonly dir: string;
  /** How often an epoch shows each picture. */
  readonly repeats: number;
  /** False where the folder's name gives no repeats, so that they are 1. */
  readonly hasRepeatsPrefix: boolean;
  /** Regularization pictures: of the class in general, to keep the model from forgetting it. */
  readonly isReg: boolean;
  /** The folder's name without its number, "" if it has none. */
  readonly classTokens: string;
  /** In code point order of their paths, as sd-scripts has them. */
  readonly images: readonly DatasetImage[];
  /** Of a dataset configuration: which of its `[[datasets]]`, from 0. */
  readonly dataset?: number;
  /** … what it says of these pictures in place of the run's settings, */
  readonly overrides?: Overrides;
  /** … the folder of their masks, as written, */
  readonly maskDir?: string;
  /** … and how messages call the table. */
  readonly table?: string;
}

export type IgnoredReason =
  /** No picture, and no caption of one. */
  | "notAPicture"
  /** A picture format that kohya's trainer does not read either. */
  | "unsupportedPicture"
  | "captionWithoutPicture"
  /** In a folder inside a repeats folder; kohya looks one level deep. */
  | "nested"
  /** Beside folders that have repeats in their names, which kohya passes over as well. */
  | "outsideRepeatsFolders"
  /** In no folder of the dataset configuration. */
  | "notConfigured"
  /** System files such as `.DS_Store`. */
  | "hidden";

export interface Ignored {
  readonly path: string;
  readonly reason: IgnoredReason;
}

/** Something that was assumed. `code` is the i18n key, `text` the English line. */
export interface Notice {
  readonly code: string;
  readonly data: Readonly<Record<string, string | number>>;
  readonly text: string;
}

/** A file that can't be used; a run does not start with it. `code` and `data` are those of the error it amounts to. */
export interface DatasetProblem {
  readonly path: string;
  readonly code: string;
  readonly data: ErrorData;
  readonly text: string;
}

export interface DatasetReport {
  readonly subsets: readonly Subset[];
  readonly ignored: readonly Ignored[];
  readonly notices: readonly Notice[];
}
