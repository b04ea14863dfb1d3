/**
 * CLIP text encoders as graphs: CLIP-L in Hugging Face naming (SD1) and OpenCLIP-H (SD2). The hidden state is what
 * sd-scripts feeds to the UNet: after `clip_skip` layers from the end, then the final layer norm.
 */
import { InputError } from "../errors.ts";
import { activation } from "../gpu/ops/activation.ts";
import { embedding } from "../gpu/ops/embedding.ts";
import { selfAttention } from "../gpu/ops/attention.ts";
import type { Tensor } from "../gpu/graph/tensor.ts";
import type { TextEncoderConfig } from "./checkpoint-types.ts";
import type { ModelBuilder, WeightPart } from "./model-builder.ts";

/** The checkpoint's key of the token table, which is also its name among the weights. */
export function tokenTableKey(config: TextEncoderConfig): string {
  return names(config).token;
}

/** Key names of one layer and of the embeddings in either layout. */
interface Names {
  readonly token: string;
  readonly position: string;
  readonly finalNorm: string;
  layer(i: number): {
    norm1: string;
    norm2: string;
    qkv: readonly WeightPart[];
    qkvBias: readonly string[];
    out: string;
    fc1: string;
    fc2: string;
  };
}

function names({ layout, prefix, width }: TextEncoderConfig): Names {
  if (layout === "hf") {
    return {
      token: `${prefix}.embeddings.token_embedding.weight`,
      position: `${prefix}.embeddings.position_embedding.weight`,
      finalNorm: `${prefix}.final_layer_norm`,
      layer(i) {
        const p = `${prefix}.encoder.layers.${i}`;
        const projections = ["q_proj", "k_proj", "v_proj"].map((name) => `${p}.self_attn.${name}`);
        return {
          norm1: `${p}.layer_norm1`,
          norm2: `${p}.layer_norm2`,
          qkv: projections.map((name) => ({ key: `${name}.weight` })),
          qkvBias: projections.map((name) => `${name}.bias`),
          out: `${p}.self_attn.out_proj`,
          fc1: `${p}.mlp.fc1`,
          fc2: `${p}.mlp.fc2`,
        };
      },
    };
  }
  return {
    token: `${prefix}.token_embedding.weight`,
    position: `${prefix}.positional_embedding`,
    finalNorm: `${prefix}.ln_final`,
    layer(i) {
      const p = `${prefix}.transformer.resblocks.${i}`;
      return {
        norm1: `${p}.ln_1`,
        norm2: `${p}.ln_2`,
        qkv: [0, 1, 2].map((third) => ({ key: `${p}.attn.in_proj_weight`, rowStart: third * width, rows: width })),
        qkvBias: [`${p}.attn.in_proj_bias`],
        out: `${p}.attn.out_proj`,
        fc1: `${p}.mlp.c_fc`,
        fc2: `${p}.mlp.c_proj`,
      };
    },
  };
}

/**
 * @param ids [B, T] i32 token ids
 * @param clipSkip hidden state to use, counted from the end; 1 = last (of the layers that the family uses)
 * @param vectors f32 [n, width]: what ids behind the vocabulary mean
 * @returns [B, T, width]
 */
export function buildTextEncoder(
  b: ModelBuilder,
  config: TextEncoderConfig,
  ids: Tensor,
  options: { clipSkip: number; checkpointing: boolean; extraTokens?: number; vectors?: Tensor | undefined },
): Tensor {
  const { graph } = b;
  const keys = names(config);
  const layers = config.layersUsed - (options.clipSkip - 1);
  if (layers < 1) {
    throw new InputError("config.clip_skip", `clip_skip ${options.clipSkip} leaves no layer of the text encoder's ${config.layersUsed}`, {
      clip_skip: options.clipSkip,
      layers: config.layersUsed,
    });
  }
  const [table, rest] = b.tableRows(keys.token, options.extraTokens);
  const positions = b.matrixRows(keys.position);
  let h = graph.scope(config.prefix, () => embedding(graph, ids, table, positions, options.vectors, rest));
  for (let i = 0; i < layers; i++) {
    const layer = keys.layer(i);
    h = graph.scope(layer.norm1.replace(/\.[^.]+$/, ""), () =>
      graph.region(options.checkpointing, () => {
        const qkv = b.stacked(b.layerNorm(h, layer.norm1), layer.qkv, b.vector(...layer.qkvBias));
        const attended = selfAttention(graph, qkv, { heads: config.heads, causal: true });
        const x = b.linear(attended, layer.out, { addend: h });
        const wide = b.linear(b.layerNorm(x, layer.norm2), layer.fc1);
        return b.linear(activation(graph, wide, config.activation), layer.fc2, { addend: x });
      }),
    );
  }
  return b.layerNorm(h, keys.finalNorm);
}
