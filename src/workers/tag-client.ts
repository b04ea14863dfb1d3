/** The page's handle on tagging: a worker for each list of pictures, ended with it. */
import { wrap } from "comlink";
import { LorasmithError, serializeError, type SerializedError } from "../errors.ts";
import type { CaptionSettings } from "../tagging/manifest.ts";
import type { ModelFiles, PictureToRead, TagProvider, TagWorkerApi, TimedReading } from "./tag-protocol.ts";
import { carryTypedErrors } from "./typed-errors.ts";

/** A picture in a list; its file is asked for when its turn comes. */
export interface ListedPicture extends Omit<PictureToRead, "file"> {
  readonly id: string;
  readonly file: () => Promise<Blob> | Blob;
}

export interface TagObserver {
  /** The model is loaded; pictures follow. */
  opened(provider: TagProvider): void;
  read(id: string, reading: TimedReading): void;
  /** This picture can't be read; the others go on. */
  failed(id: string, error: SerializedError): void;
}

/**
 * Reads pictures in order. When this settles, the worker is gone: memory that WebAssembly has taken never shrinks, and a
 * runtime that failed to start can't try again.
 * @param signal ends it at once; what was read by then was told
 * @throws LorasmithError `tagger.*`, `captioner.*`, `file.unreadable`; the signal's reason
 */
export async function tagPictures(
  model: ModelFiles, pictures: Iterable<ListedPicture>, settings: Partial<CaptionSettings>, observer: TagObserver, signal: AbortSignal,
): Promise<void> {
  carryTypedErrors();
  signal.throwIfAborted();
  const worker = new Worker(new URL("./tag.worker.ts", import.meta.url), { type: "module", name: "lorasmith-tag" });
  try {
    await new Promise<void>((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
      worker.addEventListener("error", (event) => reject(new Error(event.message || "The tagging worker did not start.")));
      readAll(wrap<TagWorkerApi>(worker), model, pictures, settings, observer, signal).then(resolve, reject);
    });
  } finally {
    worker.terminate();
  }
}

/** @param api a worker's, or one in this thread */
export async function readAll(
  api: TagWorkerApi, model: ModelFiles, pictures: Iterable<ListedPicture>, settings: Partial<CaptionSettings>, observer: TagObserver,
  signal: AbortSignal,
): Promise<void> {
  observer.opened(await api.open(model));
  for (const { id, file, ...picture } of pictures) {
    if (signal.aborted) return;
    try {
      const reading = await api.read({ ...picture, file: await file() }, settings);
      if (!signal.aborted) observer.read(id, reading);
    } catch (error) {
      // Of a picture, not of the model.
      const isOfPicture = error instanceof LorasmithError && /^(image|file)\./.test(error.code);
      if (!isOfPicture) throw error;
      observer.failed(id, serializeError(error));
    }
  }
}
