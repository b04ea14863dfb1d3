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
import type { NormedModule } from "../gpu/optimizers/max-norm.ts";
import type { TrainedTensor } from "../gpu/optimizers/trained-tensor.ts";
import type { AdapterProvider, LinearAdapter, WeightPart } from "../models/model-builder.ts";
import type { LoraTarget } from "../models/names.ts";
import { rateGroup, type RateGroup, type RateRatios } from "./rate-groups.ts";
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
  /** Rank and alpha of single modules in place of those above; without a rank a module has no adapter. */
  readonly rankOf?: (target: LoraTarget) => { readonly rank: number; readonly alpha: number } | undefined;
  /** Where modules or factors learn at other rates than their side. */
  readonly ratiosOf?: (target: LoraTarget) => RateRatios;
  /** Sides that have an adapter and are trained. */
  readonly trains: { readonly unet: boolean; readonly textEncoder: boolean };
}

/** Resident name of what a micro-batch's dropout is drawn from. */
export const dropoutDraw = "dropout/draw";

export interface AdapterTarget extends LoraTarget {
  readonly rank: number;
  /** As files hold it: what the module adds is multiplied by alpha / rank. */
  readonly alpha: number;
  /** In the order of files. */
  readonly factors: readonly Factor[];
}

/** A factor inside a resident parameter. */
export interface PlacedFactor extends Factor, TrainedTensor {
  /** Name of the rate group. */
  readonly group: string;
}

/** One kohya module and the places of its factors on the GPU. */
export interface AdapterModule {
  readonly target: AdapterTarget;
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
    this.targets = targets.filter(({ part }) => settings.trains[part]).flatMap((target) => {
      const ranked = settings.rankOf === undefined ? (target.kernel === 1 ? settings : (settings.conv ?? settings)) : settings.rankOf(target);
      if (ranked === undefined || ranked.rank === 0) return [];
      const { rank, alpha } = ranked;
      const isRebuilt = this.#isRebuilt(target);
      const factors = isRebuilt ? lycorisFactors(target, rank, settings.lycoris!) : loraFactors(target, rank);
      return [{ ...target, rank, alpha: fileAlpha(target, rank, alpha === 0 ? rank : alpha, settings.lycoris), factors }];
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

  /** What a limit of norms looks at. */
  get normed(): readonly NormedModule[] {
    return this.modules.map(({ target: { name, alpha, rank }, factors }) => {
      const [down, up] = [factors.find(({ key }) => key === downKey), factors.find(({ key }) => key === upKey)];
      invariant(down !== undefined && up !== undefined && factors.length === 2, `${name} is no plain LoRA`);
      return { down, up, scale: alpha / rank };
    });
  }

  /** Groups with at least one module, in sd-scripts' order of parameter groups. */
  get groups(): readonly RateGroup[] {
    const groups = new Map<string, RateGroup>();
    for (const side of ["textEncoder", "unet"] as const) {
      for (const target of this.targets.filter(({ part }) => part === side)) {
        for (const { key } of target.factors) groups.set(this.#groupOf(target, key).name, this.#groupOf(target, key));
      }
    }
    return [...groups.values()];
  }

  #groupOf(target: LoraTarget, key: string): RateGroup {
    const ratios = this.settings.ratiosOf?.(target);
    return rateGroup(target.part, ratios === undefined ? 1 : key === upKey ? ratios.up : ratios.other);
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
        const [first] = parts.flatMap((part) => this.#targetOf(part) ?? []);
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
    // A part may have no module of its own: its rows stay zero.
    const places = parts.flatMap((part, i) => {
      const target = this.#targetOf(part);
      return target === undefined ? [] : [{ target, i }];
    });
    const targets = places.map(({ target }) => target);
    const [first] = targets;
    if (first === undefined || this.#isRebuilt(first)) return undefined;
    const { kernel } = first;
    const rank = paddedRank(Math.max(...targets.map((target) => target.rank)));
    const scale = first.alpha / first.rank;
    checkScale(targets, scale);
    const rows = outWidth / parts.length;
    const name = targets.map((target) => target.name).join("+");
    const taps = kernel === 1 ? [] : [kernel, kernel];
    const [downGroup, upGroup] = [this.#groupOf(first, downKey).name, this.#groupOf(first, upKey).name];
    const down = graph.param(`${name}/down`, [parts.length * rank, ...taps, inWidth], downGroup);
    const up = graph.param(`${name}/up`, [outWidth, rank], upGroup);
    places.forEach(({ target, i }) => {
      invariant(target.in === inWidth && target.out === rows, `${name}: parts of different shape`);
      const [downFactor, upFactor] = loraFactors(target, target.rank, rank);
      const factors = [
        { ...downFactor, param: down.value.name, offset: i * rank * downWidth(target), group: downGroup },
        { ...upFactor, param: up.value.name, offset: i * rows * rank, group: upGroup },
      ];
      this.#modules.set(target.name, { target, factors });
    });
    return { down: down.value, up: up.value, scale, groups: parts.length };
  }

  /** The layer's weight with what rebuilt modules add to it. */
  #weight(graph: Graph, w: Tensor, parts: readonly WeightPart[], drawFor?: (graph: Graph) => Tensor): Tensor {
    const { lycoris, dropout } = this.settings;
    if (lycoris === undefined) return w;
    const targets = this.#targetsOf(parts);
    const [first] = targets;
    if (first === undefined || !this.#isRebuilt(first)) return w;
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
      const group = this.#groupOf(target, factor.key).name;
      const { value } = graph.param(`${target.name}/${factor.key}`, [rows, factor.size / rows], group);
      tensors.set(factor.key, value);
      return { ...factor, param: value.name, offset: 0, group };
    });
    this.#modules.set(target.name, { target, factors });
    return tensors;
  }

  #targetOf(part: WeightPart): AdapterTarget | undefined {
    return this.#byWeight.get(`${part.key}@${part.rowStart ?? 0}`);
  }

  /** Targets of a layer's parts; none where the layer is not adapted. */
  #targetsOf(parts: readonly WeightPart[]): AdapterTarget[] {
    const targets = parts.flatMap((part) => this.#targetOf(part) ?? []);
    if (targets.length > 0 && targets.length < parts.length) throw partialStack(targets);
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

/** Rebuilt modules of layers that run as one are rebuilt as one. */
function partialStack([first]: readonly AdapterTarget[]): InputError {
  const name = first?.name ?? "";
  const message = `${name} has an adapter in the file, and a layer beside it (q, k and v of one attention) has none, which cannot be trained here: choose a file with all of them, or turn off dim_from_weights.`;
  return new InputError("adapter.partialStack", message, { module: name });
}

/** Layers that run as one are scaled as one. */
function checkScale(targets: readonly AdapterTarget[], scale: number): void {
  const odd = targets.find(({ alpha, rank }) => Math.abs(alpha / rank - scale) > 1e-6 * Math.abs(scale));
  if (odd === undefined) return;
  const { name } = odd;
  throw new InputError(
    "adapter.unequalScale",
    `${name} has another ratio of alpha to rank than the layers beside it (q, k and v of one attention), which cannot be trained here: turn off dim_from_weights, or choose a file whose layers have one ratio.`,
    { module: name },
  );
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
