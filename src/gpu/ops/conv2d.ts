/**
 * 2-D convolution on NHWC maps, as an implicit matrix product over (kernel row, kernel column, channel), with an
 * optional adapter: h = loraScale * conv(x, down) at the same stride and padding, and y += h * upT.
 * Weights are [out][kernel row][kernel column][in] for the forward and the gradient alike.
 */
import { invariant } from "../../errors.ts";
import { dim, elementCount, lastDim, rowCount, type Tensor } from "../graph/tensor.ts";
import { dropoutCall, dropReference, type AdapterDropout, type DropoutAttrs } from "./adapter-dropout.ts";
import { addAdaptedDx } from "./adapted-dx.ts";
import { addBiasGradient } from "./bias-grad.ts";
import { conv2dDxOp } from "./conv2d-dx.ts";
import { addConvolution } from "./conv-reference.ts";
import { gemmCall, type ConvGeometry } from "./gemm-lower.ts";
import { loraGrad } from "./lora-grad.ts";
import { sumPixels } from "./sum-pixels.ts";
import { sendWeightGradient } from "./weight-grad.ts";
import type { Graph } from "../graph/graph.ts";
import type { OpDef } from "../graph/op.ts";

export interface Padding {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

export interface Conv2dAttrs {
  readonly stride: 1 | 2;
  readonly pad: Padding;
  /** First column of rowBias. */
  readonly rowBiasOffset: number;
  /** alpha / rank of the adapter. */
  readonly loraScale: number;
  /** With it there is an input `draw`. */
  readonly dropout?: DropoutAttrs | undefined;
}

export const conv2dOp: OpDef<Conv2dAttrs> = {
  kind: "conv2d",
  outputs(inputs, { stride, pad, rowBiasOffset }) {
    const x = inputs["x"]!;
    const w = inputs["w"]!;
    const { bias, addend, rowBias, down, up } = inputs;
    invariant(x.shape.length === 4 && w.shape.length === 4, "conv2d: x is [B,H,W,C], w is [out,kh,kw,in]");
    const [batch, height, width, channels] = x.shape as [number, number, number, number];
    const [out, kernelH, kernelW] = w.shape as [number, number, number, number];
    invariant(lastDim(w) === channels, `conv2d: x has ${channels} channels, w wants ${lastDim(w)}`);
    const outH = Math.floor((height + pad.top + pad.bottom - kernelH) / stride) + 1;
    const outW = Math.floor((width + pad.left + pad.right - kernelW) / stride) + 1;
    const shape = [batch, outH, outW, out];
    const y = { shape, dtype: "activation" } as const;
    invariant(bias === undefined || elementCount(bias.shape) === out, "conv2d: bias does not match w");
    invariant(addend === undefined || elementCount(addend.shape) === elementCount(shape), "conv2d: addend does not match y");
    if (rowBias !== undefined) {
      invariant(dim(rowBias, 0) === batch && rowBiasOffset + out <= lastDim(rowBias), "conv2d: rowBias does not match y");
    }
    if (down === undefined || up === undefined) {
      invariant(down === up, "conv2d: an adapter is down and up");
      return [y];
    }
    const rank = lastDim(up);
    invariant(down.shape.join() === [rank, kernelH, kernelW, channels].join(), "conv2d: down does not match w");
    invariant(up.shape.join() === [out, rank].join(), "conv2d: up is [out, r]");
    if (inputs["h"] !== undefined) return [y];
    return [y, { shape: [batch, outH, outW, rank], keep: "always", reuseAs: "h" }];
  },
  gradient(ctx, attrs) {
    const dy = ctx.dy();
    if (dy === undefined) return;
    const { x, w, down, up, draw } = ctx.inputs as { x: Tensor; w: Tensor; down?: Tensor; up?: Tensor; draw?: Tensor };
    const needs = { x: ctx.needs("x"), down: ctx.needs("down"), up: ctx.needs("up") };
    if (ctx.needs("addend")) ctx.contribute("addend", dy);
    if (ctx.needs("rowBias")) {
      invariant(lastDim(ctx.inputs["rowBias"]!) === lastDim(dy), "conv2d: only a rowBias of its own has a gradient");
      ctx.contribute("rowBias", sumPixels(ctx.graph, dy));
    }

    addBiasGradient(ctx, "bias", dy, lastDim(dy));
    if (ctx.needs("w")) sendWeightGradient(ctx, x, w, dy, attrs);

    let dh: Tensor | undefined;
    const back = (addend: Tensor | undefined): Tensor | undefined => {
      const size = { height: dim(x, 1), width: dim(x, 2) };
      const { dx, dh: gradient } = addAdaptedDx(ctx.graph, conv2dDxOp, { dy, w: ctx.saved(w), addend, down, up, draw }, { ...attrs, ...size, dx: needs.x });
      dh = gradient;
      return dx;
    };
    if (needs.x) ctx.accumulate("x", (addend) => back(addend)!);
    else if (needs.down) back(undefined);

    const h = ctx.outputs[1];
    if (h === undefined || down === undefined || !(needs.down || needs.up)) return;
    loraGrad(
      ctx,
      { ...(needs.down && { x: ctx.saved(x), dh }), ...(needs.up && { dy, h: ctx.saved(h) }) },
      { down: needs.down, up: needs.up, groups: 1, conv: { ...attrs, kernelH: dim(down, 1), kernelW: dim(down, 2) } },
    );
  },
  lower(ctx, { stride, pad, rowBiasOffset, loraScale, dropout }) {
    const x = ctx.input("x");
    const w = ctx.input("w");
    const y = ctx.output();
    const rowBias = ctx.optional("rowBias");
    const down = ctx.optional("down");
    const up = ctx.optional("up");
    const conv: ConvGeometry = {
      sourceH: dim(x, 1),
      sourceW: dim(x, 2),
      targetH: dim(y, 1),
      targetW: dim(y, 2),
      kernelH: dim(w, 1),
      kernelW: dim(w, 2),
      stride,
      padTop: pad.top,
      padLeft: pad.left,
    };
    const common = { rows: rowCount(y), red: lastDim(x), a: x, weightsByReduction: false, conv };
    const main = {
      ...common,
      cols: lastDim(y),
      w,
      y,
      bias: ctx.optional("bias"),
      addend: ctx.optional("addend"),
      rowBias: rowBias && { tensor: rowBias, stride: lastDim(rowBias), offset: rowBiasOffset },
    };
    if (down === undefined || up === undefined) return [gemmCall(ctx.tier, main)];
    const known = ctx.optional("h");
    const h = known ?? ctx.output(1);
    const product = gemmCall(ctx.tier, { ...main, extension: { a: h, aStride: lastDim(h), w: up, red: lastDim(up) } });
    if (known !== undefined) return [product];
    const drop = dropout === undefined ? [] : [dropoutCall(h, ctx.input("draw"), 1, dropout)];
    return [gemmCall(ctx.tier, { ...common, cols: lastDim(h), w: down, y: h, scale: loraScale }), ...drop, product];
  },
  flops({ x, w, down, up, h }, { stride, pad }) {
    const outH = Math.floor((dim(x!, 1) + pad.top + pad.bottom - dim(w!, 1)) / stride) + 1;
    const outW = Math.floor((dim(x!, 2) + pad.left + pad.right - dim(w!, 2)) / stride) + 1;
    const adapter = (down && !h ? elementCount(down.shape) : 0) + (up ? elementCount(up.shape) : 0);
    return 2 * dim(x!, 0) * outH * outW * (elementCount(w!.shape) + adapter);
  },
  reference({ x, w, bias, addend, rowBias, down, up, draw, h: known }, { stride, pad, rowBiasOffset, loraScale, dropout }) {
    const [batch, height, width] = x!.shape as [number, number, number, number];
    const [out, kernelH, kernelW] = w!.shape as [number, number, number, number];
    const outH = Math.floor((height + pad.top + pad.bottom - kernelH) / stride) + 1;
    const outW = Math.floor((width + pad.left + pad.right - kernelW) / stride) + 1;
    const pixels = batch * outH * outW;
    const y = new Float64Array(pixels * out);
    for (let at = 0; at < y.length; at++) {
      const o = at % out;
      y[at] = (bias?.data[o] ?? 0) + (addend?.data[at] ?? 0);
      if (rowBias !== undefined) y[at]! += rowBias.data[Math.floor(at / (out * outH * outW)) * rowBias.shape[1]! + rowBiasOffset + o]!;
    }
    addConvolution(y, [batch, outH, outW], x!, w!, { stride, pad });
    if (down === undefined || up === undefined) return [y];
    const rank = up.shape[1]!;
    const h = new Float64Array(pixels * rank);
    addConvolution(h, [batch, outH, outW], x!, down, { stride, pad });
    for (let i = 0; i < h.length; i++) h[i]! *= loraScale;
    if (dropout !== undefined) dropReference(h, rank, batch, draw!, 1, dropout);
    for (let at = 0; at < y.length; at++) {
      for (let i = 0; i < rank; i++) y[at]! += h[Math.floor(at / out) * rank + i]! * up.data[(at % out) * rank + i]!;
    }
    return known === undefined ? [y, h] : [y];
  },
};

/** A low-rank adapter beside a convolution. */
export interface ConvAdapter {
  /** [r, kh, kw, Ci]; r is a multiple of 4 (pad with zero rows) */
  readonly down: Tensor;
  /** [Co, r] */
  readonly up: Tensor;
  /** alpha / rank */
  readonly scale: number;
  readonly dropout?: AdapterDropout;
}

export interface Conv2dInputs {
  /** [B, H, W, Ci] */
  readonly x: Tensor;
  /** [Co, kh, kw, Ci], f16 or f32 */
  readonly w: Tensor;
  /** [Co] */
  readonly bias?: Tensor;
  /** [B, Ho, Wo, Co], added to the result (residual) */
  readonly addend?: Tensor;
  /** [B, total]: columns rowBiasOffset.. are added per batch entry and channel (time embedding). */
  readonly rowBias?: Tensor;
  readonly rowBiasOffset?: number;
  readonly stride: 1 | 2;
  readonly pad: Padding;
  readonly adapter?: ConvAdapter | undefined;
}

/** @returns [B, Ho, Wo, Co]. Ci, Co and the rank are multiples of 4. */
export function conv2d(graph: Graph, { stride, pad, rowBiasOffset = 0, adapter, ...inputs }: Conv2dInputs): Tensor {
  const { dropout } = adapter ?? {};
  const attrs = { stride, pad, rowBiasOffset, loraScale: adapter?.scale ?? 0, dropout };
  const [y] = graph.add(conv2dOp, { ...inputs, down: adapter?.down, up: adapter?.up, draw: dropout?.draw }, attrs);
  invariant(y !== undefined, "conv2d has an output");
  return y;
}
