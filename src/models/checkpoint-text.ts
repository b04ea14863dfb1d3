import { InputError } from "../errors.ts";
import { missingTensors } from "./checkpoint-errors.ts";
import { countNumbered } from "./checkpoint-keys.ts";
import type { Shapes, TextEncoderConfig } from "./checkpoint-types.ts";
import { hfTextPrefix, openClipTextPrefix } from "./checkpoint-types.ts";

/** All text encoders of the family have heads of this size. */
const headDim = 64;

/** Reads the text encoder's structure; undefined when the file has none. Throws InputError. */
export function inferTextEncoder(file: string, shapes: Shapes, headsOverride?: number): TextEncoderConfig | undefined {
  const has = (prefix: string): boolean => [...shapes.keys()].some((key) => key.startsWith(`${prefix}.`));
  const layout = has(openClipTextPrefix) ? "openclip" : has(hfTextPrefix) ? "hf" : undefined;
  if (layout === undefined) return undefined;
  const hf = layout === "hf";
  const prefix = hf ? hfTextPrefix : openClipTextPrefix;
  const layerGroup = `${prefix}.${hf ? "encoder.layers" : "transformer.resblocks"}`;
  const needed = [
    `${prefix}.${hf ? "embeddings.token_embedding.weight" : "token_embedding.weight"}`,
    `${prefix}.${hf ? "embeddings.position_embedding.weight" : "positional_embedding"}`,
    `${layerGroup}.0.${hf ? "mlp.fc1.weight" : "mlp.c_fc.weight"}`,
  ];
  const [tokens, positions, fc1] = needed.map((key) => shapes.get(key));
  if (!tokens || !positions || !fc1) throw missingTensors(file, needed.filter((key) => !shapes.has(key)));
  const layers = countNumbered(shapes, layerGroup);
  const layersUsed = hf ? layers : layers - 1;
  const width = tokens[1] ?? 0;
  const heads = headsOverride ?? width / headDim;
  if (layersUsed < 1 || !Number.isInteger(heads) || heads < 1 || width % heads !== 0) {
    throw new InputError(
      "checkpoint.textEncoder",
      `${file}: the text encoder (${layers} layers, width ${width}) is not a CLIP text encoder with heads of size ` +
        `${headDim}. A model with another number of heads can say so in its metadata (lorasmith.text_heads).`,
      { file, layers, width },
    );
  }
  return {
    layout,
    prefix,
    width,
    layers,
    layersUsed,
    heads,
    mlp: fc1[0]!,
    vocab: tokens[0]!,
    positions: positions[0]!,
    activation: hf ? "quick_gelu" : "gelu",
  };
}

/** Every tensor of the first `layers` layers and around them, by normalized key. */
export function textEncoderShapes(config: TextEncoderConfig, layers = config.layersUsed): Map<string, readonly number[]> {
  return config.layout === "hf" ? hfShapes(config, layers) : openClipShapes(config, layers);
}

function hfShapes({ prefix, width, mlp, vocab, positions }: TextEncoderConfig, layers: number): Map<string, number[]> {
  const shapes = new Map<string, number[]>();
  shapes.set(`${prefix}.embeddings.token_embedding.weight`, [vocab, width]);
  shapes.set(`${prefix}.embeddings.position_embedding.weight`, [positions, width]);
  for (let i = 0; i < layers; i++) {
    const p = `${prefix}.encoder.layers.${i}`;
    for (const name of ["k_proj", "v_proj", "q_proj", "out_proj"]) pair(shapes, `${p}.self_attn.${name}`, width, width);
    pair(shapes, `${p}.layer_norm1`, width);
    pair(shapes, `${p}.mlp.fc1`, mlp, width);
    pair(shapes, `${p}.mlp.fc2`, width, mlp);
    pair(shapes, `${p}.layer_norm2`, width);
  }
  pair(shapes, `${prefix}.final_layer_norm`, width);
  return shapes;
}

function openClipShapes(
  { prefix, width, mlp, vocab, positions }: TextEncoderConfig,
  layers: number,
): Map<string, number[]> {
  const shapes = new Map<string, number[]>();
  shapes.set(`${prefix}.positional_embedding`, [positions, width]);
  shapes.set(`${prefix}.token_embedding.weight`, [vocab, width]);
  for (let i = 0; i < layers; i++) {
    const p = `${prefix}.transformer.resblocks.${i}`;
    pair(shapes, `${p}.ln_1`, width);
    shapes.set(`${p}.attn.in_proj_weight`, [3 * width, width]);
    shapes.set(`${p}.attn.in_proj_bias`, [3 * width]);
    pair(shapes, `${p}.attn.out_proj`, width, width);
    pair(shapes, `${p}.ln_2`, width);
    pair(shapes, `${p}.mlp.c_fc`, mlp, width);
    pair(shapes, `${p}.mlp.c_proj`, width, mlp);
  }
  pair(shapes, `${prefix}.ln_final`, width);
  return shapes;
}

function pair(shapes: Map<string, number[]>, name: string, ...shape: [number, ...number[]]): void {
  shapes.set(`${name}.weight`, shape);
  shapes.set(`${name}.bias`, [shape[0]]);
}
