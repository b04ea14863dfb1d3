/** What the page asks of the worker that runs people's patterns over captions. */
import type { CaptionOperation } from "../studio/caption-operations.ts";

export interface CaptionWorkerApi {
  /** Captions after the operation, in the order given. @throws InputError `caption.pattern` */
  rewrite(operation: CaptionOperation, captions: readonly (string | null)[]): (string | null)[];
}
