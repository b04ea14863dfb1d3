/** The VAE's encoder as a graph (forward only: it runs once per picture, before training). */
import { dim, type Tensor } from "../gpu/graph/tensor.ts";
import { selfAttention } from "../gpu/ops/attention.ts";
import type { VaeConfig } from "./checkpoint-types.ts";
import type { ModelBuilder } from "./model-builder.ts";

const eps = 1e-6;

/**
 * @param image [B, H, W, 4]: RGB in [-1, 1] and a zero channel
 * @returns posterior moments [B, H/8, W/8, 2·embedDim]: means, then log variances
 */
export function buildVaeEncoder(b: ModelBuilder, config: VaeConfig, image: Tensor): Tensor {
  const { graph } = b;
  const root = `${config.prefix}.encoder`;
  const res = (x: Tensor, prefix: string): Tensor =>
    graph.scope(prefix, () => {
      const h = b.conv3x3(b.groupNorm(x, `${prefix}.norm1`, eps, true), `${prefix}.conv1`);
      const skip = b.has(`${prefix}.nin_shortcut.weight`) ? b.linear(x, `${prefix}.nin_shortcut`) : x;
      return b.conv3x3(b.groupNorm(h, `${prefix}.norm2`, eps, true), `${prefix}.conv2`, { addend: skip });
    });

  let h = graph.scope(root, () => b.conv3x3(image, `${root}.conv_in`));
  for (let level = 0; level < config.chMult.length; level++) {
    for (let block = 0; block < config.numResBlocks; block++) h = res(h, `${root}.down.${level}.block.${block}`);
    const down = `${root}.down.${level}.downsample.conv`;
    if (b.has(`${down}.weight`)) {
      h = graph.scope(down, () => b.conv3x3(h, down, { stride: 2, pad: { top: 0, left: 0, bottom: 1, right: 1 } }));
    }
  }
  h = res(h, `${root}.mid.block_1`);
  h = graph.scope(`${root}.mid.attn_1`, () => attention(b, h, `${root}.mid.attn_1`));
  h = res(h, `${root}.mid.block_2`);
  return graph.scope(`${root}.out`, () => {
    const moments = b.conv3x3(b.groupNorm(h, `${root}.norm_out`, eps, true), `${root}.conv_out`);
    return b.linear(moments, `${config.prefix}.quant_conv`);
  });
}

/** One head over all positions. */
function attention(b: ModelBuilder, x: Tensor, prefix: string): Tensor {
  const { graph } = b;
  const channels = dim(x, 3);
  const names = ["q", "k", "v"].map((name) => `${prefix}.${name}`);
  const tokens = [dim(x, 0), dim(x, 1) * dim(x, 2), channels];
  const normed = graph.view(b.groupNorm(x, `${prefix}.norm`, eps, false), tokens);
  const parts = names.map((name) => ({ key: `${name}.weight` }));
  const qkv = b.stacked(normed, parts, b.vector(...names.map((name) => `${name}.bias`)));
  const attended = selfAttention(graph, qkv, { heads: 1 });
  return graph.view(b.linear(attended, `${prefix}.proj_out`, { addend: graph.view(x, tokens) }), x.shape);
}
