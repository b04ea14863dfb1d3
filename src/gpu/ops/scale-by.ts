/** y = s * x for a trained number s (LyCORIS' use_scalar). */
import { single } from "../graph/autodiff.ts";
import { elementCount, type Tensor } from "../graph/tensor.ts";
import { ceilDiv, spread } from "../tier.ts";
import type { Graph } from "../graph/graph.ts";
import type { OpDef } from "../graph/op.ts";
import dotSource from "../kernels/dot-product.wgsl?raw";
import source from "../kernels/scale-by.wgsl?raw";

export const scaleByOp: OpDef<object> = {
  kind: "scaleBy",
  outputs: ({ x }) => [{ shape: x!.shape, keep: "recompute" }],
  gradient(ctx) {
    const dy = ctx.dy();
    const { x, s } = ctx.inputs;
    if (dy === undefined || x === undefined || s === undefined) return;
    if (ctx.needs("s")) ctx.accumulateParam(dotOp, { a: ctx.saved(x), b: dy }, { sum: ctx.gradOf("s") }, {});
    if (ctx.needs("x")) ctx.contribute("x", single(ctx.graph.add(scaleByOp, { x: dy, s }, {})));
  },
  lower(ctx) {
    const y = ctx.output();
    const count = elementCount(y.shape);
    const bindings = { x: ctx.input("x"), s: ctx.input("s"), y };
    return [{ kernel: { name: "scale-by", source }, defines: {}, bindings, params: { count }, grid: spread(ceilDiv(count, 64)) }];
  },
  reference: ({ x, s }) => [x!.data.map((value) => value * s!.data[0]!)],
};

/** Elements that one workgroup sums. */
const dotWidth = 4096;

/** sum += a · b */
const dotOp: OpDef<object> = {
  kind: "dot",
  outputs: () => [],
  lower(ctx) {
    const a = ctx.input("a");
    const count = elementCount(a.shape);
    const rows = ceilDiv(count, dotWidth);
    const partials = ctx.scratch([rows]);
    const kernel = { name: "dot-product", source: dotSource };
    return [
      {
        kernel,
        defines: { ALONE: false, ADD: false },
        bindings: { a, b: ctx.input("b"), result: partials },
        params: { count, width: dotWidth, rows },
        grid: spread(rows),
      },
      {
        kernel,
        defines: { ALONE: true, ADD: true },
        bindings: { a: partials, result: ctx.accumulated("sum") },
        params: { count: rows, width: rows, rows: 1 },
        grid: spread(1),
      },
    ];
  },
  flops: ({ a }) => 2 * elementCount(a!.shape),
  reference: ({ a, b, sum }) => [sum!.data.map((value) => a!.data.reduce((total, x, i) => total + x * b!.data[i]!, value))],
};

/** @param s trained, [1] @returns in x's shape */
export function scaleBy(graph: Graph, x: Tensor, s: Tensor): Tensor {
  return single(graph.add(scaleByOp, { x, s }, {}));
}
