/** The graph of a training step for one batch shape. */
import { differentiate } from "../gpu/graph/autodiff.ts";
import { Graph, type GraphStorage } from "../gpu/graph/graph.ts";
import { diffusionLoss, lossWeightWidth, type LossType } from "../gpu/ops/diffusion-loss.ts";
import { joinChunks } from "../gpu/ops/join-chunks.ts";
import { joinedTokens, type CaptionShape } from "../text/caption-tokens.ts";
import { updateTensors } from "../gpu/optimizers/update-graph.ts";
import { wordParam, type TrainedWords } from "../lora/trained-words.ts";
import { names, tokenCount, weightShapes } from "../models/forward-graphs.ts";
import { ModelBuilder, type AdapterProvider } from "../models/model-builder.ts";
import { buildTextEncoder } from "../models/text-encoder.ts";
import { buildUNet, type Checkpointing } from "../models/unet.ts";
import type { Tensor } from "../gpu/graph/tensor.ts";
import type { Checkpoint } from "../models/checkpoint-types.ts";

export interface TrainGraphOptions extends GraphStorage {
  readonly batch: number;
  /** Latent size. */
  readonly height: number;
  readonly width: number;
  readonly adapters: AdapterProvider;
  /** Words whose vectors are trained. */
  readonly words?: TrainedWords | undefined;
  /** The text encoder runs in the step, and is differentiated where it is trained; otherwise its output is an input. */
  readonly encodesText: boolean;
  readonly captions: CaptionShape;
  readonly checkpointing: Checkpointing;
  readonly clipSkip: number;
  readonly lossType: LossType;
  /** Pixels count by a mask. */
  readonly isMasked: boolean;
}

/** @returns [batch, joined tokens, width] */
function encodeCaptions(b: ModelBuilder, checkpoint: Checkpoint, options: TrainGraphOptions): Tensor {
  const { graph } = b;
  const { chunks, isWeighted } = options.captions;
  const ids = graph.input(names.ids, [options.batch * chunks, tokenCount], { dtype: "i32" });
  const hidden = buildTextEncoder(b, checkpoint.textEncoder, ids, {
    clipSkip: options.clipSkip,
    checkpointing: options.checkpointing === true,
    vectors: options.words && wordParam(graph, options.words),
  });
  const weights = isWeighted ? graph.input(names.tokenWeights, [options.batch, joinedTokens(chunks)]) : undefined;
  return graph.scope("captions", () => joinChunks(graph, hidden, chunks, weights));
}

/** One micro-batch: prediction, loss, and the gradients of everything trained added to their pools. */
export function buildTrainGraph(checkpoint: Checkpoint, options: TrainGraphOptions): Graph {
  const { graph, pred, dpred } = buildLossGraph(checkpoint, options, updateTensors.guard);
  differentiate(graph, [{ of: pred, gradient: dpred }]);
  return graph;
}

/** Prediction and loss alone: nothing is changed by it. */
export function buildValidationGraph(checkpoint: Checkpoint, options: Omit<TrainGraphOptions, "checkpointing">): Graph {
  return buildLossGraph(checkpoint, { ...options, checkpointing: false }, "validation/guard").graph;
}

/** @param guard name of what says that a loss is not finite */
function buildLossGraph(checkpoint: Checkpoint, options: TrainGraphOptions, guard: string): { graph: Graph; pred: Tensor; dpred: Tensor } {
  const graph = new Graph(options);
  const { batch, height, width } = options;
  const b = new ModelBuilder(graph, weightShapes(checkpoint), options.adapters);
  const { unet } = checkpoint;
  const x = graph.input(names.x, [batch, height, width, unet.inChannels]);
  const timestepEmbedding = graph.input(names.timestepEmbedding, [batch, unet.modelChannels]);
  const context = options.encodesText
    ? encodeCaptions(b, checkpoint, options)
    : graph.input(names.context, [batch, joinedTokens(options.captions.chunks), unet.contextDim]);
  const pred = buildUNet(b, unet, { x, timestepEmbedding, context }, options.checkpointing);
  const target = graph.input(names.target, pred.shape);
  const weights = graph.input(names.lossWeights, [batch, lossWeightWidth]);
  const mask = options.isMasked ? graph.input(names.lossMask, [batch, height, width]) : undefined;
  const dpred = graph.scope("loss", () => {
    const outputs = { loss: graph.output(names.loss, [batch]), guard: graph.output(guard, [4]) };
    return diffusionLoss(graph, options.lossType, { pred, target, weights, mask }, outputs);
  });
  return { graph, pred, dpred };
}
