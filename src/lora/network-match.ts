/** Which modules of an adapter file have a place in a model. */
import { InputError } from "../errors.ts";
import type { Checkpoint, TextEncoderConfig } from "../models/checkpoint-types.ts";
import { ModuleIndex, outerModules, type ModuleName } from "../models/names.ts";
import type { Misfit, MisfitReason, NetworkFile, NetworkModule } from "./network-file.ts";

export interface MatchedModule {
  readonly source: NetworkModule;
  /** The model's layer. */
  readonly target: ModuleName;
}

export interface NetworkMatch {
  readonly network: NetworkFile;
  readonly modules: readonly MatchedModule[];
  /** Parts of the file that are not applied, each with the reason. */
  readonly misfits: readonly Misfit[];
}

type Model = Pick<Checkpoint, "unet" | "textEncoder">;

/** Finds every module's layer by name and shape. Throws InputError `lora.nothingFits` if none has a place. */
export function matchNetwork(network: NetworkFile, model: Model): NetworkMatch {
  const index = new ModuleIndex(model);
  const outside = new Map(outerModules(model.unet).map((module) => [module.kohya, module]));
  const modules: MatchedModule[] = [];
  const misfits: Misfit[] = [...network.misfits];
  for (const source of network.modules) {
    const target = index.byKohya(source.name) ?? outside.get(source.name);
    const reason = target === undefined ? "noLayer" : misfit(source, target);
    if (target === undefined || reason !== undefined) misfits.push({ name: source.nameInFile, reason: reason ?? "otherShape" });
    else modules.push({ source, target });
  }
  if (modules.length === 0) throw nothingFits(network, model, misfits);
  return { network, modules, misfits };
}

/** Kernel positions of a layer's weight. */
export function tapsOf(target: Pick<ModuleName, "kind">): number {
  return target.kind === "conv3x3" ? 9 : 1;
}

function misfit({ algorithm, out, width, channels, magnitudes, parts }: NetworkModule, target: ModuleName): MisfitReason | undefined {
  const taps = tapsOf(target);
  const isSame = out === target.out && width === target.in * taps && (channels ?? target.in) === target.in;
  // Input channels are blocks of w2's: a block must not straddle the kernel.
  const blocks = algorithm === "LoKr" ? target.in / kronBlocks(parts) : 1;
  const dora = magnitudes === "in" ? parts.get("dora_scale")?.shape.reduce((a, b) => a * b, 1) : target.in;
  return isSame && Number.isInteger(blocks) && dora === target.in ? undefined : "otherShape";
}

/** Columns of LoKr's first factor. */
function kronBlocks(parts: NetworkModule["parts"]): number {
  return (parts.get("lokr_w1") ?? parts.get("lokr_w1_b"))?.shape[1] ?? 1;
}

function nothingFits(network: NetworkFile, model: Model, misfits: readonly Misfit[]): InputError {
  const family = network.family ?? "?";
  const base = familyOfModel(model.textEncoder);
  const name = misfits[0]?.name ?? "";
  return new InputError(
    "lora.nothingFits",
    `Nothing of ${network.file.source.name} fits this model: the adapter is for ${network.family ?? "an unknown architecture"}, the model is ${base} ` +
      `(${misfits.length} layers without a place, the first is ${name}). Choose an adapter that was made for this kind of model.`,
    { file: network.file.source.name, family, base, layer: name, count: misfits.length },
  );
}

function familyOfModel({ layout }: TextEncoderConfig): "SD1" | "SD2" {
  return layout === "hf" ? "SD1" : "SD2";
}
