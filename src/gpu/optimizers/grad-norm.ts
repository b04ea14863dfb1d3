/** Global L2 norm of the gradients, clip coefficient and finite flag, computed on the GPU. */
import { invariant } from "../../errors.ts";
import { single } from "../graph/autodiff.ts";
import { elementCount, type Tensor } from "../graph/tensor.ts";
import type { Graph } from "../graph/graph.ts";
import { bindOp, type OpDef } from "../graph/op.ts";
import clipSource from "./clip.wgsl?raw";
import sumSource from "./sum-squares.wgsl?raw";

const workgroups = 64;

const sumSquares: OpDef<object> = {
  kind: "sumSquares",
  outputs: () => [{ shape: [workgroups] }],
  lower(ctx) {
    const grad = ctx.input("grad");
    return [
      {
        kernel: { name: "sum-squares", source: sumSource },
        defines: {},
        bindings: { grad, partial: ctx.output() },
        params: { count: elementCount(grad.shape) / 4 },
        grid: [workgroups, 1, 1],
      },
    ];
  },
  reference({ grad }) {
    const partial = new Float64Array(workgroups);
    partial[0] = grad?.data.reduce((sum, g) => sum + g * g, 0) ?? 0;
    return [partial];
  },
};

const clipOp: OpDef<object> = {
  kind: "clip",
  outputs: () => [{ shape: [4] }],
  lower(ctx) {
    const before = ctx.optional("before");
    const bindings = { partial: ctx.input("partial"), settings: ctx.input("settings"), report: ctx.output() };
    return [
      {
        kernel: { name: "clip", source: clipSource },
        defines: { CONTINUED: before !== undefined },
        bindings: before === undefined ? bindings : { ...bindings, before },
        params: {},
        grid: [1, 1, 1],
      },
    ];
  },
  reference({ partial, before, settings }) {
    const sum = (before?.data[3] ?? 0) + (partial?.data.reduce((a, b) => a + b, 0) ?? 0);
    const norm = Math.sqrt(sum);
    const max = settings?.data[0] ?? 0;
    const coefficient = max > 0 ? Math.min(1, max / (norm + 1e-6)) : 1;
    return [Float64Array.of(norm, coefficient, Number.isFinite(norm) ? 1 : 0, sum)];
  },
};

/**
 * @param grads all gradient buffers
 * @param settings input whose element 0 is max_grad_norm
 * @param report output tensor [4] = norm before clipping, clip coefficient, 1 if everything is finite, Σg²
 */
export function gradNorm(graph: Graph, grads: readonly Tensor[], settings: Tensor, report: Tensor): void {
  invariant(grads.length > 0, "no gradients");
  let before: Tensor | undefined;
  grads.forEach((grad, i) => {
    const partial = single(graph.add(sumSquares, { grad }, {}));
    if (i === grads.length - 1) graph.addBound(bindOp(clipOp, {}), { partial, settings, before }, { outputs: [report] });
    else before = single(graph.add(clipOp, { partial, settings, before }, {}));
  });
}
