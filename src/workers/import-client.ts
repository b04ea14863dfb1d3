/** The page's handle on importing: a worker for each heap of files, ended with it. */
import { proxy, wrap } from "comlink";
import type { ImportReport } from "../studio/import-report.ts";
import type { ImportObserver, ImportRequest, ImportWorkerApi } from "./import-protocol.ts";
import { carryTypedErrors } from "./typed-errors.ts";

/**
 * Takes files into a set. What is wrong with files is in the report, and so is what is not in because of the signal or
 * because storage is full; everything that arrived before stays.
 * @throws LorasmithError where the observer does, storage without room apart
 */
export async function importFiles(request: ImportRequest, observer: ImportObserver, signal: AbortSignal): Promise<ImportReport> {
  carryTypedErrors();
  const worker = new Worker(new URL("./import.worker.ts", import.meta.url), { type: "module", name: "lorasmith-import" });
  const api = wrap<ImportWorkerApi>(worker);
  const stop = (): void => void api.stop();
  try {
    return await new Promise<ImportReport>((resolve, reject) => {
      worker.addEventListener("error", (event) => reject(new Error(event.message || "The import worker did not start.")));
      signal.addEventListener("abort", stop);
      if (signal.aborted) stop();
      api.run(request, proxy(observer)).then(resolve, reject);
    });
  } finally {
    signal.removeEventListener("abort", stop);
    worker.terminate();
  }
}
