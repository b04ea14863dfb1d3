/** Puts an engine behind the generation protocol in this worker, with the browser's storage and its room on the GPU. */
import { expose } from "comlink";
import { openCopy } from "../storage/opfs.ts";
import { trainedStore } from "../storage/trained-store.ts";
import { implementation } from "../version.ts";
import type { GenerateEngine } from "./generate-engine.ts";
import { GenerateSession } from "./generate-session.ts";
import { drawSheet, encodePng } from "./generate-sheet.ts";
import { takeGpuRoom } from "./gpu-room.ts";
import { carryTypedErrors } from "./typed-errors.ts";

/** Long enough to look at a picture and change a word; then the memory is for others. */
const idleMs = 5 * 60_000;

export function serveGeneration(engine: GenerateEngine): void {
  carryTypedErrors();
  const services = { openCopy, trained: trainedStore, takeRoom: takeGpuRoom, idleMs, encodePng, drawSheet, program: implementation };
  expose(new GenerateSession(engine, services));
}
