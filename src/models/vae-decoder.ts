/** The VAE's decoder as a graph: from latents to a picture. */
import { dim, type Tensor } from "../gpu/graph/tensor.ts";
import { upsampleNearest } from "../gpu/ops/upsample.ts";
import { vaeAttention, vaeResBlock, vaeEps } from "./vae-blocks.ts";
import type { VaeConfig } from "./checkpoint-types.ts";
import type { ModelBuilder } from "./model-builder.ts";

/**
 * @param latents [B, h, w, 4], already divided by the scale factor
 * @returns [B, 8h, 8w, 4]: RGB, roughly in [-1, 1], and a channel without meaning (the last convolution is padded)
 */
export function buildVaeDecoder(b: ModelBuilder, config: VaeConfig, latents: Tensor): Tensor {
  const { graph } = b;
  const root = `${config.prefix}.decoder`;
  let h = graph.scope(root, () => b.conv3x3(b.linear(latents, `${config.prefix}.post_quant_conv`), `${root}.conv_in`));
  h = vaeResBlock(b, h, `${root}.mid.block_1`);
  h = vaeAttention(b, h, `${root}.mid.attn_1`);
  h = vaeResBlock(b, h, `${root}.mid.block_2`);
  for (let level = config.chMult.length - 1; level >= 0; level--) {
    for (let block = 0; block <= config.numResBlocks; block++) h = vaeResBlock(b, h, `${root}.up.${level}.block.${block}`);
    const up = `${root}.up.${level}.upsample.conv`;
    if (b.has(`${up}.weight`)) {
      h = graph.scope(up, () => b.conv3x3(upsampleNearest(graph, h, dim(h, 1) * 2, dim(h, 2) * 2), up));
    }
  }
  return graph.scope(`${root}.out`, () => b.conv3x3(b.groupNorm(h, `${root}.norm_out`, vaeEps, true), `${root}.conv_out`));
}
