/** Everything that is known about a run's samples before it starts: what is drawn, and with which programs. Needs no GPU. */
import { parseSamplePrompts, type IgnoredFlag, type SamplePrompt, type SampleSampler } from "../config/sample-prompts.ts";
import { LorasmithError } from "../errors.ts";
import { Planner } from "../generation/planner.ts";
import { planRequest, type RequestPlan } from "../generation/request-plan.ts";
import { planProgram, type ProgramPlan } from "../gpu/program/plan.ts";
import { buildTextGraph, requireDecoder, type UNetGraphOptions } from "../models/forward-graphs.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import type { SamplerName } from "../config/sampling.ts";
import type { GenerationRequest } from "../generation/request.ts";
import type { Graph, MatrixType, WeightSource } from "../gpu/graph/graph.ts";
import type { Tensor } from "../gpu/graph/tensor.ts";
import type { Tier } from "../gpu/tier.ts";
import { wordParam, type TrainedWords } from "../lora/trained-words.ts";
import { trainsText, type Trained, type TrainingPlanOptions } from "./training-plan.ts";
import type { PromptChunk } from "../text/prompt/chunks.ts";
import type { Checkpoint } from "../models/checkpoint-types.ts";
import type { AdapterProvider } from "../models/model-builder.ts";
import type { PlannedModel } from "../models/forward-runner.ts";

/** One picture of every set of samples. */
export interface PlannedSample {
  /** Of the prompt among those that can be read, from 0. */
  readonly index: number;
  readonly prompt: SamplePrompt;
  /** Its seed is 0 where the run chooses it. */
  readonly plan: RequestPlan;
}

/** A prompt that no picture can be made of here. */
export interface RefusedSample {
  readonly index: number;
  readonly prompt: SamplePrompt;
  readonly error: LorasmithError;
}

export interface SamplePlan {
  readonly samples: readonly PlannedSample[];
  readonly refused: readonly RefusedSample[];
  /** Lines that cannot be read. */
  readonly errors: readonly LorasmithError[];
  readonly ignored: readonly IgnoredFlag[];
  /** Picture size of lines without one, where it is not sd-scripts' 512×512. */
  readonly smallerSize: readonly [width: number, height: number] | undefined;
  /** The programs of all pictures, each once. The text encoder's is among them only where it is trained. */
  readonly programs: readonly ProgramPlan[];
  /** Of the VAE decoder; all others are the run's own. */
  readonly weights: ReadonlyMap<Tensor, WeightSource>;
}

/** What the run trains, beside what. */
type TrainedBeside = Trained & Pick<TrainingPlanOptions, "matrices">;

const usualSize = 512;
const sizeStep = 8;
const leastSize = 64;

/** Where this program's name is another one than kohya's. */
const samplerNames: Readonly<Partial<Record<SampleSampler, SamplerName>>> = { "dpmsolver++": "dpmpp_2m" };

/** Our name of kohya's sampler. */
export function samplerOf(name: SampleSampler): SamplerName {
  return samplerNames[name] ?? (name as Exclude<SampleSampler, "dpmsolver++">);
}

/** Plans programs of the models that are being trained, with the adapter as it is at that moment. */
class LivePlanner extends Planner {
  readonly #adapters: AdapterProvider;
  readonly #words: TrainedWords | undefined;
  readonly #matrices: MatrixType | undefined;
  readonly #texts = new Map<number, PlannedModel>();

  constructor(checkpoint: Checkpoint, { adapters, words, model, matrices }: TrainedBeside, tier: Tier) {
    super({ checkpoint, vae: { ...checkpoint, vae: requireDecoder(checkpoint) } }, tier);
    this.#adapters = model ?? adapters;
    this.#words = words;
    this.#matrices = matrices;
  }

  override text(clipSkip: number): PlannedModel {
    let known = this.#texts.get(clipSkip);
    if (known === undefined) {
      const words = this.#words;
      const vectors = words && ((graph: Graph): Tensor => wordParam(graph, words));
      const { graph, hidden } = buildTextGraph(this.models.checkpoint, 1, clipSkip, 0, this.#adapters, { vectors, matrices: this.#matrices });
      known = { plan: planProgram(`sample text, clip skip ${clipSkip}`, graph, this.tier), result: hidden };
      this.#texts.set(clipSkip, known);
    }
    return known;
  }

  override unet(options: UNetGraphOptions): PlannedModel {
    return super.unet({ ...options, adapters: this.#adapters, matrices: this.#matrices });
  }
}

/** Plans a request in which the token that is trained stands for its vectors, which have the ids behind the vocabulary. */
function planWithWords(planner: Planner, request: GenerationRequest, config: TrainingConfig, { words }: Trained): RequestPlan {
  if (words === undefined) return planRequest(planner, request, []);
  const plan = planRequest(planner, request, [{ name: config.token_string, vectors: words.count }]);
  const { vocab } = planner.models.checkpoint.textEncoder;
  const withIds = ({ ids, weights, embeddings }: PromptChunk): PromptChunk => {
    const named = ids.slice();
    for (const { offset } of embeddings) for (let i = 0; i < words.count; i++) named[offset + i] = vocab + i;
    return { ids: named, weights, embeddings: [] };
  };
  return { ...plan, chunks: new Map([...plan.chunks].map(([text, chunks]) => [text, chunks.map(withIds)])) };
}

/** @returns undefined where the configuration has no prompts */
export function planSamples(
  checkpoint: Checkpoint, config: TrainingConfig, trained: TrainedBeside, tier: Tier,
): SamplePlan | undefined {
  const { prompts, errors, ignored } = parseSamplePrompts(config.sample_prompts);
  if (prompts.length + errors.length === 0) return undefined;
  const [width, height] = defaultSize(config.resolution);
  const isSmaller = prompts.some((prompt) => prompt.width === undefined || prompt.height === undefined);
  const samples: PlannedSample[] = [];
  const refused: RefusedSample[] = [];
  let planner: LivePlanner | undefined;
  for (const [index, prompt] of prompts.entries()) {
    const request: GenerationRequest = {
      prompt: prompt.prompt,
      negative: prompt.negative,
      seed: prompt.seed ?? 0,
      steps: prompt.steps,
      cfg: prompt.cfg,
      sampler: samplerOf(prompt.sampler ?? (config.sample_sampler as SampleSampler)),
      schedule: "automatic",
      width: prompt.width ?? width,
      height: prompt.height ?? height,
      clipSkip: config.clip_skip ?? 1,
    };
    try {
      planner ??= new LivePlanner(checkpoint, trained, tier);
      samples.push({ index, prompt, plan: planWithWords(planner, request, config, trained) });
    } catch (error) {
      if (!(error instanceof LorasmithError)) throw error;
      refused.push({ index, prompt, error });
    }
  }
  const isTextTrained = trainsText(trained);
  const own = samples.flatMap(({ plan }) => plan.programs.filter((program) => isTextTrained || program !== plan.text.plan));
  return {
    samples,
    refused,
    errors,
    ignored,
    smallerSize: isSmaller && (width !== usualSize || height !== usualSize) ? [width, height] : undefined,
    programs: [...new Set(own)],
    weights: planner?.weights.vae ?? new Map(),
  };
}

/** sd-scripts' 512×512, but not larger than what the run teaches. */
function defaultSize(resolution: readonly [number, number]): [number, number] {
  const side = (pixels: number): number => Math.max(leastSize, Math.min(usualSize, pixels - (pixels % sizeStep)));
  return [side(resolution[0]), side(resolution[1])];
}
