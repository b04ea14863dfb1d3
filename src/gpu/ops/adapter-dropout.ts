/**
 * Dropout inside adapters, as sd-scripts' networks.lora has it: `network` drops single values of h = x · downT, `rank`
 * whole ranks of a batch entry, `module` the layer for the whole batch. What single values and ranks leave is scaled up
 * by 1 / (1 - rate). It works on h in the forward and on its gradient in the backward, with the same random numbers.
 */
import { RandomSequence, streamNumbers } from "../../random/rng.ts";
import { elementCount, lastDim, type Tensor } from "../graph/tensor.ts";
import { ceilDiv, spread } from "../tier.ts";
import type { KernelCall } from "../graph/lower.ts";
import type { RefTensor } from "../graph/op.ts";
import source from "../kernels/adapter-dropout.wgsl?raw";
import numbersSource from "../kernels/dropout-numbers.wgsl?raw";

/** Rates from 0 up to but not including 1. */
export interface DropoutRates {
  readonly network: number;
  readonly rank: number;
  readonly module: number;
}

export interface DropoutAttrs extends DropoutRates {
  /** Number of the layer: what tells its random numbers from those of others. */
  readonly layer: number;
}

/** A dropout and where its numbers come from. */
export interface AdapterDropout extends DropoutAttrs {
  /** u32 [4]: low and high word of the seed, number of the micro-batch, 0 */
  readonly draw: Tensor;
}

/** Numbers below this are dropped. */
export function dropThreshold(rate: number): number {
  return Math.round(rate * 2 ** 32);
}

function scaleOf({ network, rank }: DropoutRates): number {
  return 1 / (1 - network) / (1 - rank);
}

/**
 * @param h [B, …, groups · r], changed in place
 * @param groups layers side by side, each dropped by itself
 */
export function dropoutCall(h: Tensor, draw: Tensor, groups: number, attrs: DropoutAttrs): KernelCall {
  const width4 = lastDim(h) / 4;
  const rows = elementCount(h.shape) / lastDim(h);
  const { network, rank, module, layer } = attrs;
  return {
    kernel: { name: "adapter-dropout", source: `${numbersSource}\n${source}` },
    defines: {
      NETWORK: network > 0,
      RANK: rank > 0,
      MODULE: module > 0,
      NETWORK_STREAM: streamNumbers.networkDropout,
      RANK_STREAM: streamNumbers.rankDropout,
      MODULE_STREAM: streamNumbers.moduleDropout,
    },
    bindings: { draw, h },
    params: {
      rows,
      sampleRows: rows / (h.shape[0] ?? 1),
      width4,
      rank4: width4 / groups,
      layer,
      scale: scaleOf(attrs),
      networkBelow: dropThreshold(network),
      rankBelow: dropThreshold(rank),
      moduleBelow: dropThreshold(module),
    },
    grid: spread(ceilDiv(rows * width4, 64)),
  };
}

/** Drops from h in float64. @param batch entries of h */
export function dropReference(h: Float64Array, width: number, batch: number, draw: RefTensor, groups: number, attrs: DropoutAttrs): void {
  const [low = 0, high = 0, microBatch = 0] = draw.data;
  const numbers = (stream: keyof typeof streamNumbers, count: number): number[] => {
    const sequence = new RandomSequence(low + high * 2 ** 32, stream, microBatch + attrs.layer * 2 ** 32);
    return Array.from({ length: count }, () => sequence.uint32());
  };
  const single = numbers("networkDropout", attrs.network > 0 ? h.length : 0);
  const ranks = numbers("rankDropout", attrs.rank > 0 ? batch * width : 0);
  const modules = numbers("moduleDropout", attrs.module > 0 ? groups : 0);
  const drops = (number: number | undefined, rate: number): boolean => number !== undefined && number < dropThreshold(rate);
  h.forEach((value, i) => {
    const entry = Math.floor(i / (h.length / batch));
    const column = i % width;
    const isDropped =
      drops(single[i], attrs.network) ||
      drops(ranks[entry * width + column], attrs.rank) ||
      drops(modules[Math.floor(column / (width / groups))], attrs.module);
    h[i] = isDropped ? 0 : value * scaleOf(attrs);
  });
}
