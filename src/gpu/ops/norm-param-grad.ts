/**
 * Gradients of a trained norm's gamma and beta, added in place: beta's is the sum over the rows of g, gamma's that of
 * g * xhat, where g is dy, through the SiLU behind a group norm. Deterministic: chunks of rows are added in order.
 */
import { elementCount, lastDim, rowCount, type Tensor } from "../graph/tensor.ts";
import { ceilDiv, spread } from "../tier.ts";
import { groupNormPartialKernel } from "./group-norm-dx.ts";
import { groupNormSizes, rowChunks, type GroupNormAttrs } from "./group-norm-sizes.ts";
import type { GradientContext } from "../graph/autodiff.ts";
import type { KernelCall, LowerContext } from "../graph/lower.ts";
import type { OpDef, RefMap } from "../graph/op.ts";
import finishSource from "../kernels/norm-param-grad-finish.wgsl?raw";
import layerPartialSource from "../kernels/layer-norm-param-partial.wgsl?raw";

const finishKernel = { name: "norm-param-grad-finish", source: finishSource };
const layerPartialKernel = { name: "layer-norm-param-partial", source: layerPartialSource };

/** Inputs x, dy, stats [rows, 2]. */
const layerNormParamGradOp: OpDef<object> = {
  kind: "layerNormParamGrad",
  outputs: () => [],
  lower(ctx) {
    const x = ctx.input("x");
    const [channels, rows] = [lastDim(x), rowCount(x)];
    const { chunks, chunkRows } = rowChunks(ctx.tier, 1, rows, channels);
    const partial = ctx.scratch([chunks, 2, channels]);
    const count = (chunks * channels) / 4;
    const partialCall: KernelCall = {
      kernel: layerPartialKernel,
      defines: {},
      bindings: { x, dy: ctx.input("dy"), stats: ctx.input("stats"), partial },
      params: { rows, chunkRows, channels4: channels / 4, count },
      grid: spread(ceilDiv(count, 64)),
    };
    return [partialCall, finishCall(ctx, partial, chunks, channels)];
  },
  reference({ x, dy, stats, ...grads }) {
    const channels = x!.shape.at(-1)!;
    return sums(grads, channels, dy!.data, (i) => {
      const row = Math.floor(i / channels);
      return (x!.data[i]! - stats!.data[row * 2]!) * stats!.data[row * 2 + 1]!;
    });
  },
};

/** Inputs x, dy, stats [B, groups, 2], gamma and beta. */
const groupNormParamGradOp: OpDef<GroupNormAttrs> = {
  kind: "groupNormParamGrad",
  outputs: () => [],
  lower(ctx, { groups, silu }) {
    const x = ctx.input("x");
    const { batch, channels, rows, defines } = groupNormSizes(x, groups);
    const { chunks, chunkRows } = rowChunks(ctx.tier, batch, rows, channels);
    const partial = ctx.scratch([batch, chunks, 2, channels]);
    const count = batch * chunks * (channels / 4);
    const partialCall: KernelCall = {
      kernel: groupNormPartialKernel,
      defines: { ...defines, SILU: silu, PARAMS: true },
      bindings: { x, dy: ctx.input("dy"), stats: ctx.input("stats"), gamma: ctx.input("gamma"), beta: ctx.input("beta"), partial },
      params: { rows, chunks, chunkRows, count },
      grid: spread(ceilDiv(count, 64)),
    };
    return [partialCall, finishCall(ctx, partial, batch * chunks, channels)];
  },
  reference({ x, dy, stats, gamma, beta, ...grads }, { groups, silu }) {
    const channels = x!.shape.at(-1)!;
    const perBatch = elementCount(x!.shape.slice(1));
    const xhat = (i: number): number => {
      const group = Math.floor(i / perBatch) * groups + Math.floor((i % channels) / (channels / groups));
      return (x!.data[i]! - stats!.data[group * 2]!) * stats!.data[group * 2 + 1]!;
    };
    const g = dy!.data.map((value, i) => {
      const z = xhat(i) * gamma!.data[i % channels]! + beta!.data[i % channels]!;
      const sigmoid = 1 / (1 + Math.exp(-z));
      return value * (silu ? sigmoid * (1 + z * (1 - sigmoid)) : 1);
    });
    return sums(grads, channels, g, xhat);
  },
};

function finishCall(ctx: LowerContext, partial: Tensor, parts: number, channels: number): KernelCall {
  const count = channels / 4;
  const bindings = { partial, gradGamma: ctx.accumulated("gradGamma"), gradBeta: ctx.accumulated("gradBeta") };
  return { kernel: finishKernel, defines: {}, bindings, params: { parts, count }, grid: spread(ceilDiv(count, 64)) };
}

function sums({ gradGamma, gradBeta }: RefMap, channels: number, g: Float64Array, xhat: (i: number) => number): Float64Array[] {
  const [gamma, beta] = [Float64Array.from(gradGamma!.data), Float64Array.from(gradBeta!.data)];
  g.forEach((value, i) => {
    beta[i % channels]! += value;
    gamma[i % channels]! += value * xhat(i);
  });
  return [gamma, beta];
}

/** Adds to the gradients of a norm's gamma and beta where they are trained (both are, or none). @param groups of a group norm */
export function addNormGradients(ctx: GradientContext, dy: Tensor, stats: Tensor, groups?: GroupNormAttrs): void {
  if (!ctx.needs("gamma")) return;
  const { x, gamma, beta } = ctx.inputs;
  const inputs = { x: ctx.saved(x!), dy, stats: ctx.saved(stats) };
  const grads = { gradGamma: ctx.gradOf("gamma"), gradBeta: ctx.gradOf("beta") };
  if (groups === undefined) ctx.accumulateParam(layerNormParamGradOp, inputs, grads, {});
  else ctx.accumulateParam(groupNormParamGradOp, { ...inputs, gamma, beta }, grads, groups);
}
