/** The page's handle on cropping: a few workers for as long as there is something to do. */
import { wrap } from "comlink";
import { serializeError } from "../errors.ts";
import type { SerializedError } from "../errors.ts";
import type { CropMethod, CropProposal } from "../studio/crop-method.ts";
import { proposeCrops } from "../studio/crop-method.ts";
import type { CropWorkerApi, StoredPicture } from "./crop-protocol.ts";
import { carryTypedErrors } from "./typed-errors.ts";

/** A crop, or why there is none, as soon as it is known. */
export type ProposalListener<T> = (picture: T, outcome: CropProposal | { readonly error: SerializedError }) => void;

const mostWorkers = 4;

/**
 * Finds crops for pictures. Methods that go by size alone need no worker. A picture that can't be read does not stop the
 * others.
 * @param signal ends it at once; what was found by then was told
 * @throws the signal's reason
 */
export async function proposeForAll<T extends StoredPicture>(
  pictures: readonly T[], method: CropMethod, onoutcome: ProposalListener<T>, signal: AbortSignal,
): Promise<void> {
  if (method.kind !== "focus") {
    for (const picture of pictures) onoutcome(picture, proposeCrops([picture.width, picture.height], method));
    return;
  }
  const waiting = pictures.values();
  await withWorkers(Math.min(mostWorkers, pictures.length), signal, async (api) => {
    for (const picture of waiting) {
      const outcome = await api.propose(onlyWhatIsAsked(picture), method).catch((error: unknown) => ({ error: serializeError(error) }));
      onoutcome(picture, outcome);
    }
  });
}

/** A picture carries its caption and more, which need not be copied. */
function onlyWhatIsAsked({ name, original, width, height }: StoredPicture): StoredPicture {
  return { name, original, width, height };
}

/** Has workers take from the same heap. When this settles, they are gone. */
async function withWorkers(count: number, signal: AbortSignal, work: (api: CropWorkerApi) => Promise<void>): Promise<void> {
  carryTypedErrors();
  signal.throwIfAborted();
  const cores = Math.max(1, navigator.hardwareConcurrency - 1);
  const workers = Array.from({ length: Math.min(count, cores) }, () =>
    new Worker(new URL("./crop.worker.ts", import.meta.url), { type: "module", name: "lorasmith-crop" }));
  try {
    await new Promise<void>((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      for (const worker of workers) {
        worker.addEventListener("error", (event) => reject(new Error(event.message || "The cropping worker did not start.")));
      }
      Promise.all(workers.map((worker) => work(wrap<CropWorkerApi>(worker)))).then(() => resolve(), reject);
    });
  } finally {
    for (const worker of workers) worker.terminate();
  }
}
