/** What is needed of ONNX Runtime, and how models that it can't take are told. */
import type * as Ort from "onnxruntime-web";
import { InputError, LorasmithError } from "../errors.ts";

/** What is needed of the package; the browser's builds and Node's have it alike. */
export interface OnnxRuntime {
  readonly InferenceSession: Pick<typeof Ort.InferenceSession, "create">;
  readonly Tensor: typeof Ort.Tensor;
}

export type Session = Ort.InferenceSession;

/** A whole file in memory. */
export interface LoadedFile {
  /** For messages. */
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** @throws InputError `tagger.model`; LorasmithError `tagger.runtime` where ONNX Runtime itself does not start */
export async function openSession(ort: OnnxRuntime, file: LoadedFile, executionProviders: readonly string[]): Promise<Session> {
  return ort.InferenceSession.create(file.bytes, { executionProviders }).catch((cause: unknown) => {
    throw cannotLoad(file.name, cause);
  });
}

/** The inputs of a model in words, "float32 [1, 448, 448, 3]". */
export function inputsInWords(session: Session): string {
  const shapes = session.inputMetadata.map((value) => (value.isTensor ? `${value.type} [${value.shape.join(", ")}]` : value.name));
  return shapes.join(" and ");
}

function cannotLoad(file: string, cause: unknown): LorasmithError {
  const reason = (cause instanceof Error ? cause.message : String(cause)).replace(/^.*ERROR_MESSAGE: /s, "").replace(/\.$/, "");
  if (reason.includes("no available backend")) {
    const message = `ONNX Runtime, which runs taggers, did not start: ${reason}. Load the page again, or use a current browser.`;
    return new LorasmithError("tagger.runtime", message, { reason }, { cause });
  }
  const message = `${file} can't be loaded as an ONNX model: ${reason}. Download it again.`;
  return new InputError("tagger.model", message, { file, reason }, { cause });
}
