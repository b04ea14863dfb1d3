/** What the page and the import worker say to each other. One worker takes in one heap of files, and is then ended. */
import type { DatasetFile } from "../storage/database.ts";
import type { IncomingPicture } from "../storage/set-store.ts";
import type { SetFields } from "../studio/edit.ts";
import type { ImportReport } from "../studio/import-report.ts";
import type { StudioPicture } from "../studio/picture.ts";
import type { StudioSet } from "../studio/studio-set.ts";

/** What an import must know of a picture that is in the set already. */
export interface KnownPicture extends Pick<StudioPicture, "id" | "subset" | "name" | "original" | "likeness"> {
  readonly hasCaption: boolean;
}

export interface ImportRequest {
  readonly files: readonly DatasetFile[];
  readonly set: StudioSet;
  readonly known: readonly KnownPicture[];
  /** Id of the subset for pictures that no folder says anything about. */
  readonly subset: string;
  /** The shorter side that training is going to give pictures; below half of it a picture is reported. */
  readonly resolution: number;
}

export interface ImportProgress {
  readonly phase: "listing" | "reading";
  /** Pictures that were dealt with. */
  readonly done: number;
  readonly total: number;
  /** Path of the latest. */
  readonly path: string;
}

/** The page's side. The worker waits for each call, which is what keeps few pictures in memory. */
export interface ImportObserver {
  progress(progress: ImportProgress): void | Promise<void>;
  /** Subsets, groups and rules that the pictures to come belong to. */
  prepared(set: SetFields): void | Promise<void>;
  /** @throws StorageFullError; then none of these is stored */
  arrived(pictures: readonly IncomingPicture[]): void | Promise<void>;
}

export interface ImportWorkerApi {
  /** Never fails for what is in the files: that is in the report. */
  run(request: ImportRequest, observer: ImportObserver): Promise<ImportReport>;
  /** Ends the import after the picture that is being read. */
  stop(): void;
}
