/**
 * Group normalization over NHWC, optionally followed by SiLU.
 *
 * Two ops, because y is recomputed in the backward and the statistics need not be: `groupNormStats` (x -> mean and
 * 1/deviation per group, kept) and `groupNormApply` (x, statistics -> y, recomputed).
 */
import { groupNormDxOp } from "./group-norm-dx.ts";
import { groupNormSizes, rowChunks, type GroupNormAttrs } from "./group-norm-sizes.ts";
import { addNormGradients } from "./norm-param-grad.ts";
import { single } from "../graph/autodiff.ts";
import { dim, elementCount, type Tensor } from "../graph/tensor.ts";
import { ceilDiv, spread } from "../tier.ts";
import type { Graph } from "../graph/graph.ts";
import type { OpDef, RefMap } from "../graph/op.ts";
import applySource from "../kernels/group-norm-apply.wgsl?raw";
import finishSource from "../kernels/group-norm-finish.wgsl?raw";
import partialSource from "../kernels/group-norm-partial.wgsl?raw";

const partialKernel = { name: "group-norm-partial", source: partialSource };
const finishKernel = { name: "group-norm-finish", source: finishSource };
const applyKernel = { name: "group-norm-apply", source: applySource };

/** x [B, ..., C] -> [B, groups, 2]: mean and 1/sqrt(variance + eps), population variance. */
export const groupNormStatsOp: OpDef<{ groups: number; eps: number }> = {
  kind: "groupNormStats",
  outputs: ({ x }, { groups }) => [{ shape: [dim(x!, 0), groups, 2], keep: "always" }],
  lower(ctx, { groups, eps }) {
    const x = ctx.input("x");
    const { batch, channels, rows, defines } = groupNormSizes(x, groups);
    const { chunks, chunkRows } = rowChunks(ctx.tier, batch, rows, channels);
    const partial = ctx.scratch([batch, chunks, 2, channels]);
    const count = batch * chunks * (channels / 4);
    return [
      {
        kernel: partialKernel,
        defines: { C4: defines.C4 },
        bindings: { x, partial },
        params: { rows, chunks, chunkRows, count },
        grid: spread(ceilDiv(count, 64)),
      },
      {
        kernel: finishKernel,
        defines,
        bindings: { partial, stats: ctx.output() },
        params: { rows, chunks, chunkRows, eps },
        grid: spread(batch * groups),
      },
    ];
  },
  reference: ({ x }, { groups, eps }) => {
    const { shape, data } = x!;
    const channels = shape.at(-1)!;
    const batch = shape[0]!;
    const rows = data.length / batch / channels;
    const perGroup = channels / groups;
    const stats = new Float64Array(batch * groups * 2);
    for (let b = 0; b < batch; b++) {
      for (let g = 0; g < groups; g++) {
        const values: number[] = [];
        for (let r = 0; r < rows; r++) {
          const at = (b * rows + r) * channels + g * perGroup;
          values.push(...data.subarray(at, at + perGroup));
        }
        const mean = values.reduce((a, v) => a + v, 0) / values.length;
        const variance = values.reduce((a, v) => a + (v - mean) ** 2, 0) / values.length;
        stats.set([mean, 1 / Math.sqrt(variance + eps)], (b * groups + g) * 2);
      }
    }
    return [stats];
  },
};

/**
 * y = (x - mean) * rstd * gamma + beta, through SiLU if asked for.
 * Its gradient for x is the complete one, with the statistics as functions of x; `stats` receives none.
 */
export const groupNormApplyOp: OpDef<GroupNormAttrs> = {
  kind: "groupNorm",
  outputs: ({ x }) => [{ shape: x!.shape, dtype: "activation", keep: "recompute" }],
  gradient(ctx, attrs) {
    const { x, stats, gamma, beta } = ctx.inputs;
    const dy = ctx.dy()!;
    addNormGradients(ctx, dy, stats!, attrs);
    if (!ctx.needs("x")) return;
    ctx.accumulate("x", (addend) =>
      single(ctx.graph.add(groupNormDxOp, { x: ctx.saved(x!), dy, stats: ctx.saved(stats!), gamma, beta, addend }, attrs)),
    );
  },
  lower(ctx, { groups, silu }) {
    const x = ctx.input("x");
    const { rows, defines } = groupNormSizes(x, groups);
    const count = elementCount(x.shape) / 4;
    return [
      {
        kernel: applyKernel,
        defines: { ...defines, SILU: silu },
        bindings: { x, stats: ctx.input("stats"), gamma: ctx.input("gamma"), beta: ctx.input("beta"), y: ctx.output() },
        params: { perBatch: rows * defines.C4, count },
        grid: spread(ceilDiv(count, 256)),
      },
    ];
  },
  reference: (inputs, attrs) => [
    normalized(inputs, attrs.groups, (xhat, gamma, beta) => {
      const z = xhat * gamma + beta;
      return attrs.silu ? z / (1 + Math.exp(-z)) : z;
    }),
  ],
};

/** Maps every element of x through f(xhat, gamma, beta). */
function normalized(inputs: RefMap, groups: number, f: (xhat: number, gamma: number, beta: number) => number): Float64Array {
  const { x, stats, gamma, beta } = inputs;
  const channels = x!.shape.at(-1)!;
  const perBatch = x!.data.length / x!.shape[0]!;
  return x!.data.map((value, i) => {
    const c = i % channels;
    const group = Math.floor(i / perBatch) * groups + Math.floor(c / (channels / groups));
    const xhat = (value - stats!.data[group * 2]!) * stats!.data[group * 2 + 1]!;
    return f(xhat, gamma!.data[c]!, beta!.data[c]!);
  });
}

/**
 * Adds group normalization to the graph: x [B, ..., C] f32, gamma and beta [C] f32.
 * @returns y, shaped like x
 */
export function groupNorm(
  graph: Graph,
  { x, gamma, beta, groups = 32, eps, silu = false }: { x: Tensor; gamma: Tensor; beta: Tensor; groups?: number; eps: number; silu?: boolean },
): Tensor {
  const stats = single(graph.add(groupNormStatsOp, { x }, { groups, eps }));
  return single(graph.add(groupNormApplyOp, { x, stats, gamma, beta }, { groups, silu }));
}
