/**
 * Typed errors. Every failure that a person can meet is a LorasmithError subclass with a stable `code`
 * and plain `data`; `message` is one English line (what happened, what to do) for the terminal and logs.
 * The page shows its own translated text by `code`. Errors survive a worker boundary as plain objects.
 */

/** Values that survive structured clone and JSON, so an error can be rebuilt on the other side. */
export type ErrorData = Readonly<Record<string, string | number | boolean | null | readonly (string | number)[]>>;

export interface SerializedError {
  readonly lorasmithError: true;
  readonly code: string;
  readonly data: ErrorData;
  readonly message: string;
  readonly stack?: string;
}

export class LorasmithError extends Error {
  /** Stable identifier, `area.situation`, e.g. `safetensors.truncated`. Also the i18n key under `errors`. */
  readonly code: string;
  readonly data: ErrorData;

  constructor(code: string, message: string, data: ErrorData = {}, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
    this.data = data;
  }

  serialize(): SerializedError {
    return {
      lorasmithError: true,
      code: this.code,
      data: this.data,
      message: this.message,
      ...(this.stack === undefined ? {} : { stack: this.stack }),
    };
  }
}

/** Turns anything thrown into a plain object; unknown errors get the code `internal`. */
export function serializeError(error: unknown): SerializedError {
  if (error instanceof LorasmithError) return error.serialize();
  const message = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error ? error.stack : undefined;
  return { lorasmithError: true, code: "internal", data: {}, message, ...(stack === undefined ? {} : { stack }) };
}

export function deserializeError(plain: SerializedError): LorasmithError {
  const error = new LorasmithError(plain.code, plain.message, plain.data);
  if (plain.stack !== undefined) error.stack = plain.stack;
  return error;
}

/** Bad input from a file, folder, option or link: the user can fix it. The CLI exits with 2 on these. */
export class InputError extends LorasmithError {}

/** The run was stopped on request; not shown as an error. */
export class CancelledError extends LorasmithError {
  constructor() {
    super("cancelled", "Cancelled.");
  }
}

/** A broken assumption of our own code. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`invariant: ${message}`);
}
