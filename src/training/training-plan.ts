/**
 * Everything that is known about a run before it starts: programs for every batch shape, the optimizer update, and
 * where all memory goes. Needs no GPU; the forecast is read off it and the engine allocates exactly it.
 */
import { InputError, invariant } from "../errors.ts";
import { planProgram, programUniformBytes, sumBytes, type ProgramPlan } from "../gpu/program/plan.ts";
import { Arena } from "../gpu/program/program.ts";
import { planResidents, type ResidentPlan } from "../gpu/program/residents.ts";
import type { LossType } from "../gpu/ops/diffusion-loss.ts";
import { buildUpdate, type UpdateGraph } from "../gpu/optimizers/update-graph.ts";
import { programsOf, type ForwardPlan } from "./forward-plan.ts";
import { placeSamples, type SampleMemory } from "./sample-memory.ts";
import { buildTrainGraph, buildValidationGraph } from "./train-graph.ts";
import type { CaptionShape } from "../text/caption-tokens.ts";
import type { NormLimit } from "../gpu/optimizers/max-norm.ts";
import type { Optimizer } from "../gpu/optimizers/optimizer.ts";
import type { Tier } from "../gpu/tier.ts";
import type { Tensor } from "../gpu/graph/tensor.ts";
import type { ActivationType, MatrixType, Param, WeightSource } from "../gpu/graph/graph.ts";
import { wordGroup, wordTensor, type TrainedWords } from "../lora/trained-words.ts";
import { rateGroup, type RateGroup } from "../lora/rate-groups.ts";
import type { AdapterSet } from "../lora/adapter-set.ts";
import type { TrainedModel } from "../lora/trained-model.ts";
import type { TrainedTensor } from "../gpu/optimizers/trained-tensor.ts";
import type { Checkpoint } from "../models/checkpoint-types.ts";
import type { SamplePlan } from "./sample-plan.ts";

/** Shape of a micro-batch: latents [batch, height, width]. */
export interface BatchShape {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
}

export const shapeKey = ({ batch, height, width }: BatchShape): string => `${batch}x${height}x${width}`;

export interface TrainingPlanOptions {
  readonly checkpoint: Checkpoint;
  readonly tier: Tier;
  readonly adapters: AdapterSet;
  /** Words whose vectors are trained instead of adapters. */
  readonly words?: TrainedWords | undefined;
  /** The model itself, where its own weights are trained. */
  readonly model?: TrainedModel | undefined;
  /** The text encoder is trained for a part of the run only. */
  readonly stopsText?: boolean;
  readonly optimizer: Optimizer;
  readonly shapes: readonly BatchShape[];
  /** Of the batches that the run is tested with. */
  readonly validationShapes?: readonly BatchShape[];
  readonly checkpointing: boolean;
  /** How activations and their gradients are stored; f32 where absent. */
  readonly activations?: ActivationType;
  /** How frozen matrices are stored; f16 where absent. */
  readonly matrices?: MatrixType;
  readonly clipSkip: number;
  /** The text encoder runs in every step although it is not trained: captions vary. */
  readonly encodesText?: boolean;
  /** How long captions are; where absent, one chunk without weights. */
  readonly captions?: CaptionShape;
  readonly lossType: LossType;
  /** Pixels count by a mask that each micro-batch brings. */
  readonly isMasked?: boolean;
  /** Where the modules' norms have a limit. */
  readonly maxNorm?: number;
  /** Micro-batches per update, at most. */
  readonly accumulation: number;
  /** The VAE, where pictures are encoded in every step; it works in the run's arena. */
  readonly encoder?: ForwardPlan;
  /** Pictures that are made while training. */
  readonly samples?: SamplePlan;
}

/** What a run trains. */
export type Trained = Pick<TrainingPlanOptions, "adapters" | "words" | "model">;

export interface TrainingPlan {
  readonly options: TrainingPlanOptions;
  readonly steps: ReadonlyMap<string, ProgramPlan>;
  /** The same once the text encoder is no longer trained, where it stops. */
  readonly restingSteps: ReadonlyMap<string, ProgramPlan>;
  /** Loss without gradients, by shape. */
  readonly validation: ReadonlyMap<string, ProgramPlan>;
  readonly update: ProgramPlan;
  /** What the update finds in memory at the start, and state of the optimizer's own shapes. */
  readonly updateMemory: Pick<UpdateGraph, "constants" | "kept">;
  /** Weights, adapters, gradients, optimizer state, inputs and outputs. */
  readonly residents: ResidentPlan;
  readonly weights: ReadonlyMap<Tensor, WeightSource>;
  /** Arena buffers, shared by all programs. */
  readonly arenaBytes: readonly number[];
  /** Size of the one buffer through which results come back. */
  readonly reportBytes: number;
  /** Undefined where no samples are made. */
  readonly samples: SampleMemory | undefined;
}

/** Report buffer: [norm, coefficient, finite, Σg², estimated step size, modules scaled, mean and largest norm], then the per-sample losses of each micro-batch. */
export const reportHeaderBytes = 32;

const plainCaptions: CaptionShape = { chunks: 1, isWeighted: false };

export function planTraining(options: TrainingPlanOptions): TrainingPlan {
  const { checkpoint, tier, adapters, model, optimizer, shapes, validationShapes = [] } = options;
  if (shapes.length === 0) throw new InputError("train.noBatches", "There is nothing to train on: the dataset gives no batches");
  if (adapters.targets.length === 0 && options.words === undefined && model === undefined) {
    throw new InputError("train.nothingToTrain", "Nothing is trained: unet_lr and text_encoder_lr are both 0");
  }
  const encodesText = runsTextEncoder(options);
  const graphOptions = {
    words: options.words,
    encodesText,
    captions: options.captions ?? plainCaptions,
    clipSkip: options.clipSkip,
    activations: options.activations,
    matrices: options.matrices,
    lossType: options.lossType,
    isMasked: options.isMasked ?? false,
  };
  const steps = new Map<string, ProgramPlan>();
  const restingSteps = new Map<string, ProgramPlan>();
  const weights = new Map<Tensor, WeightSource>();
  const seen = new Set<string>();
  const params = new Map<string, Param>();
  for (const shape of shapes) {
    const key = shapeKey(shape);
    if (steps.has(key)) continue;
    const { checkpointing } = options;
    const graph = buildTrainGraph(checkpoint, { ...graphOptions, ...shape, adapters: model ?? adapters.training, checkpointing });
    steps.set(key, planProgram(`step ${key}`, graph, tier));
    if (model !== undefined && options.stopsText === true) {
      const resting = buildTrainGraph(checkpoint, { ...graphOptions, ...shape, adapters: model.restingExcept(["unet"]), checkpointing });
      restingSteps.set(key, planProgram(`step ${key}, text encoder at rest`, resting, tier));
    }
    for (const [tensor, source] of graph.weights) {
      if (!seen.has(tensor.name)) weights.set(tensor, source);
      seen.add(tensor.name);
    }
    for (const param of graph.params) params.set(param.value.name, param);
  }
  const validation = new Map<string, ProgramPlan>();
  for (const shape of validationShapes) {
    const key = shapeKey(shape);
    if (validation.has(key)) continue;
    validation.set(key, planProgram(`validation ${key}`, buildValidationGraph(checkpoint, { ...graphOptions, ...shape, adapters: model ?? adapters }), tier));
  }
  // Gradients in the order of the parameters: the optimizer walks both pools in step.
  const adapterTensors = [...[...params.values()].map(({ value }) => value), ...[...params.values()].map(({ grad }) => grad)];
  const stepResidents = [...adapterTensors, ...[...steps.values(), ...restingSteps.values()].flatMap((plan) => plan.residents)];
  const updateMemory = buildUpdate(
    optimizer, planResidents(stepResidents, tier.limits),
    trainedGroups(options).map(({ name }) => name), trainedTensors(options), normLimit(options),
  );
  const update = planProgram("update", updateMemory.graph, tier);
  const validationResidents = [...validation.values()].flatMap((plan) => plan.residents);
  const residents = planResidents([...stepResidents, ...update.residents, ...validationResidents], tier.limits);
  const plans = [...steps.values(), ...restingSteps.values(), update, ...validation.values(), ...(options.encoder === undefined ? [] : programsOf(options.encoder))];
  const batch = Math.max(...[...shapes, ...validationShapes].map((shape) => shape.batch));
  const reportBytes = reportHeaderBytes + options.accumulation * batch * 4;
  for (const tensor of weights.keys()) invariant(residents.slots.has(tensor.name), `${tensor.name} has no memory`);
  const alone = { options, steps, restingSteps, validation, update, updateMemory, residents, weights, arenaBytes: Arena.chunkBytes(plans), reportBytes, samples: undefined };
  if (options.samples === undefined || options.samples.samples.length === 0) return alone;
  const samples = placeSamples(options.samples, { residents, programs: plans, bytes: trainingBytes(alone) }, tier.limits);
  return { ...alone, samples, arenaBytes: Arena.chunkBytes([...plans, ...keptPrograms(samples)]) };
}

/** Whether the text encoder runs in every step; otherwise each caption is encoded once, before training. */
function runsTextEncoder(options: TrainingPlanOptions): boolean {
  return trainsText(options) || options.encodesText === true;
}

/** Whether what texts are to the UNet changes while training. */
export function trainsText({ adapters, words, model }: Trained): boolean {
  return words !== undefined || adapters.settings.trains.textEncoder || model?.sides.includes("textEncoder") === true;
}

/** Parameter groups in the order of their scalars. */
export function trainedGroups({ adapters, words, model }: Trained): readonly RateGroup[] {
  if (model !== undefined) return model.groups;
  return words === undefined ? adapters.groups : [rateGroup(wordGroup, 1)];
}

function trainedTensors({ adapters, words, model }: TrainingPlanOptions): readonly TrainedTensor[] {
  if (model !== undefined) return model.tensors;
  return words === undefined ? adapters.tensors : [wordTensor(words)];
}

function normLimit({ adapters, words, model, maxNorm }: TrainingPlanOptions): NormLimit | undefined {
  return maxNorm === undefined || words !== undefined || model !== undefined ? undefined : { limit: maxNorm, modules: adapters.normed };
}

/** What is encoded once, before training: texts that the steps and the samples do not encode themselves. */
export function textsToCache({ options }: TrainingPlan): { readonly captions: boolean; readonly samples: boolean } {
  const hasSamples = (options.samples?.samples.length ?? 0) > 0;
  return { captions: !runsTextEncoder(options), samples: hasSamples && !trainsText(options) };
}

/** Programs of samples that share the run's arena. */
export function keptPrograms(samples: SampleMemory | undefined): readonly ProgramPlan[] {
  return samples?.isKept === true ? samples.plan.programs : [];
}

/** All GPU bytes that the training phase allocates, samples that are kept included. */
export function trainingBytes(plan: TrainingPlan): number {
  const kept = plan.samples?.isKept === true ? plan.samples.bytes : 0;
  return plan.residents.totalBytes + sumBytes(plan.arenaBytes) + uniformBytes(plan) + plan.reportBytes + encoderBytes(plan) + kept;
}

/** What the VAE adds where pictures are encoded in every step, beside what it makes of the arena. */
export function encoderBytes({ options: { encoder } }: TrainingPlan): number {
  return encoder === undefined ? 0 : encoder.residents.totalBytes + programUniformBytes(programsOf(encoder));
}

/** Per-dispatch scalars of all programs that train. */
export function uniformBytes(plan: TrainingPlan): number {
  return programUniformBytes([...plan.steps.values(), ...plan.restingSteps.values(), plan.update, ...plan.validation.values()]);
}
