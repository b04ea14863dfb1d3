import type { TensorFile } from "../formats/tensor-file.ts";

/** Shapes by normalized key. */
export type Shapes = ReadonlyMap<string, readonly number[]>;

export const unetPrefix = "model.diffusion_model";
export const vaePrefix = "first_stage_model";
export const hfTextPrefix = "cond_stage_model.transformer.text_model";
export const openClipTextPrefix = "cond_stage_model.model";

/** A plain convolution with padding 1; `prefix.weight` is `[cout, cin, 3, 3]`. */
export interface ConvLayer {
  readonly kind: "conv";
  readonly prefix: string;
  readonly cin: number;
  readonly cout: number;
}

/** 3×3 convolution with stride 2 and padding 1. `prefix` names the convolution itself (it ends in `.op`). */
export interface DownLayer {
  readonly kind: "down";
  readonly prefix: string;
  readonly cin: number;
  readonly cout: number;
}

/** Nearest-neighbour resize, then a 3×3 convolution. `prefix` names the convolution itself (it ends in `.conv`). */
export interface UpLayer {
  readonly kind: "up";
  readonly prefix: string;
  readonly cin: number;
  readonly cout: number;
}

/** Residual block with time embedding. In output blocks `cin` counts the concatenated skip's channels too. */
export interface ResLayer {
  readonly kind: "res";
  readonly prefix: string;
  readonly cin: number;
  readonly cout: number;
  /** Has a 1×1 `skip_connection` (exactly when cin ≠ cout). */
  readonly hasSkip: boolean;
}

/** Spatial transformer; `depth` blocks under `prefix.transformer_blocks.j`. */
export interface TransformerLayer {
  readonly kind: "transformer";
  readonly prefix: string;
  readonly cin: number;
  readonly cout: number;
  readonly depth: number;
  readonly heads: number;
  readonly headDim: number;
}

export type LayerSpec = ConvLayer | DownLayer | UpLayer | ResLayer | TransformerLayer;

export interface BlockSpec {
  /** e.g. `model.diffusion_model.input_blocks.1` */
  readonly prefix: string;
  /** In execution order. */
  readonly layers: readonly LayerSpec[];
  /** Channels that leave the block. */
  readonly cout: number;
  /** Output blocks only: channels of the skip that is concatenated behind the running activation before layer 0. */
  readonly skipChannels: number;
}

export type HeadRule = { readonly heads: number } | { readonly headDim: number };

/** Everything a graph builder needs; blocks are listed by key presence, so pruned models differ from the standard. */
export interface UNetConfig {
  readonly prefix: string;
  readonly modelChannels: number;
  readonly timeEmbedDim: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly contextDim: number;
  /** proj_in/proj_out are stored as linears (`[C, C]`), otherwise as 1×1 convolutions (`[C, C, 1, 1]`). */
  readonly linearProjection: boolean;
  readonly headRule: HeadRule;
  /** The output of every input block is pushed as a skip. */
  readonly inputBlocks: readonly BlockSpec[];
  /** No layers in models that were pruned of it. */
  readonly middleBlock: BlockSpec;
  /** As many as input blocks; each pops one skip. */
  readonly outputBlocks: readonly BlockSpec[];
}

export interface TextEncoderConfig {
  /** Key layout: Hugging Face CLIP (SD1) or OpenCLIP (SD2). */
  readonly layout: "hf" | "openclip";
  readonly prefix: string;
  readonly width: number;
  /** Layers in the file. */
  readonly layers: number;
  /** Layers that run: all (HF), or all but the last (OpenCLIP: SD2 uses the penultimate layer). */
  readonly layersUsed: number;
  readonly heads: number;
  readonly mlp: number;
  readonly vocab: number;
  readonly positions: number;
  readonly activation: "quick_gelu" | "gelu";
}

export interface VaeConfig {
  readonly prefix: string;
  readonly ch: number;
  readonly chMult: readonly number[];
  readonly numResBlocks: number;
  readonly imageChannels: number;
  readonly zChannels: number;
  readonly embedDim: number;
  readonly hasEncoder: boolean;
  readonly hasDecoder: boolean;
  /** Latents are the posterior sample times this. */
  readonly scaleFactor: number;
}

export type Family = "sd1" | "sd2";
export type PredictionType = "epsilon" | "v_prediction";

/** A file that holds a model's tensors, perhaps under other names. */
export interface WeightFile {
  readonly file: TensorFile;
  /** Normalized key → key in the file, for every tensor of the model (buffers and EMA copies left out). */
  readonly keys: ReadonlyMap<string, string>;
}

/** The file that a VAE is taken from: a checkpoint, or a VAE on its own. */
export interface VaeSource extends WeightFile {
  /** Absent when the file has no VAE. */
  readonly vae: VaeConfig | undefined;
}

export interface Checkpoint extends VaeSource {
  readonly family: Family;
  readonly predictionType: PredictionType;
  /** What the prediction type was concluded from, in words. */
  readonly predictionSource: string;
  readonly unet: UNetConfig;
  readonly textEncoder: TextEncoderConfig;
}
