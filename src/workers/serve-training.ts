/** Puts a backend behind the protocol in this worker, with the browser's storage and tab lock. */
import { expose } from "comlink";
import { datasetFiles } from "../storage/dataset-store.ts";
import { openCopy, writeCopy } from "../storage/opfs.ts";
import { runStore } from "../storage/run-store.ts";
import { trainAlone } from "./gpu-room.ts";
import { TrainSession } from "./train-session.ts";
import type { TrainingBackend } from "./training-backend.ts";
import { carryTypedErrors } from "./typed-errors.ts";

export function serveTraining(backend: TrainingBackend): void {
  carryTypedErrors();
  expose(new TrainSession(backend, { store: runStore, datasetFiles, openCopy, writeCopy, alone: trainAlone }));
}
