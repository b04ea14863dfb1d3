/**
 * Gradient of a linear's or convolution's weight: dw[o] = sum over rows of dy[o] * x, [out, in], or for every tap the
 * pixels of x that it meets, [out, kh, kw, in]. Layers whose weight is trained itself ask for it, added to the gradients
 * so far, and those whose weight is made of trained factors.
 * Deterministic: many rows are cut into fixed chunks whose sums are added in order.
 */
import { invariant } from "../../errors.ts";
import { dim, elementCount, lastDim, rowCount, type Tensor } from "../graph/tensor.ts";
import { ceilDiv, spread } from "../tier.ts";
import { pickWeightGradVariant } from "../variants.ts";
import { addConvolutionDw, type ConvPlace } from "./conv-reference.ts";
import { convGradParams, loraGradKernel, loraGradSumKernel } from "./lora-grad.ts";
import type { GradientContext } from "../graph/autodiff.ts";
import type { KernelCall, LowerContext } from "../graph/lower.ts";
import type { OpDef, RefMap } from "../graph/op.ts";

interface WeightGradAttrs {
  /** Of the weight. */
  readonly shape: readonly number[];
  /** The layer is a convolution of maps [B, H, W, C]. */
  readonly conv?: ConvPlace | undefined;
}

export const weightGradOp: OpDef<WeightGradAttrs> = {
  kind: "weightGrad",
  outputs: (_, { shape }) => [{ shape }],
  lower: (ctx, attrs) => weightGradCalls(ctx, attrs, ctx.output(), true),
  flops: ({ dy }, { shape }) => 2 * rowCount(dy!) * elementCount(shape),
  reference: (inputs, attrs) => [addWeightGradient(new Float64Array(elementCount(attrs.shape)), inputs, attrs)],
};

/** The same of a weight that is a parameter: added in place. */
const paramGradOp: OpDef<WeightGradAttrs> = {
  kind: "weightGrad",
  outputs: () => [],
  lower: (ctx, attrs) => weightGradCalls(ctx, attrs, ctx.accumulated("grad"), false),
  flops: ({ dy }, { shape }) => 2 * rowCount(dy!) * elementCount(shape),
  reference: (inputs, attrs) => [addWeightGradient(Float64Array.from(inputs["grad"]!.data), inputs, attrs)],
};

function weightGradCalls(ctx: LowerContext, { conv, shape }: WeightGradAttrs, down: Tensor, replaces: boolean): KernelCall[] {
  const x = ctx.input("x");
  const dy = ctx.input("dy");
  const rows = rowCount(dy);
  const rank = lastDim(dy);
  const k = lastDim(x);
  const [, kernelH = 1, kernelW = 1] = conv === undefined ? [] : shape;
  const taps = kernelH * kernelW;
  const unitsOf = (lanes: number, rankTile: number): number => taps * ceilDiv(k, lanes * 4) * (rank / rankTile);
  const { lanes, slices, rankTile, chunkRows } = pickWeightGradVariant(ctx.tier, { rows, rank, unitsOf });
  const chunks = ceilDiv(rows, chunkRows);
  const units = unitsOf(lanes, rankTile);
  const total4 = elementCount(shape) / 4;
  const partials = chunks > 1 ? ctx.scratch([chunks, total4 * 4]) : undefined;
  const flags = { DOWN: true, UP: false, REPLACE: replaces };
  const calls: KernelCall[] = [
    {
      kernel: loraGradKernel,
      defines: { ...flags, CONV: conv !== undefined, LANES: lanes, SLICES: slices, RANK: rankTile, SPLIT: chunks > 1, SLICED: slices > 1 },
      bindings: { x, dh: dy, ...(partials === undefined ? { down } : { partials }) },
      params: {
        rows, chunkRows, chunks, rank4: rank / 4, groups: 1, k4: k / 4, n4: 0, downUnits: units, units, down4: total4, total4,
        ...(conv && { taps, ...convGradParams({ ...conv, kernelW }, x, dy) }),
      },
      grid: spread(units * chunks),
    },
  ];
  if (partials !== undefined) {
    const params = { chunks, down4: total4, total4 };
    calls.push({ kernel: loraGradSumKernel, defines: flags, bindings: { partials, down }, params, grid: spread(ceilDiv(total4, 64)) });
  }
  return calls;
}

function addWeightGradient(dw: Float64Array, { x, dy }: RefMap, { shape, conv }: WeightGradAttrs): Float64Array {
  if (conv !== undefined) {
    addConvolutionDw(dw, [shape[1]!, shape[2]!], x!, dy!, conv);
    return dw;
  }
  const [out = 0, width = 0] = shape;
  for (let m = 0; m < dy!.data.length / out; m++) {
    for (let at = 0; at < dw.length; at++) {
      dw[at] = dw[at]! + dy!.data[m * out + Math.floor(at / width)]! * x!.data[m * width + (at % width)]!;
    }
  }
  return dw;
}

/** Sends a weight that is trained, or that something trained leads to, its gradient. */
export function sendWeightGradient(ctx: GradientContext, x: Tensor, w: Tensor, dy: Tensor, conv?: ConvPlace): void {
  const shape = conv === undefined ? [dim(w, 0), elementCount(w.shape) / dim(w, 0)] : w.shape;
  if (w.role === "param") {
    ctx.accumulateParam(paramGradOp, { x: ctx.saved(x), dy }, { grad: ctx.gradOf("w") }, { shape, conv });
    return;
  }
  const [dw] = ctx.graph.add(weightGradOp, { x: ctx.saved(x), dy }, { shape, conv });
  invariant(dw !== undefined, "weightGrad has an output");
  ctx.contribute("w", dw);
}
