/** The page's handle on tagging: a worker for each list of pictures, ended with it. */
import { proxy, wrap } from "comlink";
import type { DatasetFile } from "../storage/database.ts";
import type { TaggerFiles, TagObserver, TagWorkerApi } from "./tag-protocol.ts";
import { carryTypedErrors } from "./typed-errors.ts";

/**
 * Tags pictures in order. When this settles, the worker is gone: memory that WebAssembly has taken never shrinks, and
 * a runtime that failed to start can't try again.
 * @param signal ends it at once; what was scored by then was told
 * @throws LorasmithError `tagger.*`, `file.unreadable`; the signal's reason
 */
export async function tagPictures(
  tagger: TaggerFiles, pictures: readonly DatasetFile[], observer: TagObserver, signal: AbortSignal,
): Promise<void> {
  carryTypedErrors();
  signal.throwIfAborted();
  const worker = new Worker(new URL("./tag.worker.ts", import.meta.url), { type: "module", name: "lorasmith-tag" });
  try {
    await new Promise<void>((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
      worker.addEventListener("error", (event) => reject(new Error(event.message || "The tagging worker did not start.")));
      wrap<TagWorkerApi>(worker).tag(tagger, pictures, proxy(observer)).then(resolve, reject);
    });
  } finally {
    worker.terminate();
  }
}
