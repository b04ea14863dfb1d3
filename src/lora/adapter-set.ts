/**
 * The trainable adapter of a run: which layers are adapted, where their factors live in the parameter pools, and how
 * graphs use them.
 *
 * A plain LoRA runs factored: y = Wx + (alpha / rank) · up · down · x. Linears that run as one (q, k, v) have their downs
 * and ups stacked in one tensor each. Other modules (LyCORIS) are rebuilt to a weight in every step, as LyCORIS does.
 */
import { InputError, invariant } from "../errors.ts";
import { adaptedWeight } from "../gpu/ops/adapted-weight.ts";
import { decompose, type Magnitudes } from "../gpu/ops/decompose.ts";
import { downKey, downWidth, loraFactors, paddedRank, upKey } from "./lora-factors.ts";
import { kroneckerCut, lycorisFactors, magnitudeKey, usesTucker, type LycorisSettings } from "./lycoris-factors.ts";
import { moduleDelta } from "./lycoris-delta.ts";
import type { Graph } from "../gpu/graph/graph.ts";
import type { Tensor } from "../gpu/graph/tensor.ts";
import type { DropoutRates } from "../gpu/ops/adapter-dropout.ts";
import type { TrainedTensor } from "../gpu/optimizers/trained-tensor.ts";
import type { AdapterProvider, LinearAdapter, WeightPart } from "../models/model-builder.ts";
import type { LoraTarget } from "../models/names.ts";
import type { Factor } from "./factors.ts";

export interface AdapterSettings {
  /** network_dim */
  readonly rank: number;
  /** network_alpha; 0 means alpha = rank, as in sd-scripts. */
  readonly alpha: number;
  /** conv_dim and conv_alpha, for 3×3 convolutions among the targets. */
  readonly conv?: { readonly rank: number; readonly alpha: number };
  /** What is dropped while training; absent means nothing. */
  readonly dropout?: DropoutRates;
  /** Modules are LyCORIS's. */
  readonly lycoris?: LycorisSettings;
  /** Sides that have an adapter and are trained. */
  readonly trains: { readonly unet: boolean; readonly textEncoder: boolean };
}

/** Resident name of what a micro-batch's dropout is drawn from. */
export const dropoutDraw = "dropout/draw";

export type ParamGroup = "unet" | "textEncoder";

export interface AdapterTarget extends LoraTarget {
  readonly rank: number;
  /** As files hold it: what the module adds is multiplied by alpha / rank. */
  readonly alpha: number;
  /** In the order of files. */
  readonly factors: readonly Factor[];
}

/** A factor inside a resident parameter. */
export interface PlacedFactor extends Factor, TrainedTensor {}

/** One kohya module and the places of its factors on the GPU. */
export interface AdapterModule {
  readonly target: AdapterTarget;
  readonly group: ParamGroup;
  readonly factors: readonly PlacedFactor[];
}

export class AdapterSet implements AdapterProvider {
  readonly settings: AdapterSettings;
  /** All targets of the trained sides, in sd-scripts' order. */
  readonly targets: readonly AdapterTarget[];
  readonly #byWeight: ReadonlyMap<string, AdapterTarget>;
  readonly #modules = new Map<string, AdapterModule>();

  constructor(targets: readonly LoraTarget[], settings: AdapterSettings) {
    if (!Number.isInteger(settings.rank) || settings.rank < 1) {
      throw new InputError("config.network_dim", `network_dim must be a whole number of at least 1, not ${settings.rank}`, {
        value: settings.rank,
      });
    }
    this.settings = settings;
    this.targets = targets.filter(({ part }) => settings.trains[part]).map((target) => {
      const { rank, alpha } = target.kernel === 1 ? settings : (settings.conv ?? settings);
      const isRebuilt = this.#isRebuilt(target);
      const factors = isRebuilt ? lycorisFactors(target, rank, settings.lycoris!) : loraFactors(target, rank);
      return { ...target, rank, alpha: fileAlpha(target, rank, alpha === 0 ? rank : alpha, settings.lycoris), factors };
    });
    this.#byWeight = new Map(this.targets.map((target) => [`${target.weight.key}@${target.weight.rowStart}`, target]));
  }

  /** Modules that graphs have asked for so far. */
  get modules(): readonly AdapterModule[] {
    return this.targets.flatMap((target) => this.#modules.get(target.name) ?? []);
  }

  /** The factors as PyTorch has them, inside the padded and stacked tensors. */
  get tensors(): readonly TrainedTensor[] {
    return this.modules.flatMap(({ factors }) => factors);
  }

  /** Groups with at least one module, in sd-scripts' order of parameter groups. */
  get groups(): readonly ParamGroup[] {
    return (["textEncoder", "unet"] as const).filter((group) => this.targets.some(({ part }) => part === group));
  }

  /** The same adapters for graphs of training, where dropout acts. */
  get training(): AdapterProvider {
    const { dropout } = this.settings;
    if (dropout === undefined) return this;
    const drawFor = (graph: Graph): Tensor => graph.input(dropoutDraw, [4], { dtype: "u32" });
    return {
      adapts: (key) => this.adapts(key),
      weightFor: (graph, w, parts) => this.#weight(graph, w, parts, drawFor),
      adapterFor: (graph, parts, inWidth, outWidth) => {
        const adapter = this.adapterFor(graph, parts, inWidth, outWidth);
        const first = this.#targetOf(parts[0]);
        if (adapter === undefined || first === undefined) return undefined;
        return { ...adapter, dropout: { ...dropout, layer: this.targets.indexOf(first), draw: drawFor(graph) } };
      },
    };
  }

  adapts(key: string): boolean {
    return this.#byWeight.has(`${key}@0`);
  }

  weightFor(graph: Graph, w: Tensor, parts: readonly WeightPart[]): Tensor {
    return this.#weight(graph, w, parts);
  }

  adapterFor(graph: Graph, parts: readonly WeightPart[], inWidth: number, outWidth: number): LinearAdapter | undefined {
    const targets = this.#targetsOf(parts);
    const [first] = targets;
    if (first === undefined || this.#isRebuilt(first)) return undefined;
    const { kernel } = first;
    const rank = paddedRank(first.rank);
    const rows = outWidth / parts.length;
    const name = targets.map((target) => target.name).join("+");
    const taps = kernel === 1 ? [] : [kernel, kernel];
    const down = graph.param(`${name}/down`, [parts.length * rank, ...taps, inWidth], first.part);
    const up = graph.param(`${name}/up`, [outWidth, rank], first.part);
    targets.forEach((target, i) => {
      invariant(target.in === inWidth && target.out === rows, `${name}: parts of different shape`);
      const places = new Map([
        [downKey, { param: down.value.name, offset: i * rank * downWidth(target) }],
        [upKey, { param: up.value.name, offset: i * rows * rank }],
      ]);
      const factors = target.factors.map((factor) => ({ ...factor, ...places.get(factor.key)! }));
      this.#modules.set(target.name, { target, group: target.part, factors });
    });
    return { down: down.value, up: up.value, scale: first.alpha / first.rank, groups: parts.length };
  }

  /** The layer's weight with what rebuilt modules add to it. */
  #weight(graph: Graph, w: Tensor, parts: readonly WeightPart[], drawFor?: (graph: Graph) => Tensor): Tensor {
    const targets = this.#targetsOf(parts);
    const { lycoris, dropout } = this.settings;
    const [first] = targets;
    if (lycoris === undefined || first === undefined || !this.#isRebuilt(first)) return w;
    const magnitudes: Magnitudes[] = [];
    const drops = drawFor !== undefined && dropout !== undefined;
    const deltas = targets.map((target) => {
      const factors = this.#place(graph, target);
      const magnitude = factors.get(magnitudeKey);
      const delta = moduleDelta(graph, target, target.rank, lycoris, factors);
      const rates = drops ? { rank: dropout.rank, module: dropout.module, layer: this.targets.indexOf(target), scales: lycoris.scalesDropout } : undefined;
      if (magnitude !== undefined) magnitudes.push({ tensor: magnitude, rows: target.out, dropout: rates });
      return { ...delta, rows: target.out, scale: target.alpha / target.rank, dropout: rates };
    });
    const draw = drops ? drawFor(graph) : undefined;
    const adapted = adaptedWeight(graph, w, deltas, draw);
    return magnitudes.length === 0 ? adapted : decompose(graph, adapted, magnitudes, lycoris.decompose === "in", draw);
  }

  /** Factors of a rebuilt module by key, each a parameter of its own. */
  #place(graph: Graph, target: AdapterTarget): Map<string, Tensor> {
    const tensors = new Map<string, Tensor>();
    const factors = target.factors.map((factor) => {
      const rows = factor.rows ?? factor.shape[0] ?? 1;
      const { value } = graph.param(`${target.name}/${factor.key}`, [rows, factor.size / rows], target.part);
      tensors.set(factor.key, value);
      return { ...factor, param: value.name, offset: 0 };
    });
    this.#modules.set(target.name, { target, group: target.part, factors });
    return tensors;
  }

  #targetOf(part: WeightPart | undefined): AdapterTarget | undefined {
    return part && this.#byWeight.get(`${part.key}@${part.rowStart ?? 0}`);
  }

  /** Targets of a layer's parts; none where the layer is not adapted. */
  #targetsOf(parts: readonly WeightPart[]): AdapterTarget[] {
    const targets = parts.flatMap((part) => this.#targetOf(part) ?? []);
    invariant(targets.length === 0 || targets.length === parts.length, `${parts[0]?.key ?? ""}: stacked with an untrained linear`);
    return targets;
  }

  /** Whether a module's weight is made anew in every step; a LyCORIS LoCon without extras is the same as sd-scripts' and runs as that. */
  #isRebuilt(target: LoraTarget): boolean {
    const { lycoris, dropout } = this.settings;
    if (lycoris === undefined) return false;
    const { algorithm, scalar, decompose: byDirection } = lycoris;
    return algorithm !== "locon" || scalar || byDirection !== undefined || usesTucker(target, lycoris) || (dropout?.rank ?? 0) > 0;
  }
}

/** What files call alpha: loaders multiply by alpha / rank whatever the run did. */
function fileAlpha(target: LoraTarget, rank: number, alpha: number, lycoris: LycorisSettings | undefined): number {
  if (lycoris === undefined) return alpha;
  if (lycoris.algorithm === "lokr") {
    const { splitsLeft, splitsRight } = kroneckerCut(target, rank, lycoris);
    if (!splitsLeft && !splitsRight) return rank;
  }
  return lycoris.rankStabilized ? alpha * Math.sqrt(rank) : alpha;
}
