/**
 * Gradient of conv2d towards its input, plus what other users of the input have sent back:
 * dx[y][x][c] = addend + sum over taps and o of dy[(y + pad - ky) / stride][...][o] * w[o][ky][kx][c].
 */
import { dim, elementCount, lastDim } from "../graph/tensor.ts";
import { gemmCall } from "./gemm-lower.ts";
import type { OpDef } from "../graph/op.ts";
import type { Conv2dAttrs } from "./conv2d.ts";

export interface Conv2dDxAttrs extends Conv2dAttrs {
  /** Size of the convolution's input. */
  readonly height: number;
  readonly width: number;
}

export const conv2dDxOp: OpDef<Conv2dDxAttrs> = {
  kind: "conv2dDx",
  outputs: ({ dy, w }, { height, width }) => [{ shape: [dim(dy!, 0), height, width, lastDim(w!)] }],
  lower(ctx, { stride, pad, height, width }) {
    const dy = ctx.input("dy");
    const w = ctx.input("w");
    const dx = ctx.output();
    const call = gemmCall(ctx.tier, {
      rows: elementCount(dx.shape) / lastDim(dx),
      cols: lastDim(dx),
      red: lastDim(dy),
      a: dy,
      w,
      y: dx,
      weightsByReduction: true,
      addend: ctx.optional("addend"),
      conv: {
        sourceH: dim(dy, 1),
        sourceW: dim(dy, 2),
        targetH: height,
        targetW: width,
        kernelH: dim(w, 1),
        kernelW: dim(w, 2),
        stride,
        padTop: pad.top,
        padLeft: pad.left,
      },
      convGradient: true,
    });
    return [call];
  },
  flops: ({ dy, w }) => (2 * elementCount(dy!.shape) * elementCount(w!.shape)) / lastDim(dy!),
  reference({ dy, w, addend }, { stride, pad, height, width }) {
    const [batch, outH, outW, out] = dy!.shape as [number, number, number, number];
    const [, kernelH, kernelW, channels] = w!.shape as [number, number, number, number];
    const dx = addend === undefined ? new Float64Array(batch * height * width * channels) : Float64Array.from(addend.data);
    for (let b = 0; b < batch; b++) {
      for (let oy = 0; oy < outH; oy++) {
        for (let ox = 0; ox < outW; ox++) {
          for (let ky = 0; ky < kernelH; ky++) {
            const iy = oy * stride + ky - pad.top;
            if (iy < 0 || iy >= height) continue;
            for (let kx = 0; kx < kernelW; kx++) {
              const ix = ox * stride + kx - pad.left;
              if (ix < 0 || ix >= width) continue;
              const dxAt = ((b * height + iy) * width + ix) * channels;
              for (let o = 0; o < out; o++) {
                const factor = dy!.data[((b * outH + oy) * outW + ox) * out + o]!;
                const wAt = ((o * kernelH + ky) * kernelW + kx) * channels;
                for (let c = 0; c < channels; c++) dx[dxAt + c] = dx[dxAt + c]! + factor * w!.data[wAt + c]!;
              }
            }
          }
        }
      }
    }
    return [dx];
  },
};
