/** The file of a run, from its state alone: no model, no dataset, no GPU. */
import { invariant } from "../errors.ts";
import { fileEnding } from "../config/file-ending.ts";
import { writeLoraFile, writeLoraPickle, type LoraModule } from "../lora/file.ts";
import { buildLoraMetadata, buildWordMetadata } from "../lora/metadata.ts";
import { writeWordFile, writeWordPickle } from "../lora/word-file.ts";
import { absorbsScalar, scalarKey } from "../lora/lycoris-factors.ts";
import type { ModuleWeights } from "../lora/factors.ts";
import type { ModuleInfo, RunState } from "./state-file.ts";

/** What of a run's state its file is made of. */
export type AdapterState = Omit<RunState, "optimizer" | "kept">;

/**
 * @param state of a finished, stopped or saved run
 * @param finishedAt seconds since 1970
 * @param ssEpoch what the file calls its epoch; by default the number of the epoch of its last update, from 1
 * @returns the whole file, in the run's `save_model_as` and `save_precision` (32 bits where none is set)
 */
export function writeResult(state: AdapterState, finishedAt: number, ssEpoch?: number): Uint8Array<ArrayBuffer> {
  const { config, facts, update } = state;
  // A seed that was drawn is as good as one that was set: the file says which.
  const settings = { ...config, seed: state.seed };
  const updatesPerEpoch = Math.max(1, Math.ceil(facts.numBatchesPerEpoch / config.gradient_accumulation_steps));
  const epoch = ssEpoch ?? Math.max(1, Math.ceil(update / updatesPerEpoch));
  const written = { ...facts, finishedAt, steps: update, epoch };
  const savePrecision = config.save_precision ?? "float";
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
