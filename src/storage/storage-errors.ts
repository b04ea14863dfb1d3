/** Storage failures a person can meet, and the one place that turns the browser's exceptions into them. */
import { LorasmithError } from "../errors.ts";

/** The browser's quota for this site is used up. Nothing already stored is lost. */
export class StorageFullError extends LorasmithError {
  constructor(what: string, options?: ErrorOptions) {
    super(
      "storage.full",
      `This browser has no room left to store ${what}. Free disk space or delete earlier runs here.`,
      { what },
      options,
    );
  }
}

/** IndexedDB or OPFS is switched off here (private window, blocked site data). */
export class StorageUnavailableError extends LorasmithError {
  constructor(options?: ErrorOptions) {
    super(
      "storage.unavailable",
      "This window cannot store data. Training works, but a reload loses the run; use a normal window to be safe.",
      {},
      options,
    );
  }
}

const unavailableNames = new Set(["SecurityError", "InvalidStateError", "NotSupportedError"]);

/** Gives `error` its type: quota exceeded is StorageFullError, storage switched off is StorageUnavailableError. */
export function asStorageError(error: unknown, what: string): unknown {
  if (error instanceof LorasmithError) return error;
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  if (name === "QuotaExceededError") return new StorageFullError(what, { cause: error });
  if (unavailableNames.has(name)) return new StorageUnavailableError({ cause: error });
  return error;
}

/** Runs a storage operation with its failures typed. `what` names the thing for the message, e.g. "a checkpoint". */
export async function storing<T>(what: string, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    throw asStorageError(error, what);
  }
}
