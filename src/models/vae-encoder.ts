/** The VAE's encoder as a graph (forward only: it runs once per picture, before training). */
import type { Tensor } from "../gpu/graph/tensor.ts";
import { vaeAttention, vaeEps, vaeResBlock } from "./vae-blocks.ts";
import type { VaeConfig } from "./checkpoint-types.ts";
import type { ModelBuilder } from "./model-builder.ts";

/**
 * @param image [B, H, W, 4]: RGB in [-1, 1] and a zero channel
 * @returns posterior moments [B, H/8, W/8, 2·embedDim]: means, then log variances
 */
export function buildVaeEncoder(b: ModelBuilder, config: VaeConfig, image: Tensor): Tensor {
  const { graph } = b;
  const root = `${config.prefix}.encoder`;
  let h = graph.scope(root, () => b.conv3x3(image, `${root}.conv_in`));
  for (let level = 0; level < config.chMult.length; level++) {
    for (let block = 0; block < config.numResBlocks; block++) h = vaeResBlock(b, h, `${root}.down.${level}.block.${block}`);
    const down = `${root}.down.${level}.downsample.conv`;
    if (b.has(`${down}.weight`)) {
      h = graph.scope(down, () => b.conv3x3(h, down, { stride: 2, pad: { top: 0, left: 0, bottom: 1, right: 1 } }));
    }
  }
  h = vaeResBlock(b, h, `${root}.mid.block_1`);
  h = vaeAttention(b, h, `${root}.mid.attn_1`);
  h = vaeResBlock(b, h, `${root}.mid.block_2`);
  return graph.scope(`${root}.out`, () => {
    const moments = b.conv3x3(b.groupNorm(h, `${root}.norm_out`, vaeEps, true), `${root}.conv_out`);
    return b.linear(moments, `${config.prefix}.quant_conv`);
  });
}
