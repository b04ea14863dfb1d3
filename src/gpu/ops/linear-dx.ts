/**
 * Backward of linear towards its input: dh_j = loraScale * dy_j * up_j for each stacked layer j, and
 * dx = dy * w + dh * down + addend, where the addend is what other users of x have already sent back.
 */
import { dim, elementCount, lastDim, rowCount } from "../graph/tensor.ts";
import { dropoutCall, dropReference } from "./adapter-dropout.ts";
import { gemmCall } from "./gemm-lower.ts";
import type { OpDef } from "../graph/op.ts";
import type { LinearAttrs } from "./linear.ts";

export interface LinearDxAttrs extends LinearAttrs {
  /** Without: only dh is wanted (nothing trainable in front of the layer). */
  readonly dx: boolean;
}

export const linearDxOp: OpDef<LinearDxAttrs> = {
  kind: "linearDx",
  outputs(inputs, { dx, groups }) {
    const dy = inputs["dy"]!;
    const w = inputs["w"]!;
    const { up } = inputs;
    const leading = dy.shape.slice(0, -1);
    return [
      ...(dx ? [{ shape: [...leading, elementCount(w.shape) / dim(w, 0)], dtype: "activation" } as const] : []),
      ...(up === undefined ? [] : [{ shape: [...leading, groups * lastDim(up)] }]),
    ];
  },
  lower(ctx, { dx: wantsDx, loraScale, groups, dropout }) {
    const dy = ctx.input("dy");
    const w = ctx.input("w");
    const down = ctx.optional("down");
    const up = ctx.optional("up");
    const rows = rowCount(dy);
    const n = lastDim(dy);
    const calls = [];
    const dh = up && ctx.output(wantsDx ? 1 : 0);
    if (up !== undefined && dh !== undefined) {
      calls.push(
        gemmCall(ctx.tier, {
          rows,
          cols: lastDim(dh),
          red: n / groups,
          a: dy,
          aStride: n,
          w: up,
          y: dh,
          weightsByReduction: true,
          scale: loraScale,
          groups,
          groupedReduction: true,
        }),
      );
      if (dropout !== undefined) calls.push(dropoutCall(dh, ctx.input("draw"), groups, dropout));
    }
    if (!wantsDx) return calls;
    const dx = ctx.output();
    const extension = down && dh && { a: dh, aStride: lastDim(dh), w: down, red: lastDim(dh) };
    calls.push(
      gemmCall(ctx.tier, {
        rows,
        cols: lastDim(dx),
        red: n,
        a: dy,
        w,
        y: dx,
        weightsByReduction: true,
        addend: ctx.optional("addend"),
        extension,
      }),
    );
    return calls;
  },
  flops({ dy, w, down, up }, { dx }) {
    const rows = rowCount(dy!);
    const adapter = up === undefined ? 0 : elementCount(up.shape) + (dx && down ? elementCount(down.shape) : 0);
    return 2 * rows * ((dx ? elementCount(w!.shape) : 0) + adapter);
  },
  reference({ dy, w, addend, down, up, draw }, { dx: wantsDx, loraScale, groups, dropout }) {
    const n = dy!.shape.at(-1)!;
    const rows = dy!.data.length / n;
    const k = w!.data.length / n;
    const rank = up === undefined ? 0 : up.shape[1]!;
    const dh = new Float64Array(rows * groups * rank);
    for (let m = 0; m < rows; m++) {
      for (let col = 0; col < n; col++) {
        const block = Math.floor(col / (n / groups));
        for (let i = 0; i < rank; i++) {
          const at = (m * groups + block) * rank + i;
          dh[at] = dh[at]! + loraScale * dy!.data[m * n + col]! * up!.data[col * rank + i]!;
        }
      }
    }
    if (dropout !== undefined) dropReference(dh, groups * rank, dy!.shape[0]!, draw!, groups, dropout);
    if (!wantsDx) return [dh];
    const dx = new Float64Array(rows * k);
    for (let m = 0; m < rows; m++) {
      const add = (factor: number, from: Float64Array, at: number): void => {
        for (let i = 0; i < k; i++) dx[m * k + i] = dx[m * k + i]! + factor * from[at + i]!;
      };
      if (addend !== undefined) add(1, addend.data, m * k);
      for (let col = 0; col < n; col++) add(dy!.data[m * n + col]!, w!.data, col * k);
      for (let i = 0; i < groups * rank; i++) add(dh[m * groups * rank + i]!, down!.data, i * k);
    }
    return up === undefined ? [dx] : [dx, dh];
  },
};
