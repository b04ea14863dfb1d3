/** The page's handle on the generation worker: the protocol as plain async methods, with callbacks made proxies. */
import { proxy, wrap } from "comlink";
import type { Remote } from "comlink";
import type { GenerateWorkerApi } from "./generate-protocol.ts";
import { carryTypedErrors } from "./typed-errors.ts";

export type GenerateClient = GenerateWorkerApi;

/** Wraps a worker that exposes GenerateWorkerApi. */
export function connectGenerateWorker(worker: Worker): GenerateClient {
  carryTypedErrors();
  const remote: Remote<GenerateWorkerApi> = wrap<GenerateWorkerApi>(worker);
  return {
    watch: (onstate) => remote.watch(proxy(onstate)),
    openModel: (source) => remote.openModel(source),
    openVae: (source) => remote.openVae(source),
    trainedAdapters: (runId) => remote.trainedAdapters(runId),
    openAdapter: (source) => remote.openAdapter(source),
    adapters: () => remote.adapters(),
    removeAdapter: (name) => remote.removeAdapter(name),
    openEmbedding: (file) => remote.openEmbedding(file),
    removeEmbedding: (name) => remote.removeEmbedding(name),
    forecast: (request, adapters) => remote.forecast(request, adapters),
    generate: (job, observer) => remote.generate(job, proxy(observer)),
    planGrid: (spec) => remote.planGrid(spec),
    grid: (job, observer) => remote.grid(job, proxy(observer)),
    gridSheet: (plan, pictures, texts) => remote.gridSheet(plan, pictures, texts),
    cancel: (id) => remote.cancel(id),
    release: () => remote.release(),
    readSettings: (picture) => remote.readSettings(picture),
  };
}

export function startGenerateWorker(): GenerateClient {
  return connectGenerateWorker(
    new Worker(new URL("./generate.worker.ts", import.meta.url), { type: "module", name: "lorasmith-generate" }),
  );
}
