/** What the VAE's encoder and decoder share: residual blocks without time, and attention with one head. */
import { dim, type Tensor } from "../gpu/graph/tensor.ts";
import { selfAttention } from "../gpu/ops/attention.ts";
import type { ModelBuilder } from "./model-builder.ts";

/** Of all norms in the VAE. */
export const vaeEps = 1e-6;

export function vaeResBlock(b: ModelBuilder, x: Tensor, prefix: string): Tensor {
  return b.graph.scope(prefix, () => {
    const h = b.conv3x3(b.groupNorm(x, `${prefix}.norm1`, vaeEps, true), `${prefix}.conv1`);
    const skip = b.has(`${prefix}.nin_shortcut.weight`) ? b.linear(x, `${prefix}.nin_shortcut`) : x;
    return b.conv3x3(b.groupNorm(h, `${prefix}.norm2`, vaeEps, true), `${prefix}.conv2`, { addend: skip });
  });
}

/** One head over all positions. */
export function vaeAttention(b: ModelBuilder, x: Tensor, prefix: string): Tensor {
  const { graph } = b;
  return graph.scope(prefix, () => {
    const names = ["q", "k", "v"].map((name) => `${prefix}.${name}`);
    const tokens = [dim(x, 0), dim(x, 1) * dim(x, 2), dim(x, 3)];
    const normed = graph.view(b.groupNorm(x, `${prefix}.norm`, vaeEps, false), tokens);
    const parts = names.map((name) => ({ key: `${name}.weight` }));
    const qkv = b.stacked(normed, parts, b.vector(...names.map((name) => `${name}.bias`)));
    const attended = selfAttention(graph, qkv, { heads: 1 });
    return graph.view(b.linear(attended, `${prefix}.proj_out`, { addend: graph.view(x, tokens) }), x.shape);
  });
}
