/**
 * Multi-head attention that reads queries, keys and values where the projections left them (column ranges, no
 * transposes) and never stores the score matrix: online softmax over blocks of keys, f32 throughout. Keeps the output
 * and the log-sum-exp of every row for the backward, which computes the scores again.
 */
import { invariant } from "../../errors.ts";
import { single } from "../graph/autodiff.ts";
import { dim, type Tensor } from "../graph/tensor.ts";
import { ceilDiv } from "../tier.ts";
import { attentionDxOp } from "./attention-dx.ts";
import { attentionSizes, divideAttention, refColumns, scoredPairs, scoreScale, splitHeads, type AttentionAttrs } from "./attention-layout.ts";
import type { Graph } from "../graph/graph.ts";
import type { OpDef } from "../graph/op.ts";
import directSource from "../kernels/attention-direct.wgsl?raw";
import layoutSource from "../kernels/attention-layout.wgsl?raw";
import tiledSource from "../kernels/attention-tiled.wgsl?raw";

const kernels = {
  direct: { name: "attention-direct", source: layoutSource + directSource },
  tiled: { name: "attention-tiled", source: layoutSource + tiledSource },
} as const;

/**
 * q [B, S, *], kv [B, T, *] (the same tensor for stacked self-attention) -> o [B, S, heads * headDim] and the natural
 * log-sum-exp of the scaled scores [B, heads, S].
 */
export const attentionOp: OpDef<AttentionAttrs> = {
  kind: "attention",
  outputs({ q, kv }, attrs) {
    const { batch, queries } = attentionSizes(q!, kv!, attrs);
    return [{ shape: [batch, queries, attrs.heads * attrs.headDim], dtype: "activation" }, { shape: [batch, attrs.heads, queries] }];
  },
  gradient(ctx, attrs) {
    const { q, kv } = ctx.inputs;
    const [o, lse] = ctx.outputs;
    const dy = ctx.dy();
    invariant(dy !== undefined, "the log-sum-exp of attention has no gradient");
    const width = attrs.heads * attrs.headDim;
    const stacked = q === kv;
    const wantQ = !stacked && ctx.needs("q");
    const wantKv = !stacked && ctx.needs("kv");
    // The gradient kernels write the columns that attention reads: these must be all there are.
    invariant(!stacked || dim(q!, 2) === 3 * width, "stacked attention wants 3 * heads * headDim columns");
    invariant(!wantQ || dim(q!, 2) === width, "the query tensor has columns that attention does not read");
    invariant(!wantKv || dim(kv!, 2) === 2 * width, "the key/value tensor has columns that attention does not read");
    const saved = { q: ctx.saved(q!), kv: ctx.saved(kv!), o: ctx.saved(o!), lse: ctx.saved(lse!) };
    const gradients = ctx.graph.add(attentionDxOp, { ...saved, dy }, { ...attrs, stacked, wantQ, wantKv });
    const names = stacked || wantQ ? (wantKv ? ["q", "kv"] : ["q"]) : ["kv"];
    names.forEach((name, i) => ctx.contribute(name, gradients[i]!));
  },
  lower(ctx, attrs) {
    const q = ctx.input("q");
    const kv = ctx.input("kv");
    const { batch, queries, keys, params } = attentionSizes(q, kv, attrs);
    const division = divideAttention(ctx.tier, attrs, "forward");
    const flopsPerHead = 4 * attrs.headDim * scoredPairs(queries, keys, attrs.causal);
    return splitHeads(batch * attrs.heads, flopsPerHead, attrs).map(({ firstHead, count }) => ({
      kernel: kernels[ctx.tier.matrixStyle],
      defines: division.defines,
      bindings: { q, kv, o: ctx.output(0), lse: ctx.output(1) },
      params: { ...params, ...division.params, firstHead },
      grid: [ceilDiv(queries, division.rowsPerGroup), count, 1],
    }));
  },
  flops({ q, kv }, attrs) {
    const { batch, queries, keys } = attentionSizes(q!, kv!, attrs);
    return 4 * batch * attrs.heads * attrs.headDim * scoredPairs(queries, keys, attrs.causal);
  },
  reference({ q, kv }, attrs) {
    const { heads, headDim, causal } = attrs;
    const [batch = 0, queries = 0] = q!.shape;
    const keys = kv!.shape[1]!;
    const qAt = refColumns(q!, attrs.qOffset, headDim);
    const kAt = refColumns(kv!, attrs.kOffset, headDim);
    const vAt = refColumns(kv!, attrs.vOffset, headDim);
    const scale = scoreScale(attrs);
    const o = new Float64Array(batch * queries * heads * headDim);
    const lse = new Float64Array(batch * heads * queries);
    for (let b = 0; b < batch; b++) {
      for (let h = 0; h < heads; h++) {
        for (let s = 0; s < queries; s++) {
          const seen = causal ? s + 1 : keys;
          const scores = Float64Array.from({ length: seen }, (_, t) => {
            let sum = 0;
            for (let d = 0; d < headDim; d++) sum += q!.data[qAt(b, s, h, d)]! * kv!.data[kAt(b, t, h, d)]!;
            return sum * scale;
          });
          const max = scores.reduce((a, x) => Math.max(a, x), -Infinity);
          const total = scores.reduce((a, x) => a + Math.exp(x - max), 0);
          lse[(b * heads + h) * queries + s] = max + Math.log(total);
          const to = ((b * queries + s) * heads + h) * headDim;
          scores.forEach((score, t) => {
            const weight = Math.exp(score - max) / total;
            for (let d = 0; d < headDim; d++) o[to + d]! += weight * kv!.data[vAt(b, t, h, d)]!;
          });
        }
      }
    }
    return [o, lse];
  },
};

/**
 * Self-attention over a stacked projection.
 * @param qkv [B, S, 3C]: queries, keys, values of C = heads * headDim columns each
 * @returns [B, S, C]
 */
export function selfAttention(graph: Graph, qkv: Tensor, { heads, causal = false }: { heads: number; causal?: boolean }): Tensor {
  const width = dim(qkv, 2) / 3;
  const attrs = { heads, headDim: width / heads, qOffset: 0, kOffset: width, vOffset: 2 * width, causal };
  return single(graph.add(attentionOp, { q: qkv, kv: qkv }, attrs).slice(0, 1));
}

/**
 * Attention of one sequence to another.
 * @param q [B, S, C]
 * @param kv [B, T, 2C] keys then values; or any width with `kvOffset` pointing at the keys, if kv needs no gradient
 * @returns [B, S, C]
 */
export function crossAttention(graph: Graph, q: Tensor, kv: Tensor, { heads, kvOffset = 0 }: { heads: number; kvOffset?: number }): Tensor {
  const width = dim(q, 2);
  const attrs = { heads, headDim: width / heads, qOffset: 0, kOffset: kvOffset, vOffset: kvOffset + width, causal: false };
  return single(graph.add(attentionOp, { q, kv }, attrs).slice(0, 1));
}
