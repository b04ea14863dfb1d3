/** What the page and the worker that fetches models say to each other. A worker gets one model, and is then ended. */
import type { TaggerRecord } from "../storage/database.ts";
import type { FileRole, ModelManifest } from "../tagging/manifest.ts";

/** Bytes of all files together. @param total undefined while it is not known */
export type ModelProgress = (done: number, total: number | undefined) => void;

export interface ModelStoreApi {
  /**
   * Downloads what is missing of a model.
   * @throws LorasmithError `download.*`, `tagger.*`, `captioner.*`; StorageFullError; CancelledError
   */
  download(manifest: ModelManifest, onprogress: ModelProgress): Promise<TaggerRecord>;
  /** Copies files of the user's. @throws StorageFullError, CancelledError */
  keep(manifest: ModelManifest, files: ReadonlyMap<FileRole, Blob>, onprogress: ModelProgress): Promise<TaggerRecord>;
  /** What came of a download stays. */
  cancel(): void;
}
