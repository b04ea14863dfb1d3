import { textEncoderShapes } from "./checkpoint-text.ts";
import type { BlockSpec, HeadRule, LayerSpec, TextEncoderConfig, UNetConfig, VaeConfig } from "./checkpoint-types.ts";
import { hfTextPrefix, openClipTextPrefix, unetPrefix, vaePrefix } from "./checkpoint-types.ts";
import { headsFor } from "./checkpoint-unet.ts";
import { vaeShapes } from "./checkpoint-vae.ts";
import { unetShapes } from "./unet-shapes.ts";

/** The few numbers from which a complete model of the SD1 or SD2 layout follows. */
export interface ModelRecipe {
  readonly unet: {
    readonly modelChannels: number;
    readonly channelMult: readonly number[];
    readonly numResBlocks: number;
    /** Levels whose blocks have a spatial transformer of depth 1. */
    readonly attentionLevels: readonly number[];
    readonly contextDim: number;
    readonly linearProjection: boolean;
    readonly headRule: HeadRule;
  };
  readonly text: { readonly layout: "hf" | "openclip"; readonly layers: number; readonly mlp: number };
  readonly vae: { readonly ch: number; readonly chMult: readonly number[]; readonly numResBlocks: number };
}

export type Arch = "sd15" | "sd21" | "mini-sd15" | "mini-sd21";

const fullUNet = { modelChannels: 320, channelMult: [1, 2, 4, 4], numResBlocks: 2, attentionLevels: [0, 1, 2] };
const fullVae = { ch: 128, chMult: [1, 2, 4, 4], numResBlocks: 2 };
/** One block a level keeps a mini model small without leaving out a kind of layer. */
const miniVae = { ch: 32, chMult: [1, 1, 2, 2], numResBlocks: 1 };
const sd1Rules = { linearProjection: false, headRule: { heads: 8 } };
const sd2Rules = { linearProjection: true, headRule: { headDim: 64 } };

export const recipes: Readonly<Record<Arch, ModelRecipe>> = {
  sd15: {
    unet: { ...fullUNet, ...sd1Rules, contextDim: 768 },
    text: { layout: "hf", layers: 12, mlp: 3072 },
    vae: fullVae,
  },
  sd21: {
    unet: { ...fullUNet, ...sd2Rules, contextDim: 1024 },
    text: { layout: "openclip", layers: 24, mlp: 4096 },
    vae: fullVae,
  },
  "mini-sd15": {
    unet: {
      ...sd1Rules,
      modelChannels: 32,
      channelMult: [1, 2, 2, 4],
      numResBlocks: 1,
      attentionLevels: [0, 1, 2],
      contextDim: 64,
    },
    text: { layout: "hf", layers: 2, mlp: 128 },
    vae: miniVae,
  },
  "mini-sd21": {
    unet: {
      ...sd2Rules,
      modelChannels: 64,
      channelMult: [1, 1, 1, 2],
      numResBlocks: 1,
      attentionLevels: [0, 1, 2],
      contextDim: 64,
    },
    text: { layout: "openclip", layers: 3, mlp: 128 },
    vae: miniVae,
  },
};

const clipVocab = 49408;
const clipPositions = 77;

/** Every tensor of a checkpoint file of this layout (also those that a loader ignores), with its shape. */
export function checkpointShapes(recipe: ModelRecipe): Map<string, readonly number[]> {
  const text = textConfig(recipe);
  const shapes = new Map<string, readonly number[]>([
    ...unetShapes(unetConfig(recipe)),
    ...vaeShapes(vaeConfig(recipe)),
    ...textEncoderShapes(text, text.layers),
  ]);
  if (text.layout === "hf") {
    shapes.set(positionIdsKey, [1, text.positions]);
  } else {
    shapes.set(`${text.prefix}.text_projection`, [text.width, text.width]);
    shapes.set(`${text.prefix}.logit_scale`, []);
  }
  return shapes;
}

/** The one tensor of whole numbers: 0 … 76, in every SD1 file. */
export const positionIdsKey = `${hfTextPrefix}.embeddings.position_ids`;

function textConfig({ unet, text }: ModelRecipe): TextEncoderConfig {
  const hf = text.layout === "hf";
  return {
    ...text,
    prefix: hf ? hfTextPrefix : openClipTextPrefix,
    width: unet.contextDim,
    layersUsed: hf ? text.layers : text.layers - 1,
    heads: unet.contextDim / 64,
    vocab: clipVocab,
    positions: clipPositions,
    activation: hf ? "quick_gelu" : "gelu",
  };
}

function vaeConfig({ vae }: ModelRecipe): VaeConfig {
  return {
    ...vae,
    prefix: vaePrefix,
    imageChannels: 3,
    zChannels: 4,
    embedDim: 4,
    hasEncoder: true,
    hasDecoder: true,
    scaleFactor: 0.18215,
  };
}

function unetConfig({ unet }: ModelRecipe): UNetConfig {
  const { modelChannels, channelMult, numResBlocks, headRule } = unet;
  const skips: number[] = [];
  let channels = 4;
  const block = (prefix: string, skipChannels: number, makers: readonly LayerMaker[]): BlockSpec => {
    let cin = channels + skipChannels;
    const layers = makers.map((make, i) => {
      const layer = make(`${prefix}.${i}`, cin);
      cin = layer.cout;
      return layer;
    });
    channels = cin;
    return { prefix, layers, cout: cin, skipChannels };
  };
  const attention = (level: number): LayerMaker[] =>
    unet.attentionLevels.includes(level) ? [transformer(headRule)] : [];

  const inputBlocks: BlockSpec[] = [];
  const addInput = (...makers: LayerMaker[]): void => {
    inputBlocks.push(block(`${unetPrefix}.input_blocks.${inputBlocks.length}`, 0, makers));
    skips.push(channels);
  };
  addInput(conv(modelChannels));
  channelMult.forEach((mult, level) => {
    for (let j = 0; j < numResBlocks; j++) addInput(res(mult * modelChannels), ...attention(level));
    if (level < channelMult.length - 1) addInput(down);
  });

  const middle = [res(channels), transformer(headRule), res(channels)];
  const middleBlock = block(`${unetPrefix}.middle_block`, 0, middle);

  const outputBlocks: BlockSpec[] = [];
  for (let level = channelMult.length - 1; level >= 0; level--) {
    for (let j = 0; j <= numResBlocks; j++) {
      const layers = [res(channelMult[level]! * modelChannels), ...attention(level)];
      if (level > 0 && j === numResBlocks) layers.push(up);
      outputBlocks.push(block(`${unetPrefix}.output_blocks.${outputBlocks.length}`, skips.pop()!, layers));
    }
  }
  return {
    prefix: unetPrefix,
    modelChannels,
    timeEmbedDim: 4 * modelChannels,
    inChannels: 4,
    outChannels: 4,
    contextDim: unet.contextDim,
    linearProjection: unet.linearProjection,
    headRule,
    inputBlocks,
    middleBlock,
    outputBlocks,
  };
}

type LayerMaker = (prefix: string, cin: number) => LayerSpec;

const conv = (cout: number): LayerMaker => (prefix, cin) => ({ kind: "conv", prefix, cin, cout });
const res = (cout: number): LayerMaker => (prefix, cin) => ({ kind: "res", prefix, cin, cout, hasSkip: cin !== cout });
const down: LayerMaker = (prefix, cin) => ({ kind: "down", prefix: `${prefix}.op`, cin, cout: cin });
const up: LayerMaker = (prefix, cin) => ({ kind: "up", prefix: `${prefix}.conv`, cin, cout: cin });
const transformer = (rule: HeadRule): LayerMaker => (prefix, cin) => ({
  kind: "transformer",
  prefix,
  cin,
  cout: cin,
  depth: 1,
  ...headsFor(rule, cin)!,
});
