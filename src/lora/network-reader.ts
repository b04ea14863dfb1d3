/** Reads any adapter file that can be applied to a model: what is in it, not yet the factors. */
import { InputError } from "../errors.ts";
import type { TensorEntry, TensorFile } from "../formats/tensor-file.ts";
import type { Misfit, NetworkAlgorithm, NetworkFile, NetworkModule } from "./network-file.ts";
import { parseNetworkKey, type NetworkPart } from "./network-names.ts";
import { alphaReader } from "./network-alpha.ts";
import { shapeOf, type ModuleTensors } from "./network-shapes.ts";

/**
 * Lists what an adapter file holds: LoRA, LoCon, LoHa, LoKr and full differences, with or without DoRA, under kohya's,
 * LyCORIS's or diffusers' names. A file for another model is fine here; `matchNetwork` says what fits.
 * Throws InputError `lora.notANetwork`, `lora.incomplete` (one factor of several is missing) or `lora.wrongShape`.
 */
export async function readNetwork(file: TensorFile): Promise<NetworkFile> {
  const { found, misfits } = group(file);
  const readScale = alphaReader(file);
  const modules: NetworkModule[] = [];
  for (const tensors of found) {
    const shape = shapeOf(file.source.name, tensors);
    if (shape === undefined) misfits.push({ name: tensors.nameInFile, reason: "otherKind" });
    else {
      const { name, nameInFile, parts } = tensors;
      modules.push({ name, nameInFile, parts, ...shape, scale: await readScale(tensors, shape.rank) });
    }
    if (tensors.parts.has("diff_b")) misfits.push({ name: `${tensors.nameInFile}.diff_b`, reason: "biasOrNorm" });
  }
  return {
    name: file.source.name.replace(/\.[^.]+$/, ""),
    kind: kindOf(modules),
    rank: mostFrequent(modules.map(({ rank }) => rank).filter((rank) => rank > 0)),
    family: familyOf(modules),
    modules,
    misfits,
    file,
  };
}

/** Tensors by module; modules with a part of an unknown kind are misfits as a whole. */
function group(file: TensorFile): { found: ModuleTensors[]; misfits: Misfit[] } {
  const modules = new Map<string, { nameInFile: string; parts: Map<NetworkPart, TensorEntry> }>();
  const unknown = new Map<string, Misfit>();
  const strangers: string[] = [];
  for (const [key, entry] of file.tensors) {
    const parsed = parseNetworkKey(key);
    if (parsed === undefined) {
      strangers.push(key);
      continue;
    }
    const { module, nameInFile, part } = parsed;
    if (part === undefined) {
      const isNorm = /\.[wb]_norm$|\.bias_(indices|values|size)$/.test(key);
      unknown.set(module, { name: nameInFile, reason: isNorm ? "biasOrNorm" : "otherKind" });
      continue;
    }
    const known = modules.get(module) ?? { nameInFile, parts: new Map<NetworkPart, TensorEntry>() };
    known.parts.set(part, entry);
    modules.set(module, known);
  }
  for (const module of unknown.keys()) modules.delete(module);
  const isNetwork = [...modules.values()].some(({ parts }) => [...parts.keys()].some((part) => part !== "alpha"));
  if (!isNetwork && unknown.size === 0) {
    const name = file.source.name;
    const key = strangers[0] ?? "";
    throw new InputError(
      "lora.notANetwork",
      `${name} is not an adapter${key === "" ? "" : ` (it holds, for example, the tensor ${key})`}: choose a LoRA, LoCon, LoHa or LoKr file.`,
      { file: name, key },
    );
  }
  return {
    found: [...modules].map(([name, module]) => ({ name, ...module })),
    misfits: [...unknown.values(), ...strangers.map((name): Misfit => ({ name, reason: "otherKind" }))],
  };
}

const algorithms: readonly NetworkAlgorithm[] = ["LoRA", "LoCon", "LoHa", "LoKr", "full"];

function kindOf(modules: readonly NetworkModule[]): string {
  const has = (algorithm: NetworkAlgorithm): boolean => modules.some((module) => module.algorithm === algorithm);
  // A LoCon is a LoRA of the linears, too.
  const kinds: string[] = algorithms.filter((algorithm) => has(algorithm) && !(algorithm === "LoRA" && has("LoCon")));
  if (modules.some(({ magnitudes }) => magnitudes !== undefined)) kinds.push("DoRA");
  return kinds.join(" + ");
}

/** Cross-attention reads the text encoder's output, whose width tells the families apart. */
function familyOf(modules: readonly NetworkModule[]): NetworkFile["family"] {
  if (modules.some(({ name }) => /^lora_te2_|^lora_unet_(input|output)_blocks_/.test(name))) return "SDXL";
  const width = modules.find(({ name }) => /attn2_to_[kv]$/.test(name))?.width;
  return width === 768 ? "SD1" : width === 1024 ? "SD2" : width === 2048 ? "SDXL" : undefined;
}

function mostFrequent(values: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].reduce((best, entry) => (entry[1] > best[1] ? entry : best), [0, 0])[0];
}
