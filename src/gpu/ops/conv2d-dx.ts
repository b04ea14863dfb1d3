/**
 * Gradient of conv2d towards its input, plus what other users of the input have sent back:
 * dx[y][x][c] = addend + sum over taps and o of dy[(y + pad - ky) / stride][...][o] * w[o][ky][kx][c].
 * With an adapter also dh = loraScale * dy * up, which goes back through `down` as dy does through `w`.
 */
import { dim, elementCount, lastDim, rowCount, type Tensor } from "../graph/tensor.ts";
import { dropoutCall, dropReference } from "./adapter-dropout.ts";
import { addConvolutionDx } from "./conv-reference.ts";
import { gemmCall } from "./gemm-lower.ts";
import type { KernelCall } from "../graph/lower.ts";
import type { OpDef } from "../graph/op.ts";
import type { Conv2dAttrs } from "./conv2d.ts";

export interface Conv2dDxAttrs extends Conv2dAttrs {
  /** Size of the convolution's input. */
  readonly height: number;
  readonly width: number;
  /** Without: only dh is wanted (nothing trainable in front of the convolution). */
  readonly dx: boolean;
}

export const conv2dDxOp: OpDef<Conv2dDxAttrs> = {
  kind: "conv2dDx",
  outputs: ({ dy, w, up }, { height, width, dx }) => [
    ...(dx ? [{ shape: [dim(dy!, 0), height, width, lastDim(w!)], dtype: "activation" } as const] : []),
    ...(up === undefined ? [] : [{ shape: [...dy!.shape.slice(0, -1), lastDim(up)] }]),
  ],
  lower(ctx, { stride, pad, height, width, loraScale, dropout, dx: wantsDx }) {
    const dy = ctx.input("dy");
    const w = ctx.input("w");
    const down = ctx.optional("down");
    const up = ctx.optional("up");
    const calls: KernelCall[] = [];
    const dh = up && ctx.output(wantsDx ? 1 : 0);
    if (up !== undefined && dh !== undefined) {
      const product = { rows: rowCount(dy), cols: lastDim(dh), red: lastDim(dy), a: dy, w: up, y: dh };
      calls.push(gemmCall(ctx.tier, { ...product, weightsByReduction: true, scale: loraScale }));
      if (dropout !== undefined) calls.push(dropoutCall(dh, ctx.input("draw"), 1, dropout));
    }
    if (!wantsDx) return calls;
    const back = (gradient: Tensor, kernel: Tensor, target: Tensor, addend: Tensor | undefined): KernelCall =>
      gemmCall(ctx.tier, {
        rows: rowCount(target),
        cols: lastDim(target),
        red: lastDim(gradient),
        a: gradient,
        w: kernel,
        y: target,
        weightsByReduction: true,
        addend,
        conv: {
          sourceH: dim(gradient, 1),
          sourceW: dim(gradient, 2),
          targetH: height,
          targetW: width,
          kernelH: dim(kernel, 1),
          kernelW: dim(kernel, 2),
          stride,
          padTop: pad.top,
          padLeft: pad.left,
        },
        convGradient: true,
      });
    const dx = ctx.output();
    let addend = ctx.optional("addend");
    if (down !== undefined && dh !== undefined) {
      const throughDown = ctx.scratch(dx.shape, dx.dtype);
      calls.push(back(dh, down, throughDown, addend));
      addend = throughDown;
    }
    calls.push(back(dy, w, dx, addend));
    return calls;
  },
  flops({ dy, w, down, up }, { dx }) {
    const adapter = (up ? elementCount(up.shape) : 0) + (dx && down ? elementCount(down.shape) : 0);
    return 2 * rowCount(dy!) * ((dx ? elementCount(w!.shape) : 0) + adapter);
  },
  reference({ dy, w, addend, down, up, draw }, { stride, pad, height, width, loraScale, dropout, dx: wantsDx }) {
    const [batch, , , out] = dy!.shape as [number, number, number, number];
    const rank = up?.shape[1] ?? 0;
    const dh = new Float64Array((dy!.data.length / out) * rank);
    for (let at = 0; at < dh.length; at++) {
      const row = Math.floor(at / rank) * out;
      for (let o = 0; o < out; o++) dh[at]! += loraScale * dy!.data[row + o]! * up!.data[o * rank + (at % rank)]!;
    }
    if (dropout !== undefined) dropReference(dh, rank, batch, draw!, 1, dropout);
    if (!wantsDx) return [dh];
    const size = batch * height * width * w!.shape[3]!;
    const dx = addend === undefined ? new Float64Array(size) : Float64Array.from(addend.data);
    addConvolutionDx(dx, [height, width], dy!, w!, { stride, pad });
    if (up === undefined) return [dx];
    const through = { shape: [...dy!.shape.slice(0, -1), rank], data: dh };
    if (down !== undefined) addConvolutionDx(dx, [height, width], through, down, { stride, pad });
    return [dx, dh];
  },
};
