/** What the page and the tagging worker say to each other. One worker tags one list of pictures, and is then ended. */
import type { SerializedError } from "../errors.ts";
import type { DatasetFile } from "../storage/database.ts";
import type { TagScores } from "../tagging/scores.ts";

export interface TaggerFiles {
  readonly model: Blob;
  readonly modelName: string;
  readonly labels: Blob;
  readonly labelsName: string;
}

/** Where the tagger runs. */
export type TagProvider = "webgpu" | "wasm";

/** The page's side. The worker waits for each call, so that none is lost when it is ended. */
export interface TagObserver {
  /** The model is loaded; pictures follow. */
  opened(provider: TagProvider): void | Promise<void>;
  scored(path: string, scores: TagScores): void | Promise<void>;
  /** This picture can't be read; the others go on. */
  failed(path: string, error: SerializedError): void | Promise<void>;
}

export interface TagWorkerApi {
  /**
   * Tags pictures in order.
   * @throws LorasmithError `tagger.*`, InputError `file.unreadable`
   */
  tag(tagger: TaggerFiles, pictures: readonly DatasetFile[], observer: TagObserver): Promise<void>;
}
