/**
 * Gradients of a layer's adapter, added in place: down += dhT * x and, for each stacked layer j, up_j += dy_jT * h_j.
 * Beside a convolution, down [r, kh, kw, in] gets for every tap the pixels of x that it meets.
 * Deterministic: many rows are cut into fixed chunks whose sums are added in order.
 */
import { addConvolutionDw, type ConvPlace } from "./conv-reference.ts";
import { dim, lastDim, rowCount, elementCount, type Tensor } from "../graph/tensor.ts";
import { ceilDiv, spread } from "../tier.ts";
import { pickLoraGradVariant } from "../variants.ts";
import type { GradientContext } from "../graph/autodiff.ts";
import type { KernelCall } from "../graph/lower.ts";
import type { OpDef, RefTensor } from "../graph/op.ts";
import source from "../kernels/lora-grad.wgsl?raw";
import sumSource from "../kernels/lora-grad-sum.wgsl?raw";

export interface LoraGradAttrs {
  /** Which gradients are wanted; down needs x and dh, up needs dy and h. */
  readonly down: boolean;
  readonly up: boolean;
  readonly groups: number;
  /** The layer is a convolution of maps [B, H, W, C]. */
  readonly conv?: ConvPlace & { readonly kernelH: number; readonly kernelW: number };
}

export const loraGradKernel = { name: "lora-grad", source };
export const loraGradSumKernel = { name: "lora-grad-sum", source: sumSource };

export const loraGradOp: OpDef<LoraGradAttrs> = {
  kind: "loraGrad",
  outputs: () => [],
  lower(ctx, { down: wantsDown, up: wantsUp, groups, conv }) {
    const targets = {
      ...(wantsDown && { down: ctx.accumulated("down") }),
      ...(wantsUp && { up: ctx.accumulated("up") }),
    };
    const { down, up }: { down?: Tensor; up?: Tensor } = targets;
    const sources = {
      ...(down && { x: ctx.input("x"), dh: ctx.input("dh") }),
      ...(up && { dy: ctx.input("dy"), h: ctx.input("h") }),
    };
    const rows = rowCount(ctx.input(down ? "dh" : "dy"));
    const rank = lastDim(down ? ctx.input("dh") : ctx.input("h")) / groups;
    const k = down ? lastDim(ctx.input("x")) : 0;
    const n = up ? lastDim(ctx.input("dy")) : 0;
    const down4 = down ? elementCount(down.shape) / 4 : 0;
    const total4 = down4 + (up ? elementCount(up.shape) / 4 : 0);

    const { lanes, slices, rankTile, chunkRows } = pickLoraGradVariant(ctx.tier, { rows, rank });
    const chunks = ceilDiv(rows, chunkRows);
    const colTile = lanes * 4;
    const taps = conv === undefined ? 1 : conv.kernelH * conv.kernelW;
    const downUnits = taps * ceilDiv(k, colTile) * ((groups * rank) / rankTile);
    const units = downUnits + groups * ceilDiv(n / groups, colTile) * (rank / rankTile);
    const isSplit = chunks > 1;
    const partials = isSplit ? ctx.scratch([chunks, total4 * 4]) : undefined;
    const flags = { DOWN: wantsDown, UP: wantsUp, REPLACE: false };
    const calls: KernelCall[] = [
      {
        kernel: loraGradKernel,
        defines: { ...flags, CONV: conv !== undefined && wantsDown, LANES: lanes, SLICES: slices, RANK: rankTile, SPLIT: isSplit, SLICED: slices > 1 },
        bindings: { ...sources, ...(partials === undefined ? targets : { partials }) },
        params: {
          rows,
          chunkRows,
          chunks,
          rank4: rank / 4,
          groups,
          k4: k / 4,
          n4: n / 4,
          downUnits,
          units,
          down4,
          total4,
          ...(conv && down && { taps, ...convGradParams(conv, ctx.input("x"), ctx.input("dh")) }),
        },
        grid: spread(units * chunks),
      },
    ];
    if (partials !== undefined) {
      calls.push({
        kernel: loraGradSumKernel,
        defines: flags,
        bindings: { partials, ...targets },
        params: { chunks, down4, total4 },
        grid: spread(ceilDiv(total4, 64)),
      });
    }
    return calls;
  },
  flops: ({ x, dh, dy, h, down }, { groups }) =>
    (x && dh && down ? 2 * rowCount(dh) * elementCount(down.shape) : 0) + (dy && h ? (2 * elementCount(dy.shape) * lastDim(h)) / groups : 0),
  reference({ x, dh, dy, h, down, up }, { groups, conv }) {
    const results: Float64Array[] = [];
    if (down && x && dh && conv) {
      const sum = Float64Array.from(down.data);
      addConvolutionDw(sum, [conv.kernelH, conv.kernelW], x, dh, conv);
      results.push(sum);
    } else if (down && x && dh) results.push(addOuter(down, dh, x, 1, false));
    if (up && dy && h) results.push(addOuter(up, h, dy, groups, true));
    return results;
  },
};

/** @param x the convolution's input @param dh gradient of what `down` made of it */
export function convGradParams({ stride, pad, kernelW }: ConvPlace & { readonly kernelW: number }, x: Tensor, dh: Tensor): Record<string, number> {
  return {
    sourceH: dim(x, 1),
    sourceW: dim(x, 2),
    gridH: dim(dh, 1),
    gridW: dim(dh, 2),
    kernelW,
    stride,
    padTop: pad.top,
    padLeft: pad.left,
  };
}

/** target += smallT * wide, or its transpose with `small` and `wide` split in `groups` equal blocks of columns. */
function addOuter(target: RefTensor, small: RefTensor, wide: RefTensor, groups: number, byColumn: boolean): Float64Array {
  const sum = Float64Array.from(target.data);
  const columns = wide.shape.at(-1)!;
  const width = small.shape.at(-1)!;
  const rank = width / groups;
  for (let m = 0; m < wide.data.length / columns; m++) {
    for (let c = 0; c < columns; c++) {
      const block = Math.floor(c / (columns / groups));
      for (let i = 0; i < rank; i++) {
        const at = byColumn ? c * rank + i : i * columns + c;
        sum[at] = sum[at]! + small.data[m * width + block * rank + i]! * wide.data[m * columns + c]!;
      }
    }
  }
  return sum;
}

/** Emits the op. `inputs` holds what the wanted gradients need (see LoraGradAttrs). */
export function loraGrad(ctx: GradientContext, inputs: Record<string, Tensor | undefined>, attrs: LoraGradAttrs): void {
  const grads = { ...(attrs.down && { down: ctx.gradOf("down") }), ...(attrs.up && { up: ctx.gradOf("up") }) };
  ctx.accumulateParam(loraGradOp, inputs, grads, attrs);
}
