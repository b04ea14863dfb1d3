/** The page's handle on getting models: a worker for each, ended with it. */
import { proxy, wrap, type Remote } from "comlink";
import type { TaggerRecord } from "../storage/database.ts";
import type { FileRole, ModelManifest } from "../tagging/manifest.ts";
import type { ModelProgress, ModelStoreApi } from "./model-store-protocol.ts";
import { carryTypedErrors } from "./typed-errors.ts";

/** Downloads what is missing of a model. @throws as `ModelStoreApi.download` */
export function downloadModel(manifest: ModelManifest, onprogress: ModelProgress, signal: AbortSignal): Promise<TaggerRecord> {
  return inWorker(signal, (api) => api.download(manifest, proxy(onprogress)));
}

/** Copies a model's files into this browser. @throws as `ModelStoreApi.keep` */
export function keepModel(
  manifest: ModelManifest, files: ReadonlyMap<FileRole, Blob>, onprogress: ModelProgress, signal: AbortSignal,
): Promise<TaggerRecord> {
  return inWorker(signal, (api) => api.keep(manifest, files, proxy(onprogress)));
}

async function inWorker<T>(signal: AbortSignal, work: (api: Remote<ModelStoreApi>) => Promise<T>): Promise<T> {
  carryTypedErrors();
  signal.throwIfAborted();
  const worker = new Worker(new URL("./model-store.worker.ts", import.meta.url), { type: "module", name: "lorasmith-models" });
  try {
    return await new Promise<T>((resolve, reject) => {
      const api = wrap<ModelStoreApi>(worker);
      // The worker closes its files before it says that it has ended.
      signal.addEventListener("abort", () => void api.cancel());
      worker.addEventListener("error", (event) => reject(new Error(event.message || "The worker for models did not start.")));
      work(api).then(resolve, reject);
    });
  } finally {
    worker.terminate();
  }
}
