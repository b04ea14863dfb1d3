/** The adapter files that a run starts from: `network_weights`, and `base_weights`, which are merged into the model. */
import { InputError } from "../errors.ts";
import { appliesTo } from "../config/kinds.ts";
import { startFileNames } from "../config/start-files.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import type { TensorFile } from "../formats/tensor-file.ts";
import type { AdapterSet } from "../lora/adapter-set.ts";
import type { ModuleWeights } from "../lora/factors.ts";
import { mergedCheckpoint, type Merge } from "../lora/merged-file.ts";
import type { NetworkFile } from "../lora/network-file.ts";
import { matchNetwork } from "../lora/network-match.ts";
import { readNetwork } from "../lora/network-reader.ts";
import { matchStart, readStart, type StartMatch } from "../lora/start-network.ts";
import type { Checkpoint } from "../models/checkpoint-types.ts";
import type { LogEntry } from "./events.ts";

/** Files whose headers were read. */
export interface StartNetworks {
  /** What `network_weights` names. */
  readonly network?: NetworkFile;
  /** What `base_weights` names, in its order. */
  readonly base: readonly NetworkFile[];
}

/** How many names a line of the log shows. */
const shownNames = 5;

/**
 * Reads the headers of the files that a configuration names.
 * @param open a file by the name that the settings have for it; undefined where it is not there
 * @throws InputError `train.startNetworkMissing`, what `open` throws, `lora.*`
 */
export async function openStartNetworks(
  config: TrainingConfig, open: (name: string) => Promise<TensorFile | undefined>,
): Promise<StartNetworks> {
  const read = new Map<string, NetworkFile>();
  for (const name of startFileNames(config)) {
    const file = await open(name);
    if (file === undefined) throw startMissing(name);
    read.set(name, await readNetwork(file));
  }
  const network = read.get(config.network_weights);
  const base = config.base_weights.flatMap((name) => read.get(name) ?? []);
  return { base, ...(network && { network }) };
}

export function startMissing(file: string): InputError {
  return new InputError("train.startNetworkMissing", `The LoRA ${file} that the run starts from is not there: choose its file again, or empty the setting that names it`, { file });
}

/** @throws InputError `lora.nothingFits` if a file has nothing for this model, `train.startNetworkMissing` */
export function baseMerges(checkpoint: Checkpoint, config: TrainingConfig, { base }: StartNetworks): Merge[] {
  if (!appliesTo("base_weights", config.training_kind)) return [];
  return config.base_weights.map((name, i) => {
    const network = base[i];
    if (network === undefined) throw startMissing(name);
    return { match: matchNetwork(network, checkpoint), multiplier: Number(config.base_weights_multiplier[i] ?? 1) };
  });
}

/** The model that a run trains on. @throws what `baseMerges` throws */
export function baseOf(checkpoint: Checkpoint, merges: readonly Merge[], log: (entry: LogEntry) => void): Checkpoint {
  for (const { match: { network, modules, misfits }, multiplier } of merges) {
    const file = network.file.source.name;
    const data = { file, multiplier, count: modules.length };
    log({ level: "info", code: "train.baseMerged", text: `${file} is merged into the model with ${multiplier}: ${data.count} layers`, data });
    if (misfits.length === 0) continue;
    const { count, names } = listed(misfits.map(({ name }) => name));
    const text = `${count} parts of ${file} have no place in the model and are left out: ${names}`;
    log({ level: "warn", code: "train.baseMisfits", text, data: { file, count, names } });
  }
  return mergedCheckpoint(checkpoint, merges);
}

/** What a run without a state begins with beyond its own numbers. */
export interface NetworkStart {
  readonly weights: ReadonlyMap<string, ModuleWeights>;
  /** Of the finished file, where they are others than those that the run scales with. */
  readonly alphas: ReadonlyMap<string, number>;
}

/**
 * The values of the file that `network_weights` names, and what of it fits in the log; nothing where none is named.
 * @throws InputError `train.startNetworkMissing`, `lora.*`
 */
export async function startValues(
  config: TrainingConfig, { network }: StartNetworks, adapters: AdapterSet, log: (entry: LogEntry) => void,
): Promise<NetworkStart> {
  const match = startMatch(config, network, adapters);
  if (match === undefined) return { weights: new Map(), alphas: new Map() };
  const { missing, unused, alphas, modules } = match;
  const file = match.network.file.source.name;
  const data = { file, count: modules.length };
  log({ level: "info", code: "train.networkStart", text: `${data.count} layers start from ${file}`, data });
  if (missing.length > 0) {
    const { count, names } = listed(missing);
    const text = `${count} layers of this run are not in ${file} and begin anew: ${names}`;
    log({ level: "warn", code: "train.networkMissing", text, data: { file, count, names } });
  }
  if (unused.length > 0) {
    const { count, names } = listed(unused);
    const text = `${count} parts of ${file} have no place in this run and are left out: ${names}`;
    log({ level: "warn", code: "train.networkUnused", text, data: { file, count, names } });
  }
  const other = modules.find(({ target: { name, alpha } }) => Math.abs((alphas.get(name) ?? alpha) - alpha) > 1e-3 * Math.abs(alpha));
  if (other !== undefined) {
    const { name, alpha: wanted } = other.target;
    const alpha = alphas.get(name) ?? wanted;
    const text = `${file} has alpha ${alpha} and the settings ${wanted} (${name}): as with sd-scripts, the run scales with ${wanted} and the finished file says ${alpha}; set ${alpha} to have both the same`;
    log({ level: "warn", code: "train.networkAlpha", text, data: { file, layer: name, alpha, wanted } });
  }
  return { weights: await readStart(match), alphas };
}

/** What of the file fits, by its header; undefined where the configuration names none. @throws as `startValues` */
export function startMatch(config: TrainingConfig, network: NetworkFile | undefined, adapters: AdapterSet): StartMatch | undefined {
  if (config.network_weights === "" || !appliesTo("network_weights", config.training_kind)) return undefined;
  if (network === undefined) throw startMissing(config.network_weights);
  return matchStart(network, adapters.targets);
}

function listed(names: readonly string[]): { readonly count: number; readonly names: string } {
  const shown = names.slice(0, shownNames).join(", ");
  return { count: names.length, names: names.length > shownNames ? `${shown}, …` : shown };
}
