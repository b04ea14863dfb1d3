/**
 * 2-D convolution on NHWC maps, as an implicit matrix product over (kernel row, kernel column, channel).
 * Weights are [out][kernel row][kernel column][in] for the forward and the gradient alike.
 */
import { invariant } from "../../errors.ts";
import { dim, elementCount, lastDim, type Tensor } from "../graph/tensor.ts";
import { conv2dDxOp } from "./conv2d-dx.ts";
import { gemmCall } from "./gemm-lower.ts";
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
}

export const conv2dOp: OpDef<Conv2dAttrs> = {
  kind: "conv2d",
  outputs(inputs, { stride, pad, rowBiasOffset }) {
    const x = inputs["x"]!;
    const w = inputs["w"]!;
    const { bias, addend, rowBias } = inputs;
    invariant(x.shape.length === 4 && w.shape.length === 4, "conv2d: x is [B,H,W,C], w is [out,kh,kw,in]");
    const [batch, height, width, channels] = x.shape as [number, number, number, number];
    const [out, kernelH, kernelW] = w.shape as [number, number, number, number];
    invariant(lastDim(w) === channels, `conv2d: x has ${channels} channels, w wants ${lastDim(w)}`);
    const outH = Math.floor((height + pad.top + pad.bottom - kernelH) / stride) + 1;
    const outW = Math.floor((width + pad.left + pad.right - kernelW) / stride) + 1;
    const shape = [batch, outH, outW, out];
    invariant(bias === undefined || elementCount(bias.shape) === out, "conv2d: bias does not match w");
    invariant(addend === undefined || elementCount(addend.shape) === elementCount(shape), "conv2d: addend does not match y");
    if (rowBias !== undefined) {
      invariant(dim(rowBias, 0) === batch && rowBiasOffset + out <= lastDim(rowBias), "conv2d: rowBias does not match y");
    }
    return [{ shape }];
  },
  gradient(ctx, attrs) {
    const dy = ctx.dy();
    if (dy === undefined) return;
    invariant(!ctx.needs("rowBias"), "conv2d: rowBias has no gradient; it must not depend on anything trainable");
    if (ctx.needs("addend")) ctx.contribute("addend", dy);
    if (!ctx.needs("x")) return;
    const { x, w } = ctx.inputs as { x: Tensor; w: Tensor };
    ctx.accumulate("x", (addend) => {
      const [dx] = ctx.graph.add(conv2dDxOp, { dy, w, addend }, { ...attrs, height: dim(x, 1), width: dim(x, 2) });
      invariant(dx !== undefined, "conv2dDx has an output");
      return dx;
    });
  },
  lower(ctx, { stride, pad, rowBiasOffset }) {
    const x = ctx.input("x");
    const w = ctx.input("w");
    const y = ctx.output();
    const rowBias = ctx.optional("rowBias");
    const call = gemmCall(ctx.tier, {
      rows: elementCount(y.shape) / lastDim(y),
      cols: lastDim(y),
      red: lastDim(x),
      a: x,
      w,
      y,
      weightsByReduction: false,
      bias: ctx.optional("bias"),
      addend: ctx.optional("addend"),
      rowBias: rowBias && { tensor: rowBias, stride: lastDim(rowBias), offset: rowBiasOffset },
      conv: {
        sourceH: dim(x, 1),
        sourceW: dim(x, 2),
        targetH: dim(y, 1),
        targetW: dim(y, 2),
        kernelH: dim(w, 1),
        kernelW: dim(w, 2),
        stride,
        padTop: pad.top,
        padLeft: pad.left,
      },
    });
    return [call];
  },
  flops({ x, w }, { stride, pad }) {
    const outH = Math.floor((dim(x!, 1) + pad.top + pad.bottom - dim(w!, 1)) / stride) + 1;
    const outW = Math.floor((dim(x!, 2) + pad.left + pad.right - dim(w!, 2)) / stride) + 1;
    return 2 * dim(x!, 0) * outH * outW * elementCount(w!.shape);
  },
  reference({ x, w, bias, addend, rowBias }, { stride, pad, rowBiasOffset }) {
    const [batch, height, width, channels] = x!.shape as [number, number, number, number];
    const [out, kernelH, kernelW] = w!.shape as [number, number, number, number];
    const outH = Math.floor((height + pad.top + pad.bottom - kernelH) / stride) + 1;
    const outW = Math.floor((width + pad.left + pad.right - kernelW) / stride) + 1;
    const y = new Float64Array(batch * outH * outW * out);
    let at = 0;
    for (let b = 0; b < batch; b++) {
      for (let oy = 0; oy < outH; oy++) {
        for (let ox = 0; ox < outW; ox++) {
          for (let o = 0; o < out; o++, at++) {
            let sum = (bias?.data[o] ?? 0) + (addend?.data[at] ?? 0);
            if (rowBias !== undefined) sum += rowBias.data[b * rowBias.shape[1]! + rowBiasOffset + o]!;
            for (let ky = 0; ky < kernelH; ky++) {
              const iy = oy * stride + ky - pad.top;
              if (iy < 0 || iy >= height) continue;
              for (let kx = 0; kx < kernelW; kx++) {
                const ix = ox * stride + kx - pad.left;
                if (ix < 0 || ix >= width) continue;
                const xAt = ((b * height + iy) * width + ix) * channels;
                const wAt = ((o * kernelH + ky) * kernelW + kx) * channels;
                for (let c = 0; c < channels; c++) sum += x!.data[xAt + c]! * w!.data[wAt + c]!;
              }
            }
            y[at] = sum;
          }
        }
      }
    }
    return [y];
  },
};

export interface Conv2dInputs {
  /** [B, H, W, Ci] */
  readonly x: Tensor;
  /** [Co, kh, kw, Ci], f16 or f32 */
  readonly w: Tensor;
  /** [Co] */
  readonly bias?: Tensor;
  /** [B, Ho, Wo, Co], added to the result (residual) */
  readonly addend?: Tensor;
  /** [B, total]: columns rowBiasOffset.. are added per batch entry and channel (time embedding). No gradient. */
  readonly rowBias?: Tensor;
  readonly rowBiasOffset?: number;
  readonly stride: 1 | 2;
  readonly pad: Padding;
}

/** @returns [B, Ho, Wo, Co]. Ci and Co are multiples of 4. */
export function conv2d(graph: Graph, { stride, pad, rowBiasOffset = 0, ...inputs }: Conv2dInputs): Tensor {
  const [y] = graph.add(conv2dOp, inputs, { stride, pad, rowBiasOffset });
  invariant(y !== undefined, "conv2d has an output");
  return y;
}
