/** Base models as the workers open them, and what the page shows of one. */
import { LorasmithError } from "../errors.ts";
import { blobSource } from "../formats/byte-source.ts";
import { openTensorFile } from "../formats/open-tensor-file.ts";
import { openCheckpoint } from "../models/config.ts";
import type { Checkpoint } from "../models/config.ts";
import type { ModelReport } from "./train-protocol.ts";

const familyNames = { sd1: "Stable Diffusion 1.x", sd2: "Stable Diffusion 2.x" } as const;

/** Reads the header. Throws `checkpoint.*`, `safetensors.*`, `torch.*`, `model.unreadable`. */
export async function openModelFile(file: File): Promise<Checkpoint> {
  try {
    return await openCheckpoint(await openTensorFile(blobSource(file, file.name)));
  } catch (error) {
    if (error instanceof LorasmithError) throw error;
    throw new LorasmithError("model.unreadable", `${file.name} could not be read: ${String(error)}`, { file: file.name });
  }
}

export function describeModel(checkpoint: Checkpoint): ModelReport {
  const tensors = [...checkpoint.keys.values()].map((key) => checkpoint.file.tensors.get(key));
  return {
    family: familyNames[checkpoint.family],
    isV2: checkpoint.family === "sd2",
    predictionType: checkpoint.predictionType,
    isPredictionAssumed: /^(default|spread)/.test(checkpoint.predictionSource),
    tensorCount: tensors.length,
    parameterCount: tensors.reduce((sum, tensor) => sum + (tensor?.shape ?? []).reduce((a, b) => a * b, 1), 0),
  };
}
