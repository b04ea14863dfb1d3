/** The file that a network starts from (`network_weights`): the ranks and the values that it gives to a run's modules. */
import { InputError } from "../errors.ts";
import { elementCount } from "../formats/dtypes.ts";
import type { TensorEntry } from "../formats/tensor-file.ts";
import type { AdapterTarget } from "./adapter-set.ts";
import type { ModuleWeights } from "./factors.ts";
import { factorization, scalarKey, type LycorisSettings } from "./lycoris-factors.ts";
import type { NetworkAlgorithm, NetworkFile, NetworkModule } from "./network-file.ts";
import type { NetworkPart } from "./network-names.ts";

/** Rank and alpha of a module. */
export interface RankAndAlpha {
  readonly rank: number;
  readonly alpha: number;
}

/** What a network takes from its file with `dim_from_weights`. */
export interface FileRanks {
  readonly byName: ReadonlyMap<string, RankAndAlpha>;
  /** What the file says of the kind of its modules; absent for sd-scripts' own network. */
  readonly lycoris?: Pick<LycorisSettings, "algorithm" | "tucker" | "decompose" | "fullMatrix" | "decomposeBoth"> & Partial<Pick<LycorisSettings, "factor">>;
}

/** sd-scripts' own network takes LoRA and LoCon, and sees nothing else. @throws InputError `lora.startKind` */
export function ownRanks(network: NetworkFile): FileRanks {
  const modules = network.modules.filter((module) => isLora(module) && !module.parts.has("lora_mid"));
  if (modules.length === 0) throw wrongKind(network, "networks.lora");
  return { byName: ranksOf(modules, network.rank) };
}

/**
 * LyCORIS takes the algorithm from the file, too.
 * @throws InputError `lora.startKind` if it has none of those that are trained here, or several
 */
export function lycorisRanks(network: NetworkFile): FileRanks {
  const { modules } = network;
  const kinds = new Set(modules.map(({ algorithm }) => algorithms[algorithm]));
  const [algorithm] = kinds;
  if (kinds.size !== 1 || algorithm === undefined) throw wrongKind(network, "lycoris.kohya");
  const has = (part: NetworkPart): boolean => modules.some(({ parts }) => parts.has(part));
  const isWhole = network.rank === 0;
  const hasUsualFactor = modules.every(({ parts, out, width, channels }) => {
    const rows = (parts.get("lokr_w1") ?? parts.get("lokr_w1_a"))?.shape[0];
    const columns = parts.get("lokr_w1")?.shape[1] ?? parts.get("lokr_w1_b")?.shape[1];
    return rows === factorization(out, -1)[0] && columns === factorization(channels ?? width, -1)[0];
  });
  const decompose = modules.find(({ magnitudes }) => magnitudes !== undefined)?.magnitudes;
  return {
    byName: ranksOf(modules, isWhole ? 1 : network.rank),
    lycoris: {
      algorithm,
      tucker: has("lora_mid") || has("hada_t1") || has("lokr_t2"),
      decompose,
      fullMatrix: algorithm === "lokr" && isWhole,
      decomposeBoth: has("lokr_w1_a"),
      ...(algorithm === "lokr" && hasUsualFactor && { factor: -1 }),
    },
  };
}

const algorithms: Partial<Record<NetworkAlgorithm, LycorisSettings["algorithm"]>> = { LoRA: "locon", LoCon: "locon", LoHa: "loha", LoKr: "lokr" };

function isLora({ algorithm }: NetworkModule): boolean {
  return algorithm === "LoRA" || algorithm === "LoCon";
}

/** @param whole rank of modules that are not decomposed */
function ranksOf(modules: readonly NetworkModule[], whole: number): Map<string, RankAndAlpha> {
  return new Map(modules.map(({ name, rank, scale }) => [name, rank === 0 ? { rank: whole, alpha: whole } : { rank, alpha: scale * rank }]));
}

function wrongKind(network: NetworkFile, wanted: string): InputError {
  const file = network.file.source.name;
  const kind = network.kind === "" ? "?" : network.kind;
  const what = wanted === "networks.lora" ? "a LoRA or LoCon; for LoHa, LoKr and DoRA set network_module to lycoris.kohya" : "a file of one of the kinds LoCon, LoHa and LoKr";
  return new InputError("lora.startKind", `${file} is of the kind ${kind}, which network_module ${wanted} cannot take ranks from: choose ${what}.`, {
    file, kind, wanted,
  });
}

/** What of a file fits the modules of a run. */
export interface StartMatch {
  readonly network: NetworkFile;
  /** Modules that the file has, and its tensors by factor; factors that it lacks are absent. */
  readonly modules: readonly { readonly target: AdapterTarget; readonly entries: ReadonlyMap<string, TensorEntry> }[];
  /** Alphas of the file, which sd-scripts writes into the finished file, whatever it trained with. */
  readonly alphas: ReadonlyMap<string, number>;
  /** Modules of the run that the file has nothing for. */
  readonly missing: readonly string[];
  /** Modules and tensors of the file that the run has no place for. */
  readonly unused: readonly string[];
}

/**
 * Finds what the file has for these modules, by its header.
 * @throws InputError `lora.startRank` (another rank), `lora.startShape`, `lora.startNothing` (no module in common)
 */
export function matchStart(network: NetworkFile, targets: readonly AdapterTarget[]): StartMatch {
  const inFile = new Map(network.modules.map((module) => [module.name, module]));
  const modules: { readonly target: AdapterTarget; readonly entries: ReadonlyMap<string, TensorEntry> }[] = [];
  const alphas = new Map<string, number>();
  const missing: string[] = [];
  const unused = network.misfits.map(({ name }) => name);
  for (const target of targets) {
    const module = inFile.get(target.name);
    const entries = new Map<string, TensorEntry>();
    for (const { key } of target.factors) {
      const entry = module?.parts.get(partOf(key));
      if (entry !== undefined) entries.set(key, entry);
    }
    if (module === undefined || entries.size === 0) {
      missing.push(target.name);
      continue;
    }
    inFile.delete(target.name);
    const known = new Set<NetworkPart>(["alpha", ...[...entries.keys()].map(partOf)]);
    for (const part of module.parts.keys()) if (!known.has(part)) unused.push(`${module.nameInFile}.${part}`);
    for (const { key, shape } of target.factors) {
      const entry = entries.get(key);
      if (entry !== undefined && !isSameShape(entry.shape, shape)) throw otherShape(network, module, target, entry, shape);
    }
    modules.push({ target, entries });
    if (module.parts.has("alpha") && module.rank > 0) alphas.set(target.name, module.scale * module.rank);
  }
  unused.push(...[...inFile.values()].map(({ nameInFile }) => nameInFile));
  if (modules.length === 0) throw nothingFits(network, targets[0]);
  return { network, modules, alphas, missing, unused };
}

/** Reads the values of modules, by name. @throws InputError `lora.notFinite`, `file.*` */
export async function readStart({ network, modules }: StartMatch): Promise<Map<string, ModuleWeights>> {
  const weights = new Map<string, ModuleWeights>();
  for (const { target, entries } of modules) {
    const values: Record<string, Float32Array<ArrayBuffer>> = {};
    for (const [key, entry] of entries) {
      const data = await network.file.readF32(entry.name);
      if (!data.every(Number.isFinite)) throw notFinite(network, entry);
      values[key] = data;
    }
    // Files hold the number within a factor.
    if (target.factors.some(({ key }) => key === scalarKey)) values[scalarKey] = Float32Array.of(1);
    weights.set(target.name, values);
  }
  return weights;
}

function partOf(key: string): NetworkPart {
  return key.replace(/\.weight$/, "") as NetworkPart;
}

/** Projections may be kept as linears or as 1×1 convolutions. */
function isSameShape(a: readonly number[], b: readonly number[]): boolean {
  const bare = (shape: readonly number[]): string => shape.join().replace(/(,1)+$/, "");
  return elementCount(a) === elementCount(b) && bare(a) === bare(b);
}

function otherShape(
  { file: { source } }: NetworkFile, module: NetworkModule, target: AdapterTarget, entry: TensorEntry, shape: readonly number[],
): InputError {
  const file = source.name;
  const { nameInFile: layer, rank } = module;
  if (rank > 0 && rank !== target.rank) {
    const message = `${layer} has rank ${rank} in ${file}, and the settings make it ${target.rank}: turn on dim_from_weights to take the ranks from the file, or set the same rank.`;
    return new InputError("lora.startRank", message, { file, layer, rank, wanted: target.rank });
  }
  const [found, wanted] = [entry.shape.join("×"), shape.join("×")];
  const message = `${entry.name} measures ${found} in ${file}, and ${wanted} in this run: set the network up as the file's was, or choose a file for this model.`;
  return new InputError("lora.startShape", message, { file, layer: entry.name, found, wanted });
}

function nothingFits(network: NetworkFile, first: AdapterTarget | undefined): InputError {
  const file = network.file.source.name;
  const [module] = network.modules;
  const data = { file, kind: network.kind, layer: module?.nameInFile ?? "?", wanted: first === undefined ? "?" : `${first.name}.${first.factors[0]?.key ?? ""}` };
  const message = `${file} (${data.kind}) has no layer that this run trains: it begins with ${data.layer}, the run with ${data.wanted}. Choose a file of the same kind of network and model.`;
  return new InputError("lora.startNothing", message, data);
}

function notFinite({ file: { source } }: NetworkFile, { name }: TensorEntry): InputError {
  return new InputError("lora.notFinite", `${source.name} holds values in ${name} that are not finite: its training failed, or the file is damaged.`, {
    file: source.name, key: name,
  });
}
