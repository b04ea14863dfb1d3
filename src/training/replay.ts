/**
 * Replays recorded training data: latents, noise, timesteps and token ids from a trace, through the same engine as a
 * real run, so that losses and final weights can be compared with another trainer's.
 */
import { InputError } from "../errors.ts";
import { parseConfig } from "../config/config.ts";
import { defaultConfig, type TrainingConfig } from "../config/parameters.ts";
import { baseNorms, initialAdapter } from "./adapter-init.ts";
import { captionShape } from "./caption-source.ts";
import { joinStates, splitChunks } from "./caption-states.ts";
import { lossScaleOf } from "./loss-scale.ts";
import { joinSamples, makeMicroBatch, nchwToNhwc } from "./micro-batch.ts";
import { createNoiseSchedule, type NoiseSchedule } from "./noise-schedule.ts";
import { cacheText, planText } from "./text-cache.ts";
import { createAdapters, planRun } from "./run-settings.ts";
import { learningRates } from "../config/learning-rate.ts";
import { initialWords } from "./word-init.ts";
import { StepEngine, type MicroBatch } from "./step-engine.ts";
import { tokenCount } from "../models/forward-graphs.ts";
import { joinedTokens, type CaptionShape, type CaptionTokens } from "../text/caption-tokens.ts";
import { textsToCache, type BatchShape } from "./training-plan.ts";
import type { Gpu } from "../gpu/device.ts";
import type { SafetensorsFile } from "../formats/safetensors.ts";
import { elementCount } from "../gpu/graph/tensor.ts";
import type { AdapterSet } from "../lora/adapter-set.ts";
import type { ModuleWeights } from "../lora/factors.ts";
import type { WordVectors } from "../lora/word-file.ts";
import type { Checkpoint } from "../models/checkpoint-types.ts";

export interface ReplayResult {
  readonly config: TrainingConfig;
  readonly adapters: AdapterSet;
  /** Per micro-batch. */
  readonly losses: readonly number[];
  /** Per update, before clipping. */
  readonly gradNorms: readonly number[];
  /** Final factors by kohya name, f32. */
  readonly weights: ReadonlyMap<string, ModuleWeights>;
  /** Final vectors of trained words. */
  readonly words: WordVectors | undefined;
  /** Final weights of a model that is trained itself, by the checkpoint's keys. */
  readonly model: ReadonlyMap<string, Float32Array<ArrayBuffer>> | undefined;
}

export interface ReplayOptions {
  /** Values by kohya key that win over the trace's configuration. */
  readonly overrides?: Readonly<Record<string, unknown>>;
  readonly seed?: number;
  onUpdate?(done: number, total: number, loss: number): void;
}

/** @throws InputError `replay.*` for a trace that is not one or does not fit the model */
export async function replay(gpu: Gpu, checkpoint: Checkpoint, trace: SafetensorsFile, options: ReplayOptions = {}): Promise<ReplayResult> {
  const config = readConfig(trace, checkpoint, options.overrides ?? {});
  const shapes = readShapes(trace);
  const plan = planRun(checkpoint, config, shapes, gpu.tier);
  const adapters = plan.options.adapters;
  const captions = captionShape(config);
  const { words } = plan.options;
  const vocabulary = checkpoint.textEncoder.vocab + (words?.count ?? 0);
  const tokens = await Promise.all(shapes.map((shape, i) => readTokens(trace, vocabulary, captions, shape, i)));
  const contexts = textsToCache(plan).captions ? await contextsOf(gpu, checkpoint, config, tokens, captions) : undefined;
  const schedule = createNoiseSchedule(config);
  const engine = await StepEngine.create(gpu, plan);
  try {
    engine.adapters.write("params", await startingAdapter(trace, checkpoint, config, adapters, options.seed ?? 0));
    if (words !== undefined) {
      const isGiven = trace.tensors.has("words");
      engine.words?.write("params", isGiven ? await trace.readF32("words") : await initialWords(checkpoint, words, config, options.seed ?? 0));
    }
    const accumulation = config.gradient_accumulation_steps;
    const updates = Math.ceil(shapes.length / accumulation);
    const lossScale = lossScaleOf(config);
    const losses: number[] = [];
    const gradNorms: number[] = [];
    for (let update = 0; update < updates; update++) {
      const batches: MicroBatch[] = [];
      for (let i = update * accumulation; i < Math.min((update + 1) * accumulation, shapes.length); i++) {
        batches.push(await readBatch(trace, schedule, config, shapes, i, tokens, contexts));
      }
      const moved = update - (lossScale?.state.skipped ?? 0);
      const rates = learningRates(config, moved, config.max_train_steps);
      const report = await engine.runUpdate(batches, rates, moved + 1, config.max_grad_norm, lossScale?.state.scale);
      if (report.isFinite) lossScale?.grow();
      else lossScale?.backOff();
      losses.push(...report.losses);
      gradNorms.push(report.gradNorm);
      options.onUpdate?.(update + 1, updates, report.losses.at(-1) ?? NaN);
    }
    const vectors = await engine.words?.read("params");
    const trained = words && vectors && { width: words.width, vectors };
    const model = await trainedWeights(engine);
    return { config, adapters, losses, gradNorms, weights: await engine.adapters.read("params"), words: trained, model };
  } finally {
    engine.destroy();
  }
}

async function trainedWeights({ model }: StepEngine): Promise<ReplayResult["model"]> {
  if (model === undefined) return undefined;
  const pieces = new Map<string, Float32Array<ArrayBuffer>[]>();
  for (const tensor of model.tensors.toSorted((a, b) => a.firstRow - b.firstRow)) {
    const own = pieces.get(tensor.key) ?? [];
    pieces.set(tensor.key, own);
    for await (const piece of model.read(tensor, "params")) own.push(piece);
  }
  return new Map([...pieces].map(([key, own]) => [key, joinSamples(own)]));
}

function readConfig(trace: SafetensorsFile, checkpoint: Checkpoint, overrides: Readonly<Record<string, unknown>>): TrainingConfig {
  const text = trace.metadata.get("config");
  let values: unknown;
  try {
    values = JSON.parse(text ?? "");
  } catch (cause) {
    throw new InputError("replay.config", `${trace.source.name} has no JSON under the metadata key "config"`, {}, { cause });
  }
  if (typeof values !== "object" || values === null) {
    throw new InputError("replay.config", `${trace.source.name}: "config" is not an object of parameters`);
  }
  const detected = { ...defaultConfig(), v_parameterization: checkpoint.predictionType === "v_prediction" };
  return parseConfig({ ...values, ...overrides }, detected).config;
}

function readShapes(trace: SafetensorsFile): BatchShape[] {
  const shapes: BatchShape[] = [];
  for (let i = 0; trace.tensors.has(`latents.${i}`); i++) {
    const [batch = 0, channels, height = 0, width = 0] = trace.entry(`latents.${i}`).shape;
    if (channels !== 4 || batch * height * width === 0) throw bad(trace, `latents.${i} is not [B,4,h,w]`);
    const noise = trace.entry(`noise.${i}`).shape;
    if (noise.join() !== [batch, 4, height, width].join()) throw bad(trace, `noise.${i} has another shape than latents.${i}`);
    const input = trace.tensors.get(`input_noise.${i}`);
    if (input !== undefined && input.shape.join() !== noise.join()) throw bad(trace, `input_noise.${i} has another shape than noise.${i}`);
    if (trace.entry(`timesteps.${i}`).shape.join() !== `${batch}`) throw bad(trace, `timesteps.${i} is not [${batch}]`);
    shapes.push({ batch, height, width });
  }
  if (shapes.length === 0) throw bad(trace, "it has no latents.0");
  return shapes;
}

/** Token ids [B, chunks · 77] and, of weighted captions, `token_weights` [B, T]. */
async function readTokens(
  trace: SafetensorsFile, vocabulary: number, { chunks, isWeighted }: CaptionShape, { batch }: BatchShape, i: number,
): Promise<CaptionTokens> {
  const name = `input_ids.${i}`;
  const width = chunks * tokenCount;
  if (trace.entry(name).shape.join() !== `${batch},${width}`) throw bad(trace, `${name} is not [${batch},${width}]`);
  const ids = Int32Array.from(await trace.readInts(name));
  if (ids.some((id) => id < 0 || id >= vocabulary)) throw bad(trace, `${name} has ids outside of the model's vocabulary of ${vocabulary}`);
  if (!isWeighted) return { ids, weights: undefined };
  const weights = await trace.readF32(`token_weights.${i}`);
  if (weights.length !== batch * joinedTokens(chunks)) throw bad(trace, `token_weights.${i} is not [${batch},${joinedTokens(chunks)}]`);
  return { ids, weights };
}

async function contextsOf(
  gpu: Gpu,
  checkpoint: Checkpoint,
  config: TrainingConfig,
  tokens: readonly CaptionTokens[],
  { chunks }: CaptionShape,
): Promise<Float32Array<ArrayBuffer>[]> {
  const rows = tokens.flatMap(({ ids }) => splitChunks(ids));
  const states = await cacheText(gpu, checkpoint, planText(checkpoint, config.clip_skip ?? 1, gpu.tier), rows);
  let at = 0;
  return tokens.map(({ ids, weights }) => {
    const count = ids.length / tokenCount / chunks;
    const length = joinedTokens(chunks);
    return joinSamples(
      Array.from({ length: count }, (_, b) => joinStates(states.slice(at, (at += chunks)), weights?.subarray(b * length, (b + 1) * length))),
    );
  });
}

async function readBatch(
  trace: SafetensorsFile,
  schedule: NoiseSchedule,
  config: TrainingConfig,
  shapes: readonly BatchShape[],
  i: number,
  tokens: readonly CaptionTokens[],
  contexts: readonly Float32Array<ArrayBuffer>[] | undefined,
): Promise<MicroBatch> {
  const shape = shapes[i];
  const text = tokens[i];
  if (shape === undefined || text === undefined) throw bad(trace, `micro-batch ${i} is missing`);
  const size = [shape.batch, 4, shape.height, shape.width] as const;
  const timesteps = Int32Array.from(await trace.readInts(`timesteps.${i}`));
  if (timesteps.some((t) => t < 0 || t > 999)) throw bad(trace, `timesteps.${i} must be from 0 to 999`);
  const context = contexts?.[i];
  return makeMicroBatch(schedule, {
    shape,
    latents: nchwToNhwc(await trace.readF32(`latents.${i}`), size),
    noise: nchwToNhwc(await trace.readF32(`noise.${i}`), size),
    inputNoise: config.ip_noise_gamma === null ? undefined : nchwToNhwc(await trace.readF32(`input_noise.${i}`), size),
    timesteps,
    text: context === undefined ? text : { context },
    mask: config.alpha_mask ? await readMask(trace, shape, i) : undefined,
    prediction: config.v_parameterization ? "v" : "epsilon",
    config,
    draw: { seed: config.seed ?? 0, microBatch: i },
  });
}

/** `mask` [B, h, w] of a masked run. */
async function readMask(trace: SafetensorsFile, { batch, height, width }: BatchShape, i: number): Promise<Float32Array<ArrayBuffer>> {
  const mask = await trace.readF32(`mask.${i}`);
  if (mask.length !== batch * height * width) throw bad(trace, `mask.${i} is not [${batch},${height},${width}]`);
  return mask;
}

async function startingAdapter(
  trace: SafetensorsFile,
  checkpoint: Checkpoint,
  config: TrainingConfig,
  adapters: AdapterSet,
  seed: number,
): Promise<Map<string, ModuleWeights>> {
  const weights = initialAdapter(adapters, seed, await baseNorms(checkpoint, adapters));
  const known = new Map(createAdapters(checkpoint, config).targets.map((target) => [target.name, target]));
  for (const name of trace.tensors.keys()) {
    const found = /^adapter\.([^.]+)\.alpha$/.exec(name)?.[1];
    if (found === undefined) continue;
    const target = known.get(found);
    if (target === undefined) throw bad(trace, `adapter module ${found} is not trained with these settings`);
    const factors: Record<string, Float32Array<ArrayBuffer>> = {};
    for (const { key, shape } of target.factors) {
      const values = await trace.readF32(`adapter.${found}.${key}`);
      if (values.length !== elementCount(shape)) throw bad(trace, `${key} of adapter module ${found} does not have the shape [${shape.join()}]`);
      factors[key] = values;
    }
    weights.set(found, factors);
  }
  return weights;
}

function bad(trace: SafetensorsFile, reason: string): InputError {
  return new InputError("replay.trace", `${trace.source.name} is not a usable trace: ${reason}`, { file: trace.source.name, reason });
}
