/** The step graphs of a run: VAE encode, text encode, and a training step for one batch shape. */
import { differentiate } from "../gpu/graph/autodiff.ts";
import { Graph } from "../gpu/graph/graph.ts";
import { diffusionLoss } from "../gpu/ops/diffusion-loss.ts";
import { updateTensors } from "../gpu/optimizers/update-graph.ts";
import { InputError, invariant } from "../errors.ts";
import { ModelBuilder, noAdapters, type AdapterProvider, type WeightShapes } from "../models/model-builder.ts";
import { buildTextEncoder } from "../models/text-encoder.ts";
import { buildUNet, type Checkpointing } from "../models/unet.ts";
import { buildVaeDecoder } from "../models/vae-decoder.ts";
import { buildVaeEncoder } from "../models/vae-encoder.ts";
import type { Checkpoint, VaeConfig } from "../models/checkpoint-types.ts";
import type { Tensor } from "../gpu/graph/tensor.ts";

/** Names of the inputs and outputs of the graphs. */
export const names = {
  x: "x",
  timestepEmbedding: "timestep_embedding",
  context: "context",
  ids: "input_ids",
  target: "target",
  lossWeights: "loss_weights",
  loss: "loss",
  image: "image",
  latents: "latents",
} as const;

/** Tokens per caption: BOS, 75, EOS. */
export const tokenCount = 77;

export function weightShapes(checkpoint: Checkpoint): WeightShapes {
  return {
    has: (key) => checkpoint.keys.has(key),
    shape(key) {
      const fileKey = checkpoint.keys.get(key);
      invariant(fileKey !== undefined, `checkpoint has no ${key}`);
      return checkpoint.file.entry(fileKey).shape;
    },
  };
}

export interface TrainGraphOptions {
  readonly batch: number;
  /** Latent size. */
  readonly height: number;
  readonly width: number;
  readonly adapters: AdapterProvider;
  /** The text encoder runs (and is differentiated) in the step; otherwise its output is an input. */
  readonly trainsTextEncoder: boolean;
  readonly checkpointing: Checkpointing;
  readonly clipSkip: number;
}

/** One micro-batch: prediction, loss, and the gradients of all adapters added to their pools. */
export function buildTrainGraph(checkpoint: Checkpoint, options: TrainGraphOptions): Graph {
  const graph = new Graph();
  const { batch, height, width } = options;
  const b = new ModelBuilder(graph, weightShapes(checkpoint), options.adapters);
  const { unet } = checkpoint;
  const x = graph.input(names.x, [batch, height, width, unet.inChannels]);
  const timestepEmbedding = graph.input(names.timestepEmbedding, [batch, unet.modelChannels]);
  const context = options.trainsTextEncoder
    ? buildTextEncoder(b, checkpoint.textEncoder, graph.input(names.ids, [batch, tokenCount], { dtype: "i32" }), {
        clipSkip: options.clipSkip,
        checkpointing: options.checkpointing === true,
      })
    : graph.input(names.context, [batch, tokenCount, unet.contextDim]);
  const pred = buildUNet(b, unet, { x, timestepEmbedding, context }, options.checkpointing);
  const target = graph.input(names.target, pred.shape);
  const weights = graph.input(names.lossWeights, [batch, 2]);
  const dpred = graph.scope("loss", () => 
    diffusionLoss(graph, pred, target, weights, graph.output(names.loss, [batch]), graph.output(updateTensors.guard, [4])),
  );
  differentiate(graph, [{ of: pred, gradient: dpred }]);
  return graph;
}

/** @returns the graph and its kept output, hidden states [batch, 77, width] */
export function buildTextGraph(checkpoint: Checkpoint, batch: number, clipSkip: number): { graph: Graph; hidden: Tensor } {
  const graph = new Graph();
  const b = new ModelBuilder(graph, weightShapes(checkpoint), noAdapters);
  const ids = graph.input(names.ids, [batch, tokenCount], { dtype: "i32" });
  const hidden = buildTextEncoder(b, checkpoint.textEncoder, ids, { clipSkip, checkpointing: false });
  graph.keep(hidden);
  return { graph, hidden };
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
export function buildDecodeGraph(checkpoint: Checkpoint, height: number, width: number): { graph: Graph; image: Tensor } {
  const graph = new Graph();
  const { vae } = checkpoint;
  if (vae === undefined || !vae.hasDecoder) {
    throw new InputError("model.noVae", `${checkpoint.file.source.name} has no VAE decoder: use a checkpoint with its VAE`, {
      file: checkpoint.file.source.name,
    });
  }
  const b = new ModelBuilder(graph, weightShapes(checkpoint), noAdapters);
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
