import { InputError } from "../errors.ts";
import { missingTensors } from "./checkpoint-errors.ts";
import type { BlockSpec, HeadRule, LayerSpec, Shapes, UNetConfig } from "./checkpoint-types.ts";
import { unetPrefix } from "./checkpoint-types.ts";

/** GroupNorm has 32 groups everywhere. */
const normGroups = 32;

/**
 * Reads the UNet's structure from its keys and shapes: which layers a block has follows from the keys that are there,
 * so pruned and mini models need no table. `headRule` overrides what the projections suggest. Throws InputError.
 */
export function inferUNet(file: string, shapes: Shapes, headRule?: HeadRule): UNetConfig {
  const required = [`${unetPrefix}.input_blocks.0.0.weight`, `${unetPrefix}.out.2.weight`, `${unetPrefix}.time_embed.0.weight`];
  const [convIn, convOut, timeEmbed] = required.map((key) => shapes.get(key));
  if (!convIn || !convOut || !timeEmbed) throw missingTensors(file, required.filter((key) => !shapes.has(key)));
  const modelChannels = convIn[0]!;
  const toK = findShape(shapes, ".attn2.to_k.weight") ?? findShape(shapes, ".attn2.to_v.weight");
  if (!toK) throw missingTensors(file, [`${unetPrefix}.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight`]);
  const contextDim = toK[1]!;
  const linearProjection = findShape(shapes, ".proj_in.weight")?.length === 2;
  // SD2 files of some converters have 1×1 convolutions for the projections; their context still tells the family.
  const rule = headRule ?? (linearProjection || contextDim === 1024 ? { headDim: 64 } : { heads: 8 });

  const walker = new Walker(file, shapes, rule);
  const skips: number[] = [];
  let channels = convIn[1]!;
  const inputBlocks = walker.blocks("input_blocks").map((prefix) => {
    const block = walker.block(prefix, channels, 0);
    channels = block.cout;
    skips.push(channels);
    return block;
  });
  const middleBlock = walker.block(`${unetPrefix}.middle_block`, channels, 0);
  channels = middleBlock.cout;
  const outputPrefixes = walker.blocks("output_blocks");
  if (outputPrefixes.length !== skips.length) {
    const wanted = Math.max(outputPrefixes.length, skips.length);
    const short = outputPrefixes.length < skips.length ? "output_blocks" : "input_blocks";
    const have = Math.min(outputPrefixes.length, skips.length);
    const lost = Array.from({ length: wanted - have }, (_, i) => `${unetPrefix}.${short}.${have + i}.*`);
    throw missingTensors(file, lost);
  }
  const outputBlocks = outputPrefixes.map((prefix) => {
    const block = walker.block(prefix, channels, skips.pop()!);
    channels = block.cout;
    return block;
  });
  return {
    prefix: unetPrefix,
    modelChannels,
    timeEmbedDim: timeEmbed[0]!,
    inChannels: convIn[1]!,
    outChannels: convOut[0]!,
    contextDim,
    linearProjection,
    headRule: rule,
    inputBlocks,
    middleBlock,
    outputBlocks,
  };
}

/** Attention heads of a layer with `channels`; undefined when the rule does not divide them. */
export function headsFor(rule: HeadRule, channels: number): { heads: number; headDim: number } | undefined {
  const heads = "heads" in rule ? rule.heads : channels / rule.headDim;
  const headDim = channels / heads;
  return Number.isInteger(heads) && Number.isInteger(headDim) && heads > 0 ? { heads, headDim } : undefined;
}

function findShape(shapes: Shapes, suffix: string): readonly number[] | undefined {
  for (const [key, shape] of shapes) if (key.startsWith(`${unetPrefix}.`) && key.endsWith(suffix)) return shape;
  return undefined;
}

class Walker {
  readonly #file: string;
  readonly #shapes: Shapes;
  readonly #rule: HeadRule;
  /** Direct children of every prefix. */
  readonly #children = new Map<string, Set<string>>();

  constructor(file: string, shapes: Shapes, rule: HeadRule) {
    this.#file = file;
    this.#shapes = shapes;
    this.#rule = rule;
    for (const key of shapes.keys()) {
      if (!key.startsWith(`${unetPrefix}.`)) continue;
      const parts = key.split(".");
      for (let i = 2; i < parts.length; i++) {
        const parent = parts.slice(0, i).join(".");
        const children = this.#children.get(parent) ?? new Set();
        this.#children.set(parent, children.add(parts[i]!));
      }
    }
  }

  /** Prefixes of the numbered blocks; a gap in the numbers is an error. */
  blocks(group: string): string[] {
    return this.#numbered(`${unetPrefix}.${group}`);
  }

  block(prefix: string, cin: number, skipChannels: number): BlockSpec {
    let channels = cin + skipChannels;
    const layers = this.#numbered(prefix).map((layerPrefix) => {
      const layer = this.#layer(layerPrefix, channels);
      channels = layer.cout;
      this.#checkChannels(layer);
      return layer;
    });
    return { prefix, layers, cout: channels, skipChannels };
  }

  #numbered(prefix: string): string[] {
    const numbers = [...(this.#children.get(prefix) ?? [])].filter((name) => /^\d+$/.test(name)).map(Number);
    const count = Math.max(-1, ...numbers) + 1;
    const all = Array.from({ length: count }, (_, i) => `${prefix}.${i}`);
    const gaps = all.filter((_, i) => !numbers.includes(i));
    if (gaps.length > 0) throw missingTensors(this.#file, gaps.map((gap) => `${gap}.*`));
    return all;
  }

  #layer(prefix: string, cin: number): LayerSpec {
    const children = this.#children.get(prefix)!;
    const has = (...names: string[]): boolean => names.some((name) => children.has(name));
    if (has("in_layers", "out_layers", "emb_layers")) {
      const cout = this.#channels(prefix, "out_layers.3.weight", "out_layers.0.weight", "in_layers.2.weight");
      return { kind: "res", prefix, cin, cout, hasSkip: cin !== cout };
    }
    if (has("transformer_blocks", "proj_in", "proj_out")) {
      const heads = headsFor(this.#rule, cin);
      if (!heads) throw this.#badHeads(prefix, cin);
      const depth = this.#numbered(`${prefix}.transformer_blocks`).length;
      return { kind: "transformer", prefix, cin, cout: cin, depth, ...heads };
    }
    const [kind, convPrefix] = has("op")
      ? (["down", `${prefix}.op`] as const)
      : has("conv")
        ? (["up", `${prefix}.conv`] as const)
        : (["conv", prefix] as const);
    return { kind, prefix: convPrefix, cin, cout: this.#channels(convPrefix, "weight", "bias") };
  }

  /** Output channels as the first of the given tensors tells them; the others serve when that one is missing. */
  #channels(prefix: string, ...suffixes: string[]): number {
    const shape = suffixes.map((suffix) => this.#shapes.get(`${prefix}.${suffix}`)).find((found) => found?.[0]);
    if (shape) return shape[0]!;
    throw missingTensors(this.#file, [`${prefix}.${suffixes[0]}`]);
  }

  #checkChannels({ prefix, kind, cout }: LayerSpec): void {
    if (cout % normGroups === 0) return;
    throw new InputError(
      "checkpoint.channels",
      `${this.#file}: ${prefix} (${kind}) has ${cout} channels, which is not a multiple of ${normGroups} as the ` +
        "model's group normalization needs. It cannot be trained here.",
      { file: this.#file, layer: prefix, channels: cout },
    );
  }

  #badHeads(prefix: string, channels: number): InputError {
    const rule = "heads" in this.#rule ? `${this.#rule.heads} heads` : `heads of size ${this.#rule.headDim}`;
    return new InputError(
      "checkpoint.heads",
      `${this.#file}: the ${channels} channels of ${prefix} cannot be split into ${rule}. A model with another head ` +
        "size can say so in its metadata (lorasmith.head_dim or lorasmith.heads).",
      { file: this.#file, layer: prefix, channels },
    );
  }
}
