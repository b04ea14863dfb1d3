/** Gradient of group normalization (with SiLU if fused) for its input; the statistics are treated as functions of x. */
import { elementCount } from "../graph/tensor.ts";
import { ceilDiv, spread } from "../tier.ts";
import { groupNormSizes, rowChunks, type GroupNormAttrs } from "./group-norm-sizes.ts";
import type { OpDef } from "../graph/op.ts";
import dxSource from "../kernels/group-norm-dx.wgsl?raw";
import finishSource from "../kernels/group-norm-dx-finish.wgsl?raw";
import partialSource from "../kernels/group-norm-dx-partial.wgsl?raw";

export const groupNormPartialKernel = { name: "group-norm-dx-partial", source: partialSource };
const finishKernel = { name: "group-norm-dx-finish", source: finishSource };
const dxKernel = { name: "group-norm-dx", source: dxSource };

/** Inputs x, dy, stats, gamma, beta and optionally an addend -> dx (+ addend), shaped like x. */
export const groupNormDxOp: OpDef<GroupNormAttrs> = {
  kind: "groupNormDx",
  outputs: ({ x }) => [{ shape: x!.shape, dtype: "activation" }],
  lower(ctx, { groups, silu }) {
    const x = ctx.input("x");
    const { batch, channels, rows, defines } = groupNormSizes(x, groups);
    const { chunks, chunkRows } = rowChunks(ctx.tier, batch, rows, channels);
    const partial = ctx.scratch([batch, chunks, 2, channels]);
    const means = ctx.scratch([batch, groups, 2]);
    const shared = { x, dy: ctx.input("dy"), stats: ctx.input("stats"), gamma: ctx.input("gamma"), beta: ctx.input("beta") };
    const addend = ctx.optional("addend");
    const partialCount = batch * chunks * (channels / 4);
    const count = elementCount(x.shape) / 4;
    return [
      {
        kernel: groupNormPartialKernel,
        defines: { ...defines, SILU: silu, PARAMS: false },
        bindings: { ...shared, partial },
        params: { rows, chunks, chunkRows, count: partialCount },
        grid: spread(ceilDiv(partialCount, 64)),
      },
      { kernel: finishKernel, defines, bindings: { partial, means }, params: { rows, chunks }, grid: spread(batch * groups) },
      {
        kernel: dxKernel,
        defines: { ...defines, SILU: silu, ADDEND: addend !== undefined },
        bindings: { ...shared, means, ...(addend === undefined ? {} : { addend }), dx: ctx.output() },
        params: { perBatch: rows * defines.C4, count },
        grid: spread(ceilDiv(count, 256)),
      },
    ];
  },
  reference: ({ x, dy, stats, gamma, beta, addend }, { groups, silu }) => {
    const channels = x!.shape.at(-1)!;
    const perGroup = channels / groups;
    const perBatch = x!.data.length / x!.shape[0]!;
    const groupOf = (i: number): number => Math.floor(i / perBatch) * groups + Math.floor((i % channels) / perGroup);
    const xhat = x!.data.map((value, i) => (value - stats!.data[groupOf(i) * 2]!) * stats!.data[groupOf(i) * 2 + 1]!);
    const g = dy!.data.map((value, i) => {
      const scale = gamma!.data[i % channels]!;
      const z = xhat[i]! * scale + beta!.data[i % channels]!;
      const sigmoid = 1 / (1 + Math.exp(-z));
      return value * scale * (silu ? sigmoid * (1 + z * (1 - sigmoid)) : 1);
    });
    const meanG = new Float64Array(stats!.data.length / 2);
    const meanGx = new Float64Array(stats!.data.length / 2);
    const size = (perBatch / channels) * perGroup;
    g.forEach((value, i) => {
      meanG[groupOf(i)]! += value / size;
      meanGx[groupOf(i)]! += (value * xhat[i]!) / size;
    });
    return [
      g.map((value, i) => {
        const rstd = stats!.data[groupOf(i) * 2 + 1]!;
        return rstd * (value - meanG[groupOf(i)]! - xhat[i]! * meanGx[groupOf(i)]!) + (addend?.data[i] ?? 0);
      }),
    ];
  },
};
