/** The page's handle on running patterns over captions. */
import { wrap } from "comlink";
import { InputError } from "../errors.ts";
import type { CaptionOperation } from "../studio/caption-operations.ts";
import type { CaptionWorkerApi } from "./caption-protocol.ts";
import { carryTypedErrors } from "./typed-errors.ts";

const limitSeconds = 5;

/**
 * Captions after an operation that needs no other pictures.
 * @param signal ends it at once
 * @throws InputError `caption.pattern`, `caption.patternSlow`; the signal's reason
 */
export async function rewriteCaptions(
  operation: CaptionOperation, captions: readonly (string | null)[], signal: AbortSignal,
): Promise<(string | null)[]> {
  carryTypedErrors();
  signal.throwIfAborted();
  const worker = new Worker(new URL("./caption.worker.ts", import.meta.url), { type: "module", name: "lorasmith-captions" });
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    return await new Promise<(string | null)[]>((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason as Error));
      worker.addEventListener("error", (event) => reject(new Error(event.message || "The worker for captions did not start.")));
      timer = setTimeout(() => {
        const message = `The pattern took longer than ${limitSeconds} seconds and was stopped. Write it without a repetition inside a repetition.`;
        reject(new InputError("caption.patternSlow", message, { seconds: limitSeconds }));
      }, limitSeconds * 1000);
      wrap<CaptionWorkerApi>(worker).rewrite(operation, captions).then(resolve, reject);
    });
  } finally {
    clearTimeout(timer);
    worker.terminate();
  }
}
