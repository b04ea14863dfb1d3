/**
 * Gradient of attention in two kernels that each own their result, so that nothing is summed atomically and a step
 * repeats bit for bit: one owns keys and walks the queries (dk, dv), one owns queries and walks the keys (dq).
 */
import { elementCount } from "../graph/tensor.ts";
import { ceilDiv, spread } from "../tier.ts";
import { attentionSizes, divideAttention, refColumns, scoredPairs, scoreScale, splitHeads, type AttentionAttrs } from "./attention-layout.ts";
import type { OpDef } from "../graph/op.ts";
import type { KernelCall } from "../graph/lower.ts";
import deltaSource from "../kernels/attention-delta.wgsl?raw";
import directSource from "../kernels/attention-dx-direct.wgsl?raw";
import layoutSource from "../kernels/attention-layout.wgsl?raw";
import tiledSource from "../kernels/attention-dx-tiled.wgsl?raw";

export interface AttentionDxAttrs extends AttentionAttrs {
  /** q and kv are one tensor, and so is their gradient. */
  readonly stacked: boolean;
  /** Which gradients are wanted if not stacked. */
  readonly wantQ: boolean;
  readonly wantKv: boolean;
}

const deltaKernel = { name: "attention-delta", source: deltaSource };
const kernels = {
  direct: { name: "attention-dx-direct", source: layoutSource + directSource },
  tiled: { name: "attention-dx-tiled", source: layoutSource + tiledSource },
} as const;

/** Inputs q, kv, o, lse, dy -> the gradient of the stacked tensor, or those of q and kv that are wanted. */
export const attentionDxOp: OpDef<AttentionDxAttrs> = {
  kind: "attentionDx",
  outputs: ({ q, kv }, { stacked, wantQ, wantKv }) => [
    ...(stacked || wantQ ? [{ shape: q!.shape, dtype: "activation" } as const] : []),
    ...(wantKv ? [{ shape: kv!.shape, dtype: "activation" } as const] : []),
  ],
  lower(ctx, attrs) {
    const { heads, stacked, wantQ, wantKv } = attrs;
    const q = ctx.input("q");
    const kv = ctx.input("kv");
    const dy = ctx.input("dy");
    const { batch, queries, keys, params } = attentionSizes(q, kv, attrs);
    const division = divideAttention(ctx.tier, attrs, "backward");
    const delta = ctx.scratch([batch, heads, queries]);
    const count = elementCount(delta.shape);
    const pass = (ownsKeys: boolean, output: number): KernelCall[] => {
      const flopsPerHead = (ownsKeys ? 8 : 6) * attrs.headDim * scoredPairs(queries, keys, attrs.causal);
      return splitHeads(batch * heads, flopsPerHead, attrs).map((heads) => ({
        kernel: kernels[ctx.tier.matrixStyle],
        defines: { ...division.defines, KEYS: ownsKeys },
        bindings: { q, kv, dy, lse: ctx.input("lse"), delta, dx: ctx.output(output) },
        params: { ...params, ...division.params, firstHead: heads.firstHead },
        grid: [ceilDiv(ownsKeys ? keys : queries, division.rowsPerGroup), heads.count, 1],
      }));
    };
    return [
      {
        kernel: deltaKernel,
        defines: { D4: attrs.headDim / 4 },
        bindings: { o: ctx.input("o"), dy, delta },
        params: { heads, queries, count },
        grid: spread(ceilDiv(count, 64)),
      },
      ...(stacked || wantQ ? pass(false, 0) : []),
      ...(stacked || wantKv ? pass(true, wantQ ? 1 : 0) : []),
    ];
  },
  flops({ q, kv }, attrs) {
    const { batch, queries, keys } = attentionSizes(q!, kv!, attrs);
    const products = (attrs.stacked || attrs.wantQ ? 3 : 0) + (attrs.stacked || attrs.wantKv ? 4 : 0);
    return 2 * products * batch * attrs.heads * attrs.headDim * scoredPairs(queries, keys, attrs.causal);
  },
  reference({ q, kv, o, lse, dy }, attrs) {
    const { heads, headDim, causal, stacked, wantQ, wantKv } = attrs;
    const [batch = 0, queries = 0] = q!.shape;
    const keys = kv!.shape[1]!;
    const qAt = refColumns(q!, attrs.qOffset, headDim);
    const kAt = refColumns(kv!, attrs.kOffset, headDim);
    const vAt = refColumns(kv!, attrs.vOffset, headDim);
    const oAt = refColumns(o!, 0, headDim);
    const scale = scoreScale(attrs);
    const dq = new Float64Array(q!.data.length);
    const dkv = stacked ? dq : new Float64Array(kv!.data.length);
    for (let b = 0; b < batch; b++) {
      for (let h = 0; h < heads; h++) {
        for (let s = 0; s < queries; s++) {
          let delta = 0;
          for (let d = 0; d < headDim; d++) delta += dy!.data[oAt(b, s, h, d)]! * o!.data[oAt(b, s, h, d)]!;
          for (let t = 0; t < (causal ? s + 1 : keys); t++) {
            let score = 0;
            let dp = 0;
            for (let d = 0; d < headDim; d++) {
              score += q!.data[qAt(b, s, h, d)]! * kv!.data[kAt(b, t, h, d)]!;
              dp += dy!.data[oAt(b, s, h, d)]! * kv!.data[vAt(b, t, h, d)]!;
            }
            const weight = Math.exp(score * scale - lse!.data[(b * heads + h) * queries + s]!);
            const ds = weight * (dp - delta) * scale;
            for (let d = 0; d < headDim; d++) {
              dq[qAt(b, s, h, d)]! += ds * kv!.data[kAt(b, t, h, d)]!;
              dkv[kAt(b, t, h, d)]! += ds * q!.data[qAt(b, s, h, d)]!;
              dkv[vAt(b, t, h, d)]! += weight * dy!.data[oAt(b, s, h, d)]!;
            }
          }
        }
      }
    }
    return [...(stacked || wantQ ? [dq] : []), ...(wantKv ? [dkv] : [])];
  },
};
