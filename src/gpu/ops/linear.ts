/**
 * y = x * wT + bias + addend, with an optional adapter: h = loraScale * x * downT and y += h * upT.
 *
 * The backward needs x and h for the adapter's own gradients, and x where the weight itself is trained.
 * Several layers with the same input run as one: their weights, downs and ups are stacked along dimension 0, and
 * `groups` says how many there are (fused q/k/v).
 */
import { invariant } from "../../errors.ts";
import { dim, elementCount, lastDim, rowCount, type Tensor } from "../graph/tensor.ts";
import { dropoutCall, dropReference, type AdapterDropout, type DropoutAttrs } from "./adapter-dropout.ts";
import { gemmCall } from "./gemm-lower.ts";
import { addAdaptedDx } from "./adapted-dx.ts";
import { addBiasGradient } from "./bias-grad.ts";
import { linearDxOp } from "./linear-dx.ts";
import { loraGrad } from "./lora-grad.ts";
import { sendWeightGradient } from "./weight-grad.ts";
import type { Graph } from "../graph/graph.ts";
import type { OpDef } from "../graph/op.ts";

export interface LinearAttrs {
  /** alpha / rank, times whatever multiplies the adapter's output. */
  readonly loraScale: number;
  /** Stacked layers: y's columns are `groups` equal blocks, block j uses h's block j. */
  readonly groups: number;
  /** With it there is an input `draw`. */
  readonly dropout?: DropoutAttrs | undefined;
}

export const linearOp: OpDef<LinearAttrs> = {
  kind: "linear",
  outputs(inputs, { groups }) {
    const x = inputs["x"]!;
    const w = inputs["w"]!;
    const { bias, addend, down, up } = inputs;
    const leading = x.shape.slice(0, -1);
    const n = dim(w, 0);
    invariant(elementCount(w.shape) === n * lastDim(x), `linear: x [${x.shape.join()}] and w [${w.shape.join()}]`);
    invariant(bias === undefined || elementCount(bias.shape) === n, "linear: bias does not match w");
    invariant(addend === undefined || elementCount(addend.shape) === rowCount(x) * n, "linear: addend does not match y");
    const y = { shape: [...leading, n], dtype: "activation" } as const;
    if (down === undefined || up === undefined) {
      invariant(down === up, "linear: an adapter is down and up");
      return [y];
    }
    const rank = checkAdapter(down, up, groups, lastDim(x), n);
    if (inputs["h"] !== undefined) return [y];
    // h is small and costs a dispatch: kept even inside checkpoint regions.
    return [y, { shape: [...leading, groups * rank], keep: "always", reuseAs: "h" }];
  },
  gradient(ctx, attrs) {
    const dy = ctx.dy();
    if (dy === undefined) return;
    const { x, w, down, up, draw } = ctx.inputs as { x: Tensor; w: Tensor; down?: Tensor; up?: Tensor; draw?: Tensor };
    const needs = { x: ctx.needs("x"), down: ctx.needs("down"), up: ctx.needs("up") };
    if (ctx.needs("addend")) ctx.contribute("addend", dy);

    addBiasGradient(ctx, "bias", dy, dim(w, 0));
    if (ctx.needs("w")) sendWeightGradient(ctx, x, w, dy);

    let dh: Tensor | undefined;
    const back = (addend: Tensor | undefined): Tensor | undefined => {
      const { dx, dh: gradient } = addAdaptedDx(ctx.graph, linearDxOp, { dy, w: ctx.saved(w), addend, down, up, draw }, { ...attrs, dx: needs.x });
      dh = gradient;
      return dx;
    };
    if (needs.x) ctx.accumulate("x", (addend) => back(addend)!);
    else if (needs.down) back(undefined);

    const h = ctx.outputs[1];
    if (h === undefined || !(needs.down || needs.up)) return;
    loraGrad(
      ctx,
      { ...(needs.down && { x: ctx.saved(x), dh }), ...(needs.up && { dy, h: ctx.saved(h) }) },
      { down: needs.down, up: needs.up, groups: attrs.groups },
    );
  },
  lower(ctx, { loraScale, groups, dropout }) {
    const x = ctx.input("x");
    const w = ctx.input("w");
    const down = ctx.optional("down");
    const up = ctx.optional("up");
    const y = ctx.output();
    const rows = rowCount(x);
    const red = lastDim(x);
    const cols = dim(w, 0);
    const main = { rows, cols, red, a: x, w, y, weightsByReduction: false, bias: ctx.optional("bias"), addend: ctx.optional("addend") };
    if (down === undefined || up === undefined) return [gemmCall(ctx.tier, main)];
    const known = ctx.optional("h");
    const h = known ?? ctx.output(1);
    const product = gemmCall(ctx.tier, { ...main, groups, extension: { a: h, aStride: lastDim(h), w: up, red: lastDim(up) } });
    if (known !== undefined) return [product];
    const reduction = { rows, cols: lastDim(h), red, a: x, w: down, y: h, weightsByReduction: false, scale: loraScale };
    const drop = dropout === undefined ? [] : [dropoutCall(h, ctx.input("draw"), groups, dropout)];
    return [gemmCall(ctx.tier, reduction), ...drop, product];
  },
  flops({ x, w, down, up }) {
    const rows = rowCount(x!);
    return 2 * rows * (elementCount(w!.shape) + (down && up ? elementCount(down.shape) + elementCount(up.shape) : 0));
  },
  reference({ x, w, bias, addend, down, up, draw, h: known }, { loraScale, groups, dropout }) {
    const red = x!.shape.at(-1)!;
    const rows = x!.data.length / red;
    const cols = w!.shape[0]!;
    const dot = (a: Float64Array, aAt: number, b: Float64Array, bAt: number, count: number): number => {
      let sum = 0;
      for (let i = 0; i < count; i++) sum += a[aAt + i]! * b[bAt + i]!;
      return sum;
    };
    const rank = up === undefined ? 0 : up.shape[1]!;
    const h = new Float64Array(rows * groups * rank);
    const y = new Float64Array(rows * cols);
    for (let m = 0; m < rows; m++) {
      for (let i = 0; i < groups * rank; i++) h[m * groups * rank + i] = loraScale * dot(x!.data, m * red, down!.data, i * red, red);
    }
    if (dropout !== undefined) dropReference(h, groups * rank, x!.shape[0]!, draw!, groups, dropout);
    for (let m = 0; m < rows; m++) {
      for (let n = 0; n < cols; n++) {
        const block = Math.floor(n / (cols / groups));
        let sum = dot(x!.data, m * red, w!.data, n * red, red) + (bias?.data[n] ?? 0) + (addend?.data[m * cols + n] ?? 0);
        if (up !== undefined) sum += dot(h, (m * groups + block) * rank, up.data, n * rank, rank);
        y[m * cols + n] = sum;
      }
    }
    return up === undefined || known !== undefined ? [y] : [y, h];
  },
};

/** Rank of one group. */
function checkAdapter(down: Tensor, up: Tensor, groups: number, k: number, n: number): number {
  const rank = elementCount(up.shape) / n;
  invariant(Number.isInteger(rank) && elementCount(down.shape) === groups * rank * k, "linear: down and up do not match");
  invariant(lastDim(up) === rank, "linear: up is [N, r]");
  return rank;
}

/** A low-rank adapter beside a linear layer. */
export interface LinearAdapter {
  /** [groups * r, K]; r is a multiple of 4 (pad with zero rows) */
  readonly down: Tensor;
  /** [N, r] */
  readonly up: Tensor;
  /** Factor on the adapter's output: alpha / rank, times the multiplier. */
  readonly scale: number;
  /** Number of layers stacked along N (default 1). */
  readonly groups?: number;
  readonly dropout?: AdapterDropout;
}

export interface LinearInputs {
  /** [..., K] */
  readonly x: Tensor;
  /** [N, K], f16 or f32 */
  readonly w: Tensor;
  /** [N] */
  readonly bias?: Tensor | undefined;
  /** [..., N], added to the result (residual) */
  readonly addend?: Tensor | undefined;
  readonly adapter?: LinearAdapter | undefined;
}

/** @returns [..., N]. K, N / groups and the rank are multiples of 4. */
export function linear(graph: Graph, { x, w, bias, addend, adapter }: LinearInputs): Tensor {
  const { dropout } = adapter ?? {};
  const attrs = { loraScale: adapter?.scale ?? 0, groups: adapter?.groups ?? 1, dropout };
  const [y] = graph.add(linearOp, { x, w, bias, addend, down: adapter?.down, up: adapter?.up, draw: dropout?.draw }, attrs);
  invariant(y !== undefined, "linear has an output");
  return y;
}
