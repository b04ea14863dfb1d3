/** The file of a run, from its state alone: no dataset, no GPU, and but for full training no model. */
import { InputError, invariant } from "../errors.ts";
import { fileEnding } from "../config/file-ending.ts";
import { writeLoraFile, writeLoraPickle, type LoraModule } from "../lora/file.ts";
import { buildLoraMetadata, buildModelMetadata, buildWordMetadata } from "../lora/metadata.ts";
import { writeModelFile } from "../lora/model-file.ts";
import { writeWordFile, writeWordPickle } from "../lora/word-file.ts";
import { absorbsScalar, scalarKey } from "../lora/lycoris-factors.ts";
import type { FileBytes } from "../formats/streamed-file.ts";
import type { ModuleWeights } from "../lora/factors.ts";
import type { ModuleInfo, RunState } from "./state-file.ts";

/** What of a run's state its file is made of. */
export type AdapterState = Omit<RunState, "optimizer" | "kept">;

/** The file whose weights were trained. */
type Base = Parameters<typeof writeModelFile>[0];

/**
 * @param state of a finished, stopped or saved run
 * @param finishedAt seconds since 1970
 * @param ssEpoch what the file calls its epoch; by default the number of the epoch of its last update, from 1
 * @param base the checkpoint, for a model that was trained itself: its file is made while it is read, from where the state lies
 * @returns the file, in the run's `save_model_as` and `save_precision` (32 bits where none is set)
 * @throws InputError `run.needsModel` without the checkpoint that such a model's file is made of
 */
export function resultFile(state: AdapterState, finishedAt: number, base: Base | undefined, ssEpoch?: number): FileBytes {
  const { model } = state;
  if (model === undefined) return writeResult(state, finishedAt, ssEpoch);
  if (base === undefined) {
    throw new InputError("run.needsModel", "The file of a fully trained model is made of its base model's: choose that model again");
  }
  const { settings, written, savePrecision } = described(state, finishedAt, ssEpoch);
  const trained = model.tensors.map((tensor) => ({ ...tensor, values: () => model.read(tensor, "params") }));
  // What a reader of the base's file had to be told, a reader of this one has to be told.
  const told = [...base.file.metadata].filter(([key]) => key.startsWith("lorasmith."));
  return writeModelFile(base, trained, new Map([...told, ...buildModelMetadata(settings, written)]), savePrecision);
}

/** The same for whatever is no model, as a whole. */
export function writeResult(state: AdapterState, finishedAt: number, ssEpoch?: number): Uint8Array<ArrayBuffer> {
  invariant(state.model === undefined, "a model's file is streamed");
  const { config, facts, update } = state;
  const { settings, written, savePrecision } = described(state, finishedAt, ssEpoch);
  const isPickle = fileEnding(config) !== ".safetensors";
  if (state.words !== undefined) {
    const notes = { name: config.output_name, step: update, ...(facts.model && { model: facts.model }) };
    return isPickle
      ? writeWordPickle(state.words, notes, savePrecision)
      : writeWordFile(state.words, buildWordMetadata(settings, written), savePrecision);
  }
  const modules = loraModules(state.modules, state.weights);
  if (isPickle) return writeLoraPickle({ modules, savePrecision });
  return writeLoraFile({ modules, metadata: buildLoraMetadata(settings, written), savePrecision });
}

/** What a file says of its run. */
function described({ config, facts, update, seed }: AdapterState, finishedAt: number, ssEpoch: number | undefined) {
  const updatesPerEpoch = Math.max(1, Math.ceil(facts.numBatchesPerEpoch / config.gradient_accumulation_steps));
  const epoch = ssEpoch ?? Math.max(1, Math.ceil(update / updatesPerEpoch));
  return {
    // A seed that was drawn is as good as one that was set: the file says which.
    settings: { ...config, seed },
    written: { ...facts, finishedAt, steps: update, epoch },
    savePrecision: config.save_precision ?? ("float" as const),
  };
}

/** Modules as a file holds them: a trained number that multiplies a module goes into one of its factors. */
export function loraModules(infos: readonly ModuleInfo[], weights: ReadonlyMap<string, ModuleWeights>): LoraModule[] {
  return infos.map(({ name, alpha, factors }) => {
    const values = weights.get(name);
    invariant(values !== undefined, `no weights for ${name}`);
    const scalar = values[scalarKey]?.[0];
    if (scalar === undefined) return { name, alpha, factors, weights: values };
    const scaled = Object.entries(values).map(([key, data]) => [key, absorbsScalar(key) ? data.map((value) => value * scalar) : data]);
    return { name, alpha, factors: factors.filter(({ key }) => key !== scalarKey), weights: Object.fromEntries(scaled) };
  });
}
