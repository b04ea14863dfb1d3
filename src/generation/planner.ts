/** Plans of the programs that generation runs, made when a size is first asked for. Needs no GPU. */
import { BindingTooLargeError } from "../gpu/graph/memory-plan.ts";
import { planProgram } from "../gpu/program/plan.ts";
import { planResidents, type ResidentPlan } from "../gpu/program/residents.ts";
import { buildDecodeGraph, buildTextGraph, buildUNetGraph, tokenCount, type UNetGraphOptions } from "../models/forward-graphs.ts";
import { CHUNK_TOKENS } from "../text/prompt/chunks.ts";
import type { Graph, WeightSource } from "../gpu/graph/graph.ts";
import { byteLength, type Tensor } from "../gpu/graph/tensor.ts";
import type { Tier } from "../gpu/tier.ts";
import type { PlannedModel } from "../models/forward-runner.ts";
import type { GenerationModels } from "./models.ts";

/** All weights; programs of every size share them. */
export interface WeightPlan {
  readonly checkpoint: ReadonlyMap<Tensor, WeightSource>;
  readonly vae: ReadonlyMap<Tensor, WeightSource>;
  readonly residents: ResidentPlan;
}

/** Embeddings change no plan. */
type PlannedFiles = Omit<GenerationModels, "embeddings">;

/** Plans kept for the next picture. */
const remembered = 16;

export class Planner {
  readonly models: PlannedFiles;
  readonly tier: Tier;
  readonly weights: WeightPlan;
  readonly #known = new Map<string, PlannedModel | BindingTooLargeError>();

  constructor(models: PlannedFiles, tier: Tier) {
    this.models = models;
    this.tier = tier;
    // Weights do not depend on sizes; clip skip 1 runs every layer.
    const { checkpoint, vae } = models;
    const text = buildTextGraph(checkpoint, 1, 1, CHUNK_TOKENS).graph;
    const unet = buildUNetGraph(checkpoint, { batch: 1, height: 8, width: 8, tokens: tokenCount }).graph;
    const decoder = buildDecodeGraph(vae, 8, 8).graph;
    this.weights = {
      checkpoint: new Map([...text.weights, ...unet.weights]),
      vae: decoder.weights,
      residents: planResidents([text, unet, decoder].flatMap((graph) => [...graph.weights.keys()]), tier.limits),
    };
  }

  /**
   * One chunk of a prompt to hidden states. Behind the vocabulary is room for a chunk of an embedding's vectors.
   * @throws InputError `config.clip_skip`
   */
  text(clipSkip: number): PlannedModel {
    return this.#plan(`text, clip skip ${clipSkip}`, () => {
      const { graph, hidden } = buildTextGraph(this.models.checkpoint, 1, clipSkip, CHUNK_TOKENS);
      return { graph, result: hidden };
    });
  }

  /** @throws BindingTooLargeError */
  unet(options: UNetGraphOptions): PlannedModel {
    const { batch, height, width, tokens } = options;
    return this.#plan(`unet ${batch}x${height}x${width}, ${tokens} tokens`, () => {
      const { graph, prediction } = buildUNetGraph(this.models.checkpoint, options);
      return { graph, result: prediction };
    });
  }

  /** Bytes of the largest activation of the UNet, without planning it. */
  largestActivation(options: UNetGraphOptions): number {
    const { graph } = buildUNetGraph(this.models.checkpoint, options);
    return Math.max(...graph.tensors.filter(({ role }) => role === "temp").map(byteLength));
  }

  /** Sizes in latents. @throws BindingTooLargeError */
  decoder(height: number, width: number): PlannedModel {
    return this.#plan(`decoder ${height}x${width}`, () => {
      const { graph, image } = buildDecodeGraph(this.models.vae, height, width);
      return { graph, result: image };
    });
  }

  #plan(key: string, build: () => { graph: Graph; result: Tensor }): PlannedModel {
    const planned = this.#known.get(key) ?? this.#make(key, build);
    // The last one asked for goes to the end; the first one is the longest unused.
    this.#known.delete(key);
    this.#known.set(key, planned);
    const [oldest] = this.#known.keys();
    if (this.#known.size > remembered && oldest !== undefined) this.#known.delete(oldest);
    if (planned instanceof BindingTooLargeError) throw planned;
    return planned;
  }

  #make(key: string, build: () => { graph: Graph; result: Tensor }): PlannedModel | BindingTooLargeError {
    const { graph, result } = build();
    try {
      return { plan: planProgram(key, graph, this.tier), result };
    } catch (error) {
      if (error instanceof BindingTooLargeError) return error;
      throw error;
    }
  }
}
