/**
 * The running half of a training plan: all GPU memory and programs of a run, one update at a time. What a batch is
 * and where it comes from is not decided here.
 */
import { invariant } from "../errors.ts";
import { byteLength } from "../gpu/graph/tensor.ts";
import { timestepEmbedding } from "../models/unet.ts";
import { lossWeightWidth } from "../gpu/ops/diffusion-loss.ts";
import { stepEstimate, updateTensors } from "../gpu/optimizers/update-graph.ts";
import { normSummary } from "../gpu/optimizers/max-norm.ts";
import { scalarsPerGroup } from "../gpu/optimizers/optimizer.ts";
import { compilePrograms, type CompileProgress } from "../gpu/program/compile.ts";
import { Arena, type Program } from "../gpu/program/program.ts";
import { pipelinesOf } from "../gpu/program/pipelines.ts";
import type { PlannedCall } from "../gpu/program/plan.ts";
import { Residents } from "../gpu/program/residents.ts";
import { AdapterMemory } from "./adapter-memory.ts";
import { ModelMemory } from "./model-memory.ts";
import { openSamples } from "./sample-runner.ts";
import { WordMemory } from "./word-memory.ts";
import { loadWeights, type LoadOptions } from "../models/weight-loader.ts";
import { names } from "../models/forward-graphs.ts";
import { encoderBytes, keptPrograms, reportHeaderBytes, shapeKey, trainedGroups, trainingBytes, type BatchShape, type TrainingPlan } from "./training-plan.ts";
import { programsOf, type ForwardPlan } from "./forward-plan.ts";
import { encodePicture, type PixelSize } from "./latent-cache.ts";
import { ForwardRunner, type ProgramRunner } from "../models/forward-runner.ts";
import { dropoutDraw } from "../lora/adapter-set.ts";
import type { RateGroup } from "../lora/rate-groups.ts";
import type { Gpu } from "../gpu/device.ts";
import type { KeptState } from "./state-file.ts";

/** Data of one micro-batch; maps are NHWC. */
export interface MicroBatch {
  readonly shape: BatchShape;
  /** Noisy latents [B, h, w, 4]. */
  readonly x: Float32Array<ArrayBuffer>;
  /** What the UNet should predict, [B, h, w, 4]. */
  readonly target: Float32Array<ArrayBuffer>;
  /** [B] */
  readonly timesteps: ArrayLike<number>;
  /** [B, h, w]: how much each pixel of the latents counts; wanted where the plan is masked. */
  readonly mask?: Float32Array<ArrayBuffer> | undefined;
  /** [B]: factor of each sample's mean loss. */
  readonly lossWeights: ArrayLike<number>;
  /** [B]: c of each sample, where the loss has one. */
  readonly huberThresholds?: ArrayLike<number>;
  /**
   * Where the text encoder runs in the step: token ids [B, chunks · 77] and, of weighted captions, the weights of the joined
   * chunks' tokens [B, T]. Otherwise its output [B, T, width], joined and weighted.
   */
  readonly text:
    | { readonly ids: Int32Array<ArrayBuffer>; readonly weights?: Float32Array<ArrayBuffer> | undefined }
    | { readonly context: Float32Array<ArrayBuffer> };
  /** What dropout is drawn from, where there is any: the run's seed and the micro-batch's number in it. */
  readonly draw?: { readonly seed: number; readonly microBatch: number } | undefined;
}

export interface UpdateRates {
  readonly unet?: number;
  readonly textEncoder?: number;
}

export interface UpdateReport {
  /** Mean loss of each micro-batch, as sd-scripts logs it. */
  readonly losses: readonly number[];
  /** Global gradient norm before clipping, without the loss scale. */
  readonly gradNorm: number;
  /** False if any gradient or loss was infinite or NaN; what is trained was then left as it was. */
  readonly isFinite: boolean;
  /** By which the optimizer multiplies the learning rates: its estimate after this update, where it makes one. */
  readonly stepSize: number;
  /** Where the modules' norms have a limit: as sd-scripts logs them. */
  readonly norms?: NormReport;
}

export interface NormReport {
  /** Modules that this update made smaller. */
  readonly scaled: number;
  readonly mean: number;
  readonly largest: number;
}

export class StepEngine {
  readonly plan: TrainingPlan;
  readonly adapters: AdapterMemory;
  /** Set where words are trained. */
  readonly words: WordMemory | undefined;
  /** Set where the model itself is trained. */
  readonly model: ModelMemory | undefined;
  readonly #gpu: Gpu;
  readonly #residents: Residents;
  readonly #arena: Arena;
  readonly #report: GPUBuffer;
  readonly #programs = new Map<string, Program>();
  readonly #resting = new Map<string, Program>();
  readonly #validation = new Map<string, Program>();
  #update: Program | undefined;
  /** Set where pictures are encoded in every step. */
  #encoder: ForwardRunner | undefined;
  /** Set where samples are kept. */
  #samples: ForwardRunner | undefined;
  readonly #scratchWeights = new Map<number, Float32Array<ArrayBuffer>>();

  private constructor(gpu: Gpu, plan: TrainingPlan, residents: Residents, arena: Arena, report: GPUBuffer) {
    this.#gpu = gpu;
    this.plan = plan;
    this.#residents = residents;
    this.#arena = arena;
    this.#report = report;
    this.adapters = new AdapterMemory(gpu, residents, plan.options.adapters);
    const { words, model } = plan.options;
    this.words = words && new WordMemory(residents, words);
    this.model = model && new ModelMemory(gpu, residents, model);
  }

  /**
   * Allocates everything, uploads the frozen weights and compiles all programs.
   * @throws OutOfMemoryError, ShaderCompileError, DeviceLostError, InputError for a damaged checkpoint
   */
  static async create(
    gpu: Gpu,
    plan: TrainingPlan,
    progress: { load?: LoadOptions; onCompile?: CompileProgress } = {},
  ): Promise<StepEngine> {
    const before = gpu.counters.bufferBytes;
    const residents = await Residents.allocate(gpu, plan.residents);
    let arena: Arena | undefined;
    let engine: StepEngine | undefined;
    try {
      const { encoder } = plan.options;
      const encoding = encoder === undefined ? [] : programsOf(encoder);
      arena = await Arena.allocate(gpu, [...plan.steps.values(), ...plan.restingSteps.values(), plan.update, ...plan.validation.values(), ...encoding, ...keptPrograms(plan.samples)]);
      const [report] = await gpu.allocate("report", [plan.reportBytes], GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ);
      invariant(report !== undefined, "no report buffer");
      engine = new StepEngine(gpu, plan, residents, arena, report);
      for (const [name, data] of plan.updateMemory.constants) residents.write(name, data);
      await loadWeights(gpu, plan.options.checkpoint, plan.weights, residents, progress.load);
      await engine.#compile(progress.onCompile);
      if (encoder !== undefined) engine.#encoder = await engine.#openEncoder(encoder);
      if (plan.samples?.isKept === true) engine.#samples = await engine.#openSamples();
    } catch (error) {
      if (engine !== undefined) engine.destroy();
      else {
        arena?.destroy();
        residents.destroy();
      }
      throw error;
    }
    const allocated = gpu.counters.bufferBytes - before;
    invariant(allocated === trainingBytes(plan), `planned ${trainingBytes(plan)} bytes, allocated ${allocated}`);
    return engine;
  }

  async #compile(onCompile?: CompileProgress): Promise<void> {
    const memory = { residents: this.#residents, arena: this.#arena, pipelines: pipelinesOf(this.#gpu) };
    const { steps, restingSteps, validation, update } = this.plan;
    const plans = [...steps.values(), ...restingSteps.values(), update, ...validation.values()];
    const programs = await compilePrograms(this.#gpu, plans, memory, onCompile);
    for (const [key, plan] of steps) this.#programs.set(key, programs.get(plan)!);
    for (const [key, plan] of restingSteps) this.#resting.set(key, programs.get(plan)!);
    for (const [key, plan] of validation) this.#validation.set(key, programs.get(plan)!);
    this.#update = programs.get(update);
  }

  #openEncoder(plan: ForwardPlan): Promise<ForwardRunner> {
    const memory = { own: plan.residents, arena: this.#arena, bytes: encoderBytes(this.plan) };
    return ForwardRunner.open(this.#gpu, programsOf(plan), memory, { weights: { file: this.plan.options.checkpoint, tensors: plan.weights } });
  }

  /**
   * Latents of a picture, while an update may be running: the GPU does one after the other.
   * @param image [height, width, 3]
   * @param epsilon N(0, 1) of the latents' size
   */
  async encode(image: Float32Array, size: PixelSize, epsilon: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    const { encoder, checkpoint } = this.plan.options;
    invariant(encoder !== undefined && this.#encoder !== undefined, "the run was planned without an encoder");
    return encodePicture(this.#encoder, checkpoint, encoder, image, size, epsilon);
  }

  async #openSamples(): Promise<ForwardRunner> {
    const { samples, options } = this.plan;
    invariant(samples !== undefined, "the run was planned without samples");
    const run = { checkpoint: options.checkpoint, residents: this.#residents, arena: this.#arena };
    return openSamples(this.#gpu, samples, run);
  }

  /**
   * Lends the programs of samples, which run the models with the adapter as it is now. Not while an update runs.
   * @throws what `openSamples` throws where samples are not kept, and what `draw` throws
   */
  async withSamples<T>(draw: (runner: ProgramRunner) => Promise<T>): Promise<T> {
    if (this.#samples !== undefined) return draw(this.#samples);
    const samples = await this.#openSamples();
    try {
      return await draw(samples);
    } finally {
      samples.destroy();
    }
  }

  /** Optimizer state that does not have the adapter's layout, by name. */
  async readKeptState(): Promise<Map<string, KeptState>> {
    const state = new Map<string, KeptState>();
    for (const { name, shape, dtype } of this.plan.updateMemory.kept) {
      const bytes = await this.#residents.read(name, byteLength({ shape, dtype }));
      state.set(name, dtype === "f32" ? new Float32Array(bytes) : new Uint32Array(bytes));
    }
    return state;
  }

  /** The same of one tensor. */
  async readKept(name: string): Promise<KeptState> {
    const tensor = this.plan.updateMemory.kept.find((candidate) => candidate.name === name);
    invariant(tensor !== undefined, `no optimizer state ${name}`);
    return new Uint32Array(await this.#residents.read(name, byteLength(tensor)));
  }

  writeKept(name: string, data: KeptState): void {
    this.#residents.write(name, data);
  }

  /** Puts back what `readKeptState` gave under the same plan. */
  writeKeptState(state: ReadonlyMap<string, KeptState>): void {
    for (const { name } of this.plan.updateMemory.kept) {
      const data = state.get(name);
      invariant(data !== undefined, `no optimizer state ${name}`);
      this.#residents.write(name, data);
    }
  }

  /** Parameter groups in the order of their scalars. */
  get #groups(): readonly RateGroup[] {
    return trainedGroups(this.plan.options);
  }

  /**
   * Runs one optimizer update: forward and backward for each micro-batch, then clipping and the optimizer.
   * @param step number of this update, from 1
   * @param lossScale of the gradients on their way back, a power of two
   */
  async runUpdate(batches: readonly MicroBatch[], rates: UpdateRates, step: number, maxGradNorm: number, lossScale = 1): Promise<UpdateReport> {
    const { optimizer } = this.plan.options;
    // Without a rate, a text encoder that is trained at first has stopped.
    const isResting = rates.textEncoder === undefined && this.#resting.size > 0;
    this.#submitMicroBatches(batches, lossScale, isResting ? this.#resting : this.#programs);
    const scalars = new Float32Array(this.#groups.length * scalarsPerGroup);
    this.#groups.forEach(({ side, ratio }, i) => scalars.set(optimizer.scalars({ lr: (rates[side] ?? 0) * ratio, step }), i * scalarsPerGroup));
    this.#residents.write(updateTensors.scalars, scalars);
    this.#residents.write(updateTensors.settings, Float32Array.of(maxGradNorm, 1 / lossScale, 0, 0));
    this.#update?.run();
    this.#copyOut(updateTensors.report, 16, 0);
    const hasEstimate = this.plan.updateMemory.kept.some(({ name }) => name === stepEstimate);
    if (hasEstimate) this.#copyOut(stepEstimate, 4, 16);
    const isLimited = this.plan.options.maxNorm !== undefined && this.words === undefined && this.model === undefined;
    if (isLimited) this.#copyOut(normSummary, 12, 20);

    const report = await this.#readReport();
    const losses = this.#lossesOf(batches, report);
    const isFinite = report[2] === 1 && losses.every(Number.isFinite);
    const [scaled = NaN, mean = NaN, largest = NaN] = report.subarray(5);
    const norms = isLimited ? { norms: { scaled, mean, largest } } : {};
    return { losses, gradNorm: (report[0] ?? NaN) / lossScale, isFinite, stepSize: hasEstimate ? (report[4] ?? NaN) : 1, ...norms };
  }

  /** Forward and backward only: adds to the gradients and leaves the adapter alone (tests, diagnostics). */
  async runMicroBatches(batches: readonly MicroBatch[]): Promise<Pick<UpdateReport, "losses">> {
    this.#submitMicroBatches(batches, 1);
    return { losses: this.#lossesOf(batches, await this.#readReport()) };
  }

  /** The mean loss of a batch without dropout; leaves everything as it was. Not while an update runs. */
  async validate(batch: MicroBatch): Promise<number> {
    const program = this.#validation.get(shapeKey(batch.shape));
    invariant(program !== undefined, `no validation for ${shapeKey(batch.shape)}`);
    this.#writeInputs(batch);
    program.run();
    this.#copyOut(names.loss, batch.shape.batch * 4, reportHeaderBytes);
    return this.#lossesOf([batch], await this.#readReport())[0]!;
  }

  /** GPU milliseconds of one step of this shape by kind of op: each kind's dispatches are run alone. */
  async profile(shape: BatchShape, repeats: number): Promise<Map<string, number>> {
    const program = this.#programs.get(shapeKey(shape));
    invariant(program !== undefined, `no program for ${shapeKey(shape)}`);
    const times = new Map<string, number>();
    for (const kind of new Set(program.plan.calls.map((call) => call.node.op.kind))) {
      const options = { only: (call: PlannedCall) => call.node.op.kind === kind };
      program.run(options);
      await this.#gpu.idle();
      const started = performance.now();
      for (let i = 0; i < repeats; i++) program.run(options);
      await this.#gpu.idle();
      times.set(kind, (performance.now() - started) / repeats);
    }
    return times;
  }

  get #maxBatch(): number {
    return (this.plan.reportBytes - reportHeaderBytes) / 4 / this.plan.options.accumulation;
  }

  #submitMicroBatches(batches: readonly MicroBatch[], lossScale: number, programs: ReadonlyMap<string, Program> = this.#programs): void {
    const { accumulation } = this.plan.options;
    invariant(batches.length >= 1 && batches.length <= accumulation, `${batches.length} micro-batches in one update`);
    batches.forEach((batch, i) => {
      this.#writeInputs(batch, lossScale);
      const program = programs.get(shapeKey(batch.shape));
      invariant(program !== undefined, `no program for ${shapeKey(batch.shape)}`);
      program.run();
      this.#copyOut(names.loss, batch.shape.batch * 4, reportHeaderBytes + i * this.#maxBatch * 4);
    });
  }

  /** Mean over the samples of each micro-batch. */
  #lossesOf(batches: readonly MicroBatch[], report: Float32Array): number[] {
    return batches.map(({ shape }, i) => {
      const start = reportHeaderBytes / 4 + i * this.#maxBatch;
      return report.subarray(start, start + shape.batch).reduce((a, b) => a + b, 0) / shape.batch;
    });
  }

  #writeInputs({ shape, x, target, timesteps, lossWeights, huberThresholds, text, mask, draw }: MicroBatch, lossScale = 1): void {
    const { unet } = this.plan.options.checkpoint;
    this.#residents.write(names.x, x);
    this.#residents.write(names.target, target);
    if (this.plan.options.adapters.settings.dropout !== undefined) {
      invariant(draw !== undefined, "dropout needs numbers");
      this.#residents.write(dropoutDraw, Uint32Array.of(draw.seed % 2 ** 32, Math.floor(draw.seed / 2 ** 32), draw.microBatch, 0));
    }
    this.#residents.write(names.timestepEmbedding, timestepEmbedding(timesteps, unet.modelChannels));
    let weights = this.#scratchWeights.get(shape.batch);
    if (weights === undefined) this.#scratchWeights.set(shape.batch, (weights = new Float32Array(shape.batch * lossWeightWidth)));
    for (let b = 0; b < shape.batch; b++) {
      const weight = lossWeights[b] ?? 1;
      // The batch loss is the mean over samples, divided by the full accumulation even in a short last group.
      const gradientWeight = (weight * lossScale) / (shape.batch * this.plan.options.accumulation);
      weights.set([weight, gradientWeight, huberThresholds?.[b] ?? 0], lossWeightWidth * b);
    }
    this.#residents.write(names.lossWeights, weights);
    if (this.plan.options.isMasked === true) {
      invariant(mask !== undefined, "the plan wants a mask");
      this.#residents.write(names.lossMask, mask);
    }
    if ("ids" in text) {
      this.#residents.write(names.ids, text.ids);
      if (text.weights !== undefined) this.#residents.write(names.tokenWeights, text.weights);
    } else this.#residents.write(names.context, text.context);
  }

  #copyOut(name: string, bytes: number, offset: number): void {
    const encoder = this.#gpu.device.createCommandEncoder({ label: "report" });
    const from = this.#residents.locate(name);
    encoder.copyBufferToBuffer(from.buffer, from.offset, this.#report, offset, bytes);
    this.#gpu.submit([encoder.finish()]);
  }

  async #readReport(): Promise<Float32Array<ArrayBuffer>> {
    await this.#gpu.map(this.#report);
    const copy = new Float32Array(this.#report.getMappedRange().slice(0));
    this.#report.unmap();
    this.#gpu.counters.readBytes += copy.byteLength;
    return copy;
  }

  destroy(): void {
    for (const program of [...this.#programs.values(), ...this.#resting.values(), ...this.#validation.values()]) program.destroy();
    this.#update?.destroy();
    this.#encoder?.destroy();
    this.#samples?.destroy();
    this.#gpu.destroyBuffer(this.#report);
    this.#arena.destroy();
    this.#residents.destroy();
  }
}
