/** Layer normalization over the last dimension; y is recomputed in the backward. */
import { invariant } from "../../errors.ts";
import { single } from "../graph/autodiff.ts";
import { lastDim, rowCount, type Tensor } from "../graph/tensor.ts";
import { ceilDiv, spread, type Tier } from "../tier.ts";
import { addNormGradients } from "./norm-param-grad.ts";
import type { Graph } from "../graph/graph.ts";
import type { OpDef } from "../graph/op.ts";
import dxSource from "../kernels/layer-norm-dx.wgsl?raw";
import source from "../kernels/layer-norm.wgsl?raw";

const kernel = { name: "layer-norm", source };
const dxKernel = { name: "layer-norm-dx", source: dxSource };

/** Invocations that share a row and rows of a workgroup. Without workgroup memory each invocation has its own row. */
function rowSplit(tier: Tier, channels: number): { LANES: number; ROWS: number; SHARED: boolean } {
  invariant(channels % 4 === 0, `layer norm wants channels in multiples of 4, got ${channels}`);
  if (tier.matrixStyle === "direct") return { LANES: 1, ROWS: 16, SHARED: false };
  let lanes = 4;
  while (lanes < 64 && lanes * 4 < channels) lanes *= 2;
  return { LANES: lanes, ROWS: 64 / lanes, SHARED: true };
}

/** The gradient for x. Inputs x, dy, stats, gamma and optionally an addend -> dx (+ addend), shaped like x. */
const layerNormDxOp: OpDef<object> = {
  kind: "layerNormDx",
  outputs: ({ x }) => [{ shape: x!.shape, dtype: "activation" }],
  lower(ctx) {
    const x = ctx.input("x");
    const channels = lastDim(x);
    const rows = rowCount(x);
    const split = rowSplit(ctx.tier, channels);
    const addend = ctx.optional("addend");
    return [
      {
        kernel: dxKernel,
        defines: { C: channels, C4: channels / 4, ...split, ADDEND: addend !== undefined },
        bindings: {
          x,
          dy: ctx.input("dy"),
          stats: ctx.input("stats"),
          gamma: ctx.input("gamma"),
          ...(addend === undefined ? {} : { addend }),
          dx: ctx.output(),
        },
        params: { rows },
        grid: spread(ceilDiv(rows, split.ROWS)),
      },
    ];
  },
  reference: ({ x, dy, stats, gamma, addend }) => {
    const channels = x!.shape.at(-1)!;
    const dx = new Float64Array(x!.data.length);
    for (let r = 0; r < x!.data.length / channels; r++) {
      const mean = stats!.data[r * 2]!;
      const rstd = stats!.data[r * 2 + 1]!;
      const g = gamma!.data.map((scale, c) => dy!.data[r * channels + c]! * scale);
      const xhat = g.map((_, c) => (x!.data[r * channels + c]! - mean) * rstd);
      const meanG = g.reduce((a, v) => a + v, 0) / channels;
      const meanGx = g.reduce((a, v, c) => a + v * xhat[c]!, 0) / channels;
      g.forEach((value, c) => {
        const at = r * channels + c;
        dx[at] = rstd * (value - meanG - xhat[c]! * meanGx) + (addend?.data[at] ?? 0);
      });
    }
    return [dx];
  },
};

/** x [..., C], gamma, beta [C] f32 -> y shaped like x, and [rows, 2] mean and 1/sqrt(variance + eps). */
export const layerNormOp: OpDef<{ eps: number }> = {
  kind: "layerNorm",
  outputs: ({ x }) => [{ shape: x!.shape, dtype: "activation", keep: "recompute" }, { shape: [rowCount(x!), 2], keep: "always" }],
  gradient(ctx) {
    const { x, gamma } = ctx.inputs;
    const dy = ctx.dy();
    if (dy === undefined) return;
    addNormGradients(ctx, dy, ctx.outputs[1]!);
    if (!ctx.needs("x")) return;
    ctx.accumulate("x", (addend) =>
      single(ctx.graph.add(layerNormDxOp, { x: ctx.saved(x!), dy, stats: ctx.saved(ctx.outputs[1]!), gamma, addend }, {})),
    );
  },
  lower(ctx, { eps }) {
    const x = ctx.input("x");
    const channels = lastDim(x);
    const rows = rowCount(x);
    const split = rowSplit(ctx.tier, channels);
    return [
      {
        kernel,
        defines: { C: channels, C4: channels / 4, ...split },
        bindings: { x, gamma: ctx.input("gamma"), beta: ctx.input("beta"), y: ctx.output(0), stats: ctx.output(1) },
        params: { rows, eps },
        grid: spread(ceilDiv(rows, split.ROWS)),
      },
    ];
  },
  reference: ({ x, gamma, beta }, { eps }) => {
    const channels = x!.shape.at(-1)!;
    const rows = x!.data.length / channels;
    const y = new Float64Array(x!.data.length);
    const stats = new Float64Array(rows * 2);
    for (let r = 0; r < rows; r++) {
      const row = x!.data.subarray(r * channels, (r + 1) * channels);
      const mean = row.reduce((a, v) => a + v, 0) / channels;
      const variance = row.reduce((a, v) => a + (v - mean) ** 2, 0) / channels;
      const rstd = 1 / Math.sqrt(variance + eps);
      row.forEach((value, c) => (y[r * channels + c] = (value - mean) * rstd * gamma!.data[c]! + beta!.data[c]!));
      stats.set([mean, rstd], r * 2);
    }
    return [y, stats];
  },
};

/** Adds layer normalization to the graph. @returns y, shaped like x */
export function layerNorm(
  graph: Graph,
  { x, gamma, beta, eps = 1e-5 }: { x: Tensor; gamma: Tensor; beta: Tensor; eps?: number },
): Tensor {
  return single(graph.add(layerNormOp, { x, gamma, beta }, { eps }));
}
