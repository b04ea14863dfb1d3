/** The forward graphs of a frozen model: text encode, VAE encode and decode. */
import { Graph, type MatrixType } from "../gpu/graph/graph.ts";
import { InputError, invariant } from "../errors.ts";
import { ModelBuilder, noAdapters, type AdapterProvider, type WeightShapes } from "./model-builder.ts";
import { buildTextEncoder } from "./text-encoder.ts";
import { buildUNet } from "./unet.ts";
import { buildVaeDecoder } from "./vae-decoder.ts";
import { buildVaeEncoder } from "./vae-encoder.ts";
import type { Checkpoint, VaeConfig, VaeSource, WeightFile } from "./checkpoint-types.ts";
import type { Tensor } from "../gpu/graph/tensor.ts";

/** Names of the inputs and outputs of the graphs. */
export const names = {
  x: "x",
  timestepEmbedding: "timestep_embedding",
  context: "context",
  ids: "input_ids",
  tokenWeights: "token_weights",
  target: "target",
  lossWeights: "loss_weights",
  lossMask: "loss_mask",
  loss: "loss",
  image: "image",
  latents: "latents",
} as const;

/** Tokens per caption: BOS, 75, EOS. */
export const tokenCount = 77;

export function weightShapes({ file, keys }: WeightFile): WeightShapes {
  return {
    has: (key) => keys.has(key),
    shape(key) {
      const fileKey = keys.get(key);
      invariant(fileKey !== undefined, `${file.source.name} has no ${key}`);
      return file.entry(fileKey).shape;
    },
  };
}

/**
 * @param extraTokens rows behind the vocabulary, for vectors that are no tokens of the model; zero until written
 * @param live of a run: `vectors` declares, instead of these rows, the tensor that ids behind the vocabulary are rows of
 * @returns the graph and its kept output, hidden states [batch, 77, width]
 */
export function buildTextGraph(
  checkpoint: Checkpoint,
  batch: number,
  clipSkip: number,
  extraTokens = 0,
  adapters: AdapterProvider = noAdapters,
  { vectors, matrices }: { readonly vectors?: ((graph: Graph) => Tensor) | undefined; readonly matrices?: MatrixType | undefined } = {},
): { graph: Graph; hidden: Tensor } {
  const graph = new Graph({ matrices });
  const b = new ModelBuilder(graph, weightShapes(checkpoint), adapters);
  const ids = graph.input(names.ids, [batch, tokenCount], { dtype: "i32" });
  const hidden = buildTextEncoder(b, checkpoint.textEncoder, ids, { clipSkip, checkpointing: false, extraTokens, vectors: vectors?.(graph) });
  graph.keep(hidden);
  return { graph, hidden };
}

export interface UNetGraphOptions {
  readonly batch: number;
  /** Latent size. */
  readonly height: number;
  readonly width: number;
  /** Length of the context: 77 for each chunk of the prompt. */
  readonly tokens: number;
  /** Runs with these, as they are in training. */
  readonly adapters?: AdapterProvider;
  readonly matrices?: MatrixType | undefined;
}

/** @returns the graph and its kept output, the prediction [batch, height, width, 4] */
export function buildUNetGraph(checkpoint: Checkpoint, options: UNetGraphOptions): { graph: Graph; prediction: Tensor } {
  const graph = new Graph({ matrices: options.matrices });
  const { unet } = checkpoint;
  const { batch, height, width, tokens, adapters = noAdapters } = options;
  const b = new ModelBuilder(graph, weightShapes(checkpoint), adapters);
  const inputs = {
    x: graph.input(names.x, [batch, height, width, unet.inChannels]),
    timestepEmbedding: graph.input(names.timestepEmbedding, [batch, unet.modelChannels]),
    context: graph.input(names.context, [batch, tokens, unet.contextDim]),
  };
  const prediction = buildUNet(b, unet, inputs, false);
  graph.keep(prediction);
  return { graph, prediction };
}

/** @returns the graph and its kept output, posterior moments [1, height/8, width/8, 8] */
export function buildVaeGraph(checkpoint: Checkpoint, height: number, width: number): { graph: Graph; moments: Tensor } {
  const graph = new Graph();
  const vae = requireVae(checkpoint);
  const b = new ModelBuilder(graph, weightShapes(checkpoint), noAdapters);
  const moments = buildVaeEncoder(b, vae, graph.input(names.image, [1, height, width, 4]));
  graph.keep(moments);
  return { graph, moments };
}

/** @returns the graph and its kept output, the picture [1, 8·height, 8·width, 4]; latents are unscaled */
export function buildDecodeGraph(source: VaeSource, height: number, width: number): { graph: Graph; image: Tensor } {
  const graph = new Graph();
  const vae = requireDecoder(source);
  const b = new ModelBuilder(graph, weightShapes(source), noAdapters);
  const image = buildVaeDecoder(b, vae, graph.input(names.latents, [1, height, width, vae.zChannels]));
  graph.keep(image);
  return { graph, image };
}

export function requireVae(checkpoint: Checkpoint): VaeConfig {
  if (checkpoint.vae === undefined || !checkpoint.vae.hasEncoder) {
    throw new InputError("model.noVae", `${checkpoint.file.source.name} has no VAE encoder: use a checkpoint with its VAE`, {
      file: checkpoint.file.source.name,
    });
  }
  return checkpoint.vae;
}

/** @throws InputError `model.noDecoder` */
export function requireDecoder({ file, vae }: VaeSource): VaeConfig {
  if (vae !== undefined && vae.hasDecoder) return vae;
  const { name } = file.source;
  const message = `${name} has no VAE decoder: use a checkpoint with its VAE, or give a VAE file`;
  throw new InputError("model.noDecoder", message, { file: name });
}
