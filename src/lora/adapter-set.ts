/**
 * The trainable LoRA of a run: which linears are adapted, where their factors live in the parameter pools, how they
 * start, and how they come back out as kohya modules.
 *
 * down is the paper's A [rank, in], up is B [out, rank]; y = Wx + (alpha / rank) · up · down · x.
 * On the GPU ranks are padded to a multiple of 4 with zeros, which stay zero under every optimizer; linears that run
 * as one (q, k, v) have their downs and ups stacked in one tensor each.
 */
import { InputError, invariant } from "../errors.ts";
import type { Graph } from "../gpu/graph/graph.ts";
import type { AdapterProvider, LinearAdapter, WeightPart } from "../models/model-builder.ts";
import type { LoraTarget } from "../models/names.ts";
import type { TrainedTensor } from "../gpu/optimizers/trained-tensor.ts";

export interface AdapterSettings {
  /** network_dim */
  readonly rank: number;
  /** network_alpha; 0 means alpha = rank, as in sd-scripts. */
  readonly alpha: number;
  /** Sides that have an adapter and are trained. */
  readonly trains: { readonly unet: boolean; readonly textEncoder: boolean };
}

export type ParamGroup = "unet" | "textEncoder";

/** One kohya module and its place in the stacked GPU tensors. */
export interface AdapterModule {
  readonly target: LoraTarget;
  readonly group: ParamGroup;
  /** Resident names. */
  readonly downTensor: string;
  readonly upTensor: string;
  /** First row of this module's down [paddedRank rows × in] and up [out rows × paddedRank] in them. */
  readonly downRow: number;
  readonly upRow: number;
}

/** Factors of one module as files hold them. */
export interface ModuleWeights {
  /** [rank, in] */
  readonly down: Float32Array<ArrayBuffer>;
  /** [out, rank] */
  readonly up: Float32Array<ArrayBuffer>;
}

export class AdapterSet implements AdapterProvider {
  readonly settings: AdapterSettings;
  /** All targets of the trained sides, in sd-scripts' order. */
  readonly targets: readonly LoraTarget[];
  readonly #byWeight: ReadonlyMap<string, LoraTarget>;
  readonly #modules = new Map<string, AdapterModule>();

  constructor(targets: readonly LoraTarget[], settings: AdapterSettings) {
    if (!Number.isInteger(settings.rank) || settings.rank < 1) {
      throw new InputError("config.network_dim", `network_dim must be a whole number of at least 1, not ${settings.rank}`, {
        value: settings.rank,
      });
    }
    this.settings = settings;
    this.targets = targets.filter(({ part }) => settings.trains[part]);
    this.#byWeight = new Map(this.targets.map((target) => [`${target.weight.key}@${target.weight.rowStart}`, target]));
  }

  get scale(): number {
    return this.alpha / this.settings.rank;
  }

  get alpha(): number {
    return this.settings.alpha === 0 ? this.settings.rank : this.settings.alpha;
  }

  get paddedRank(): number {
    return Math.ceil(this.settings.rank / 4) * 4;
  }

  /** Modules that graphs have asked for so far. */
  get modules(): readonly AdapterModule[] {
    return this.targets.flatMap((target) => this.#modules.get(target.name) ?? []);
  }

  /** The factors as PyTorch has them, inside the padded and stacked tensors. */
  get tensors(): readonly TrainedTensor[] {
    const { rank } = this.settings;
    return this.modules.flatMap(({ target, downTensor, upTensor, downRow, upRow }): TrainedTensor[] => {
      // A 1×1 convolution's factors have four dimensions, and rules about matrices mean the last two.
      const kernel = target.fileRank === 4 ? [1, 1] : [];
      const padded = this.paddedRank;
      return [
        { param: downTensor, shape: [rank, target.in, ...kernel], offset: downRow * target.in, strides: [target.in, 1, ...kernel] },
        { param: upTensor, shape: [target.out, rank, ...kernel], offset: upRow * padded, strides: [padded, 1, ...kernel] },
      ];
    });
  }

  /** Groups with at least one module, in sd-scripts' order of parameter groups. */
  get groups(): readonly ParamGroup[] {
    return (["textEncoder", "unet"] as const).filter((group) => this.targets.some(({ part }) => part === group));
  }

  adapterFor(graph: Graph, parts: readonly WeightPart[], inWidth: number, outWidth: number): LinearAdapter | undefined {
    const targets = parts.map((part) => this.#byWeight.get(`${part.key}@${part.rowStart ?? 0}`));
    const [first] = targets;
    if (first === undefined) {
      invariant(targets.every((target) => target === undefined), `${parts[0]?.key ?? ""}: stacked with an untrained linear`);
      return undefined;
    }
    const rank = this.paddedRank;
    const rows = outWidth / parts.length;
    const name = targets.map((target) => target?.name ?? "").join("+");
    const down = graph.param(`${name}/down`, [parts.length * rank, inWidth], first.part);
    const up = graph.param(`${name}/up`, [outWidth, rank], first.part);
    targets.forEach((target, i) => {
      invariant(target !== undefined && target.in === inWidth && target.out === rows, `${name}: parts of different shape`);
      this.#modules.set(target.name, {
        target,
        group: target.part,
        downTensor: down.value.name,
        upTensor: up.value.name,
        downRow: i * rank,
        upRow: i * rows,
      });
    });
    return { down: down.value, up: up.value, scale: this.scale, groups: parts.length };
  }

  /** Padded GPU rows of a module's factors. */
  pad(module: AdapterModule, { down, up }: ModuleWeights): ModuleWeights {
    const { rank } = this.settings;
    const { in: width, out } = module.target;
    const padded = this.paddedRank;
    invariant(down.length === rank * width && up.length === out * rank, `${module.target.name}: wrong factor sizes`);
    const gpuDown = new Float32Array(padded * width);
    gpuDown.set(down);
    const gpuUp = new Float32Array(out * padded);
    for (let row = 0; row < out; row++) gpuUp.set(up.subarray(row * rank, (row + 1) * rank), row * padded);
    return { down: gpuDown, up: gpuUp };
  }

  /** Takes the padding off again. Arguments are the module's rows of the stacked tensors. */
  unpad(module: AdapterModule, { down, up }: ModuleWeights): ModuleWeights {
    const { rank } = this.settings;
    const { in: width, out } = module.target;
    const padded = this.paddedRank;
    const fileUp = new Float32Array(out * rank);
    for (let row = 0; row < out; row++) fileUp.set(up.subarray(row * padded, row * padded + rank), row * rank);
    return { down: down.slice(0, rank * width), up: fileUp };
  }
}
