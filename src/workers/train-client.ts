/** The page's handle on the training worker: the protocol as plain async methods, with callbacks made proxies. */
import { proxy, wrap } from "comlink";
import type { Remote } from "comlink";
import type { TrainObserver, TrainWorkerApi } from "./train-protocol.ts";
import { carryTypedErrors } from "./typed-errors.ts";

export type TrainClient = TrainWorkerApi;

/** Wraps a worker that exposes TrainWorkerApi. */
export function connectTrainWorker(worker: Worker): TrainClient {
  carryTypedErrors();
  const remote: Remote<TrainWorkerApi> = wrap<TrainWorkerApi>(worker);
  return {
    gpu: () => remote.gpu(),
    openModel: (source) => remote.openModel(source),
    openDataset: (files) => remote.openDataset(files),
    checkNetwork: (file) => remote.checkNetwork(file),
    plan: (config, startFiles) => remote.plan(config, startFiles),
    start: (runId, model, observer: TrainObserver) => remote.start(runId, model, proxy(observer)),
    pause: () => remote.pause(),
    resume: () => remote.resume(),
    sampleNow: () => remote.sampleNow(),
    stopAndKeep: () => remote.stopAndKeep(),
    checkpointSoon: () => remote.checkpointSoon(),
    keepLastGood: (runId, model) => remote.keepLastGood(runId, model),
    result: (runId) => remote.result(runId),
    keepModelCopy: (file, onprogress) => remote.keepModelCopy(file, proxy(onprogress)),
  };
}

export function startTrainWorker(): TrainClient {
  return connectTrainWorker(
    new Worker(new URL("./train.worker.ts", import.meta.url), { type: "module", name: "lorasmith-train" }),
  );
}
