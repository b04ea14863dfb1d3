/**
 * Full training: the model's own weights are what is trained, in f32. Which of them a graph uses is told by the graph:
 * layers that do not run (text encoder layers behind clip_skip) get no gradients in PyTorch either, and stay as they are.
 */
import { channelsLastStrides, denseStrides } from "./factors.ts";
import { elementCount, type Tensor } from "../gpu/graph/tensor.ts";
import { rateGroup, type RateGroup } from "./rate-groups.ts";
import type { Graph, WeightSource } from "../gpu/graph/graph.ts";
import type { TrainedTensor } from "../gpu/optimizers/trained-tensor.ts";
import type { AdapterProvider, WeightShapes } from "../models/model-builder.ts";
import type { Checkpoint } from "../models/checkpoint-types.ts";
import type { LoraTarget } from "../models/names.ts";

export type Side = LoraTarget["part"];

/** A tensor of PyTorch's inside a resident parameter: all of a checkpoint's tensor, or some of its rows. */
export interface ModelTensor extends TrainedTensor {
  /** The checkpoint's (normalized) key. */
  readonly key: string;
  /** Of that tensor. */
  readonly firstRow: number;
  readonly side: Side;
}

export class TrainedModel implements AdapterProvider {
  /** What is trained at all. */
  readonly sides: readonly Side[];
  readonly maxTableBytes: number;
  readonly #prefixes: Readonly<Record<Side, string>>;
  readonly #width: number;
  readonly #shapes: WeightShapes;
  readonly #tensors = new Map<string, readonly ModelTensor[]>();

  /** @param maxTableBytes what one binding holds */
  constructor(checkpoint: Pick<Checkpoint, "unet" | "textEncoder">, shapes: WeightShapes, sides: readonly Side[], maxTableBytes: number) {
    this.sides = sides;
    this.maxTableBytes = maxTableBytes;
    this.#prefixes = { unet: `${checkpoint.unet.prefix}.`, textEncoder: `${checkpoint.textEncoder.prefix}.` };
    this.#width = checkpoint.textEncoder.width;
    this.#shapes = shapes;
  }

  /** Tensors that graphs have asked for so far. */
  get tensors(): readonly ModelTensor[] {
    return [...this.#tensors.values()].flat();
  }

  get groups(): readonly RateGroup[] {
    return (["textEncoder", "unet"] as const).filter((side) => this.sides.includes(side)).map((side) => rateGroup(side, 1));
  }

  /** The same weights where the sides that are no longer trained only run. */
  restingExcept(trained: readonly Side[]): AdapterProvider {
    return {
      maxTableBytes: this.maxTableBytes,
      adapterFor: () => undefined,
      weightFor: (_, w) => w,
      adapts: (key) => this.adapts(key),
      trainedWeights: (graph, name, shape, source) => {
        const side = this.#sideOf(source.parts[0]?.key ?? "");
        if (side === undefined || trained.includes(side)) return this.trainedWeights(graph, name, shape, source);
        return graph.tensor("weight", shape, "f32", name, `params/${side}`);
      },
    };
  }

  adapterFor(): undefined {
    return undefined;
  }

  weightFor(_: Graph, w: Tensor): Tensor {
    return w;
  }

  /** Time projections that are trained run one by one. */
  adapts(key: string): boolean {
    return this.#sideOf(key) !== undefined;
  }

  trainedWeights(graph: Graph, name: string, shape: readonly number[], source: WeightSource): Tensor | undefined {
    const side = this.#sideOf(source.parts[0]?.key ?? "");
    if (side === undefined) return undefined;
    if (!this.#tensors.has(name)) this.#tensors.set(name, this.#place(name, shape, source, side));
    return graph.trainedWeight(name, shape, side, source);
  }

  #sideOf(key: string): Side | undefined {
    return this.sides.find((side) => key.startsWith(this.#prefixes[side]));
  }

  /** Where the checkpoint's tensors, and of stacked ones PyTorch's, lie in a parameter of this shape. */
  #place(param: string, shape: readonly number[], { parts, layout }: WeightSource, side: Side): ModelTensor[] {
    let offset = 0;
    return parts.flatMap((part) => {
      const stored = this.#shapes.shape(part.key);
      const first = part.rowStart ?? 0;
      const rows = part.rows ?? (stored[0] ?? 1);
      const inside = stored.slice(1);
      // OpenCLIP stacks the biases of q, k and v as it does their weights.
      const pieces = part.key.endsWith(".in_proj_bias") ? rows / this.#width : 1;
      const size = rows / pieces;
      return Array.from({ length: pieces }, (_, i): ModelTensor => {
        const own = [size, ...inside];
        const padded = layout === "oihw" ? [size, shape.at(-1) ?? 1, ...inside.slice(1)] : own;
        const strides = layout === "oihw" ? channelsLastStrides(padded) : denseStrides(own);
        const at = offset;
        offset += elementCount(padded);
        return { param, key: part.key, firstRow: first + i * size, side, offset: at, ...asTrained(part.key, own, strides) };
      });
    });
  }
}

/** sd-scripts builds SD2 with 1×1 convolutions around its transformers, too: four dimensions where the file has two. */
function asTrained(key: string, shape: readonly number[], strides: readonly number[]): Pick<TrainedTensor, "shape" | "strides"> {
  const isProjection = /\.proj_(in|out)\.weight$/.test(key) && shape.length === 2;
  return isProjection ? { shape: [...shape, 1, 1], strides: [...strides, 1, 1] } : { shape, strides };
}
