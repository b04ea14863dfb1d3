/**
 * Sums each channel of NHWC maps over the pixels: the gradient of what a convolution adds per batch entry and channel.
 * Deterministic: the slices of a workgroup are summed in order.
 */
import { invariant } from "../../errors.ts";
import { dim, elementCount, lastDim, type Tensor } from "../graph/tensor.ts";
import { ceilDiv, spread, type Tier } from "../tier.ts";
import { pickPixelSumVariant } from "../variants.ts";
import type { Graph } from "../graph/graph.ts";
import type { KernelCall } from "../graph/lower.ts";
import type { OpDef } from "../graph/op.ts";
import source from "../kernels/sum-pixels.wgsl?raw";

export const sumPixelsOp: OpDef<Record<never, never>> = {
  kind: "sumPixels",
  outputs: ({ x }) => [{ shape: [dim(x!, 0), lastDim(x!)] }],
  lower(ctx) {
    const x = ctx.input("x");
    return [sumCall(ctx.tier, x, ctx.output(), { batch: dim(x, 0), columns: lastDim(x), adds: false })];
  },
  reference({ x }) {
    const [batch = 0] = x!.shape;
    const columns = x!.shape.at(-1)!;
    const sums = new Float64Array(batch * columns);
    x!.data.forEach((value, i) => {
      const at = Math.floor(i / (x!.data.length / batch)) * columns + (i % columns);
      sums[at] = sums[at]! + value;
    });
    return [sums];
  },
};

/** Sums over what lies between the batch and the columns of x; `adds`: to what y holds. */
export function sumCall(
  tier: Tier, x: Tensor, y: Tensor, { batch, columns, adds }: { readonly batch: number; readonly columns: number; readonly adds: boolean },
): KernelCall {
  const cols4 = columns / 4;
  invariant(Number.isInteger(cols4), `sumPixels: ${columns} channels are not a multiple of 4`);
  const { lanes, slices } = pickPixelSumVariant(tier);
  const tiles = ceilDiv(cols4, lanes);
  return {
    kernel: { name: "sum-pixels", source },
    defines: { LANES: lanes, SLICES: slices, SLICED: slices > 1, ADD: adds },
    bindings: { x, y },
    params: { batch, pixels: elementCount(x.shape) / (batch * columns), cols4, tiles },
    grid: spread(batch * tiles),
  };
}

/** @param x [B, H, W, C]; C is a multiple of 4 @returns [B, C] */
export function sumPixels(graph: Graph, x: Tensor): Tensor {
  const [y] = graph.add(sumPixelsOp, { x }, {});
  invariant(y !== undefined, "sumPixels has an output");
  return y;
}
