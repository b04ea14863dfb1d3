/**
 * Comlink carries a thrown Error as name, message and stack. This puts our own code and data beside them,
 * so that a LorasmithError thrown in the worker is a LorasmithError on the page. Call once on each side.
 */
import { transferHandlers } from "comlink";
import { deserializeError, serializeError } from "../errors.ts";
import type { SerializedError } from "../errors.ts";

export function carryTypedErrors(): void {
  const standard = transferHandlers.get("throw");
  if (standard === undefined) throw new Error("Comlink has no handler named throw");
  transferHandlers.set("throw", {
    canHandle: standard.canHandle.bind(standard) as (value: unknown) => value is { value: unknown },
    serialize: (thrown: { value: unknown }): [SerializedError, Transferable[]] => [serializeError(thrown.value), []],
    deserialize: (plain: SerializedError): never => {
      throw deserializeError(plain);
    },
  });
}
