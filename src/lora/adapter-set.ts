/**
 * The trainable LoRA of a run: which layers are adapted, where their factors live in the parameter pools, how they
 * start, and how they come back out as kohya modules.
 *
 * down is the paper's A [rank, in], up is B [out, rank]; y = Wx + (alpha / rank) · up · down · x. Beside a 3×3
 * convolution down is one, too: [rank, in, 3, 3] in files, [rank, 3, 3, in] on the GPU.
 * On the GPU ranks are padded to a multiple of 4 with zeros, which stay zero under every optimizer; linears that run
 * as one (q, k, v) have their downs and ups stacked in one tensor each.
 */
import { InputError, invariant } from "../errors.ts";
import type { Graph } from "../gpu/graph/graph.ts";
import type { DropoutRates } from "../gpu/ops/adapter-dropout.ts";
import type { AdapterProvider, LinearAdapter, WeightPart } from "../models/model-builder.ts";
import type { LoraTarget } from "../models/names.ts";
import type { TrainedTensor } from "../gpu/optimizers/trained-tensor.ts";

export interface AdapterSettings {
  /** network_dim */
  readonly rank: number;
  /** network_alpha; 0 means alpha = rank, as in sd-scripts. */
  readonly alpha: number;
  /** conv_dim and conv_alpha, for 3×3 convolutions among the targets. */
  readonly conv?: { readonly rank: number; readonly alpha: number };
  /** What is dropped while training; absent means nothing. */
  readonly dropout?: DropoutRates;
  /** Sides that have an adapter and are trained. */
  readonly trains: { readonly unet: boolean; readonly textEncoder: boolean };
}

/** Resident name of what a micro-batch's dropout is drawn from. */
export const dropoutDraw = "dropout/draw";

export type ParamGroup = "unet" | "textEncoder";

export interface AdapterTarget extends LoraTarget {
  readonly rank: number;
  readonly alpha: number;
}

/** One kohya module and its place in the stacked GPU tensors. */
export interface AdapterModule {
  readonly target: AdapterTarget;
  readonly group: ParamGroup;
  /** Resident names. */
  readonly downTensor: string;
  readonly upTensor: string;
  /** Elements from the start of the tensors to this module's down [padded rank × down width] and up [out × padded rank]. */
  readonly downOffset: number;
  readonly upOffset: number;
  /** Rank on the GPU. */
  readonly paddedRank: number;
}

/** Factors of one module as files hold them. */
export interface ModuleWeights {
  /** [rank, in] or [rank, in, 3, 3] */
  readonly down: Float32Array<ArrayBuffer>;
  /** [out, rank] */
  readonly up: Float32Array<ArrayBuffer>;
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
      return { ...target, rank, alpha: alpha === 0 ? rank : alpha };
    });
    this.#byWeight = new Map(this.targets.map((target) => [`${target.weight.key}@${target.weight.rowStart}`, target]));
  }

  /** Modules that graphs have asked for so far. */
  get modules(): readonly AdapterModule[] {
    return this.targets.flatMap((target) => this.#modules.get(target.name) ?? []);
  }

  /** The factors as PyTorch has them, inside the padded and stacked tensors. */
  get tensors(): readonly TrainedTensor[] {
    return this.modules.flatMap(({ target, downTensor, upTensor, downOffset, upOffset, paddedRank }): TrainedTensor[] => {
      const { in: width, out, rank, kernel, fileRank } = target;
      // A convolution's factors have four dimensions, and rules about matrices mean the last two.
      const taps = fileRank === 4 ? [kernel, kernel] : [];
      const steps = fileRank === 4 ? [kernel * width, width] : [];
      const ones = taps.map(() => 1);
      return [
        { param: downTensor, shape: [rank, width, ...taps], offset: downOffset, strides: [downWidth(target), 1, ...steps] },
        { param: upTensor, shape: [out, rank, ...ones], offset: upOffset, strides: [paddedRank, 1, ...ones] },
      ];
    });
  }

  /** Groups with at least one module, in sd-scripts' order of parameter groups. */
  get groups(): readonly ParamGroup[] {
    return (["textEncoder", "unet"] as const).filter((group) => this.targets.some(({ part }) => part === group));
  }

  /** The same adapters for graphs of training, where dropout acts. */
  get training(): AdapterProvider {
    const { dropout } = this.settings;
    if (dropout === undefined) return this;
    return {
      adapts: (key) => this.adapts(key),
      adapterFor: (graph, parts, inWidth, outWidth) => {
        const adapter = this.adapterFor(graph, parts, inWidth, outWidth);
        const first = this.#byWeight.get(`${parts[0]?.key ?? ""}@${parts[0]?.rowStart ?? 0}`);
        if (adapter === undefined || first === undefined) return undefined;
        const draw = graph.input(dropoutDraw, [4], { dtype: "u32" });
        return { ...adapter, dropout: { ...dropout, layer: this.targets.indexOf(first), draw } };
      },
    };
  }

  adapts(key: string): boolean {
    return this.#byWeight.has(`${key}@0`);
  }

  adapterFor(graph: Graph, parts: readonly WeightPart[], inWidth: number, outWidth: number): LinearAdapter | undefined {
    const targets = parts.map((part) => this.#byWeight.get(`${part.key}@${part.rowStart ?? 0}`));
    const [first] = targets;
    if (first === undefined) {
      invariant(targets.every((target) => target === undefined), `${parts[0]?.key ?? ""}: stacked with an untrained linear`);
      return undefined;
    }
    const { kernel } = first;
    const rank = Math.ceil(first.rank / 4) * 4;
    const rows = outWidth / parts.length;
    const name = targets.map((target) => target?.name ?? "").join("+");
    const taps = kernel === 1 ? [] : [kernel, kernel];
    const down = graph.param(`${name}/down`, [parts.length * rank, ...taps, inWidth], first.part);
    const up = graph.param(`${name}/up`, [outWidth, rank], first.part);
    targets.forEach((target, i) => {
      invariant(target !== undefined && target.in === inWidth && target.out === rows, `${name}: parts of different shape`);
      this.#modules.set(target.name, {
        target,
        group: target.part,
        downTensor: down.value.name,
        upTensor: up.value.name,
        downOffset: i * rank * downWidth(target),
        upOffset: i * rows * rank,
        paddedRank: rank,
      });
    });
    return { down: down.value, up: up.value, scale: first.alpha / first.rank, groups: parts.length };
  }
}

/** Elements of a module's factors on the GPU. */
export function gpuSize({ target, paddedRank }: AdapterModule): { readonly down: number; readonly up: number } {
  return { down: paddedRank * downWidth(target), up: target.out * paddedRank };
}

/** A module's factors as they lie on the GPU. */
export function toGpu({ target, paddedRank }: AdapterModule, { down, up }: ModuleWeights): ModuleWeights {
  const { rank, out, in: width } = target;
  const row = downWidth(target);
  invariant(down.length === rank * row && up.length === out * rank, `${target.name}: wrong factor sizes`);
  const gpuDown = new Float32Array(paddedRank * row);
  eachTap(target, (i, tap, c) => (gpuDown[i * row + tap * width + c] = down[i * row + (c * row) / width + tap]!));
  const gpuUp = new Float32Array(out * paddedRank);
  for (let o = 0; o < out; o++) gpuUp.set(up.subarray(o * rank, (o + 1) * rank), o * paddedRank);
  return { down: gpuDown, up: gpuUp };
}

/** A module's factors as files hold them, from what lies on the GPU. */
export function fromGpu({ target, paddedRank }: AdapterModule, { down, up }: ModuleWeights): ModuleWeights {
  const { rank, out, in: width } = target;
  const row = downWidth(target);
  const fileDown = new Float32Array(rank * row);
  eachTap(target, (i, tap, c) => (fileDown[i * row + (c * row) / width + tap] = down[i * row + tap * width + c]!));
  const fileUp = new Float32Array(out * rank);
  for (let o = 0; o < out; o++) fileUp.set(up.subarray(o * paddedRank, o * paddedRank + rank), o * rank);
  return { down: fileDown, up: fileUp };
}

/** Elements of one row of a module's down. */
export function downWidth(target: Pick<LoraTarget, "in" | "kernel">): number {
  return target.in * target.kernel ** 2;
}

function eachTap(target: AdapterTarget, visit: (row: number, tap: number, channel: number) => void): void {
  for (let i = 0; i < target.rank; i++) {
    for (let tap = 0; tap < target.kernel ** 2; tap++) {
      for (let c = 0; c < target.in; c++) visit(i, tap, c);
    }
  }
}
