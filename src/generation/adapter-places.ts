/** Where a model's layers lie among the weights on the GPU: several layers may be stacked in one tensor. */
import type { WeightSource } from "../gpu/graph/graph.ts";
import type { Tensor } from "../gpu/graph/tensor.ts";
import { tapsOf } from "../lora/network-match.ts";
import type { WeightShapes } from "../models/model-builder.ts";
import type { ModuleName } from "../models/names.ts";

/** A layer's rows of a tensor, and how they are laid out: [rows][kernel position][channel, padded]. */
export interface LayerPlace {
  readonly tensor: Tensor;
  readonly rowStart: number;
  readonly rows: number;
  readonly taps: number;
  readonly channels: number;
  readonly paddedChannels: number;
}

interface StoredPart {
  readonly tensor: Tensor;
  readonly layout: WeightSource["layout"];
  /** Rows of the checkpoint's weight, and where they begin in the tensor. */
  readonly first: number;
  readonly rows: number;
  readonly at: number;
}

export class WeightPlaces {
  readonly #parts = new Map<string, StoredPart[]>();

  /** @param weights of all graphs that run; shapes are the checkpoint's */
  constructor(weights: ReadonlyMap<Tensor, WeightSource>, shapes: WeightShapes) {
    const seen = new Set<string>();
    for (const [tensor, { parts, layout }] of weights) {
      if (tensor.dtype !== "f16" || seen.has(tensor.name)) continue;
      seen.add(tensor.name);
      let at = 0;
      for (const { key, rowStart = 0, rows = (shapes.shape(key)[0] ?? 0) - rowStart } of parts) {
        const known = this.#parts.get(key) ?? [];
        known.push({ tensor, layout, first: rowStart, rows, at });
        this.#parts.set(key, known);
        at += rows;
      }
    }
  }

  /** Empty where no graph uses the layer (those that clip skip leaves out). */
  of(target: ModuleName): LayerPlace[] {
    const { weightKey, rowStart, out, in: channels } = target;
    return (this.#parts.get(weightKey) ?? [])
      .filter(({ first, rows }) => first <= rowStart && rowStart + out <= first + rows)
      .map(({ tensor, layout, first, at }) => ({
        tensor,
        rowStart: at + rowStart - first,
        rows: out,
        taps: tapsOf(target),
        channels,
        paddedChannels: layout === "oihw" ? Math.ceil(channels / 4) * 4 : channels,
      }));
  }
}
