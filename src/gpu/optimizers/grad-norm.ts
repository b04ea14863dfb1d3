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

const clipOp: OpDef<{ readonly isLast: boolean }> = {
  kind: "clip",
  outputs: () => [{ shape: [4] }],
  lower(ctx, { isLast }) {
    const before = ctx.optional("before");
    const bindings = {
      partial: ctx.input("partial"),
      settings: ctx.input("settings"),
      report: ctx.output(),
      guard: ctx.accumulated("guard"),
    };
    return [
      {
        kernel: { name: "clip", source: clipSource },
        defines: { CONTINUED: before !== undefined, LAST: isLast },
        bindings: before === undefined ? bindings : { ...bindings, before },
        params: {},
        grid: [1, 1, 1],
      },
    ];
  },
  reference({ partial, before, settings, guard }, { isLast }) {
    const sum = (before?.data[3] ?? 0) + (partial?.data.reduce((a, b) => a + b, 0) ?? 0);
    const norm = Math.sqrt(sum);
    const max = settings?.data[0] ?? 0;
    const unscale = settings?.data[1] ?? 1;
    const coefficient = (max > 0 ? Math.min(1, max / (norm * unscale + 1e-6)) : 1) * unscale;
    const flag = Float64Array.from(guard?.data ?? []);
    const isFinite = Number.isFinite(norm) && flag[0] === 0;
    if (isLast) flag[0] = 0;
    return [Float64Array.of(norm, coefficient, isFinite ? 1 : 0, sum), flag];
  },
};

/**
 * @param grads all gradient buffers
 * @param settings input whose elements are max_grad_norm and 1 / loss scale
 * @param report output tensor [4] = norm before clipping, coefficient that clips and takes the loss scale away, 1 if
 *   everything is finite, Σg²; norm and sum are those of the scaled gradients
 * @param guard output tensor [4] of the losses (diffusionLoss)
 */
export function gradNorm(graph: Graph, grads: readonly Tensor[], settings: Tensor, report: Tensor, guard: Tensor): void {
  invariant(grads.length > 0, "no gradients");
  let before: Tensor | undefined;
  grads.forEach((grad, i) => {
    const partial = single(graph.add(sumSquares, { grad }, {}));
    const isLast = i === grads.length - 1;
    const outputs = isLast ? { outputs: [report] } : {};
    before = single(graph.addBound(bindOp(clipOp, { isLast }), { partial, settings, before }, { ...outputs, accumulates: { guard } }));
  });
}
