/**
 * The SD1/SD2 UNet as a graph, walked block by block as the checkpoint's keys list them.
 * Maps are NHWC; inside a transformer they are viewed as [batch, tokens, channels].
 */
import { invariant } from "../errors.ts";
import { activation } from "../gpu/ops/activation.ts";
import { concat } from "../gpu/ops/concat.ts";
import { crossAttention, selfAttention } from "../gpu/ops/attention.ts";
import { geglu } from "../gpu/ops/geglu.ts";
import { upsampleNearest } from "../gpu/ops/upsample.ts";
import { dim, type Tensor } from "../gpu/graph/tensor.ts";
import type { BlockSpec, ResLayer, TransformerLayer, UNetConfig } from "./checkpoint-types.ts";
import type { ModelBuilder } from "./model-builder.ts";

export interface UNetInputs {
  /** Noisy latents [B, h, w, 4]. */
  readonly x: Tensor;
  /** Sinusoidal timestep embedding [B, modelChannels] (timestepEmbedding below). */
  readonly timestepEmbedding: Tensor;
  /** Text encoder output [B, T, contextDim]. */
  readonly context: Tensor;
}

/** Recompute the insides of blocks in the backward: all blocks, or those that the function picks. */
export type Checkpointing = boolean | ((block: string) => boolean);

/** @returns the prediction [B, h, w, 4] */
export function buildUNet(b: ModelBuilder, config: UNetConfig, inputs: UNetInputs, checkpointing: Checkpointing): Tensor {
  const { graph } = b;
  const { prefix } = config;
  const wantsCheckpoint = (block: string): boolean =>
    typeof checkpointing === "function" ? checkpointing(block) : checkpointing;

  const time = projectTime(b, config, inputs.timestepEmbedding);

  const runBlock = (block: BlockSpec, h: Tensor, skip?: Tensor, target?: readonly number[]): Tensor => {
    let x = skip === undefined ? h : graph.scope(block.prefix, () => concat(graph, h, skip));
    for (const layer of block.layers) {
      x = graph.scope(layer.prefix, () => {
        switch (layer.kind) {
          case "conv":
            return b.conv3x3(x, layer.prefix);
          case "down":
            return b.conv3x3(x, layer.prefix, { stride: 2 });
          case "up": {
            const [, height = 0, width = 0] = target ?? [0, dim(x, 1) * 2, dim(x, 2) * 2];
            return b.conv3x3(upsampleNearest(graph, x, height, width), layer.prefix);
          }
          case "res": {
            const shift = time.get(layer.prefix);
            invariant(shift !== undefined, `no time projection for ${layer.prefix}`);
            return graph.region(wantsCheckpoint(layer.prefix), () => resBlock(b, layer, x, shift));
          }
          case "transformer":
            return graph.region(wantsCheckpoint(layer.prefix), () => transformer(b, layer, x, inputs.context));
        }
      });
    }
    return x;
  };

  const skips: Tensor[] = [];
  let h = inputs.x;
  for (const block of config.inputBlocks) {
    h = runBlock(block, h);
    skips.push(h);
  }
  h = runBlock(config.middleBlock, h);
  for (const block of config.outputBlocks) {
    const skip = skips.pop();
    invariant(skip !== undefined, "more output blocks than input blocks");
    // An upsampler fits its result to the skip that the next block will join.
    h = runBlock(block, h, skip, skips.at(-1)?.shape);
  }
  return graph.scope(`${prefix}.out`, () => b.conv3x3(b.groupNorm(h, `${prefix}.out.0`, 1e-5, true), `${prefix}.out.2`));
}

/** What a residual block adds per batch entry and channel: columns of a tensor. */
interface TimeShift {
  readonly rowBias: Tensor;
  readonly rowBiasOffset: number;
}

/**
 * Time MLP, then the projections of all residual blocks, by block. They share their input and run as one matrix
 * product, unless they are trained.
 */
function projectTime(b: ModelBuilder, config: UNetConfig, embedding: Tensor): Map<string, TimeShift> {
  const { graph } = b;
  return graph.scope(`${config.prefix}.time_embed`, () => {
    const first = activation(graph, b.linear(embedding, `${config.prefix}.time_embed.0`), "silu");
    const emb = activation(graph, b.linear(first, `${config.prefix}.time_embed.2`), "silu");
    const layers = [...config.inputBlocks, config.middleBlock, ...config.outputBlocks]
      .flatMap((block) => block.layers)
      .filter((layer): layer is ResLayer => layer.kind === "res");
    const names = layers.map((layer) => `${layer.prefix}.emb_layers.1`);
    if (names.some((name) => b.adapts(name))) {
      return new Map(layers.map(({ prefix }, i) => [prefix, { rowBias: b.linear(emb, names[i] ?? ""), rowBiasOffset: 0 }]));
    }
    const bias = b.vector(...names.map((name) => `${name}.bias`));
    const rowBias = b.stacked(emb, names.map((name) => ({ key: `${name}.weight` })), bias);
    const shifts = new Map<string, TimeShift>();
    let rowBiasOffset = 0;
    for (const layer of layers) {
      shifts.set(layer.prefix, { rowBias, rowBiasOffset });
      rowBiasOffset += layer.cout;
    }
    return shifts;
  });
}

function resBlock(b: ModelBuilder, layer: ResLayer, x: Tensor, shift: TimeShift): Tensor {
  const { prefix } = layer;
  const normed = b.groupNorm(x, `${prefix}.in_layers.0`, 1e-5, true);
  const h = b.conv3x3(normed, `${prefix}.in_layers.2`, shift);
  const skip = layer.hasSkip ? b.linear(x, `${prefix}.skip_connection`) : x;
  return b.conv3x3(b.groupNorm(h, `${prefix}.out_layers.0`, 1e-5, true), `${prefix}.out_layers.3`, { addend: skip });
}

function transformer(b: ModelBuilder, layer: TransformerLayer, x: Tensor, context: Tensor): Tensor {
  const { graph } = b;
  const { prefix, heads, headDim } = layer;
  const [batch = 0, height = 0, width = 0] = x.shape;
  const tokens = height * width;
  const residual = graph.view(x, [batch, tokens, layer.cin]);
  const inner = heads * headDim;
  let h = b.linear(graph.view(b.groupNorm(x, `${prefix}.norm`, 1e-6, false), [batch, tokens, layer.cin]), `${prefix}.proj_in`);
  for (let j = 0; j < layer.depth; j++) {
    const q = `${prefix}.transformer_blocks.${j}`;
    const weights = (names: readonly string[]) => names.map((name) => ({ key: `${q}.${name}.weight` }));
    const normed1 = b.layerNorm(h, `${q}.norm1`);
    const qkv = b.stacked(normed1, weights(["attn1.to_q", "attn1.to_k", "attn1.to_v"]));
    h = b.linear(selfAttention(graph, qkv, { heads }), `${q}.attn1.to_out.0`, { addend: h });
    const query = b.linear(b.layerNorm(h, `${q}.norm2`), `${q}.attn2.to_q`);
    const kv = b.stacked(context, weights(["attn2.to_k", "attn2.to_v"]));
    h = b.linear(crossAttention(graph, query, kv, { heads }), `${q}.attn2.to_out.0`, { addend: h });
    const wide = b.linear(b.layerNorm(h, `${q}.norm3`), `${q}.ff.net.0.proj`);
    h = b.linear(geglu(graph, wide), `${q}.ff.net.2`, { addend: h });
  }
  invariant(dim(h, -1) === inner, `${prefix}: inner width ${dim(h, -1)} is not heads x head dim ${inner}`);
  return graph.view(b.linear(h, `${prefix}.proj_out`, { addend: residual }), [batch, height, width, layer.cout]);
}

/**
 * Sinusoidal embedding of timesteps, cosines first, as the UNet expects it.
 * Computed on the CPU: WGSL does not promise accuracy for sin and cos of large arguments.
 * @returns [timesteps.length, channels] row-major
 */
export function timestepEmbedding(timesteps: ArrayLike<number>, channels: number): Float32Array<ArrayBuffer> {
  const half = channels / 2;
  const out = new Float32Array(timesteps.length * channels);
  for (let b = 0; b < timesteps.length; b++) {
    for (let i = 0; i < half; i++) {
      const angle = (timesteps[b] ?? 0) * Math.exp((-Math.log(10000) * i) / half);
      out[b * channels + i] = Math.cos(angle);
      out[b * channels + half + i] = Math.sin(angle);
    }
  }
  return out;
}
