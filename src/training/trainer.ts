/**
 * A whole run: cache latents and captions, then update after update until the end, a stop, or an error. Everything
 * random is a function of the seed and the position, so a run that is continued from a saved state does exactly what
 * the uninterrupted one would have done.
 */
import { CancelledError, InputError, invariant } from "../errors.ts";
import { elementCount } from "../gpu/graph/tensor.ts";
import { baseNorms, initialAdapter } from "./adapter-init.ts";
import { BatchSource, type BatchSourceParts } from "./batch-source.ts";
import { fillCaches, type Caches } from "./caches.ts";
import { CaptionSource, type CaptionRun } from "./caption-source.ts";
import { NotFiniteError } from "./errors.ts";
import { lossScaleOf, type LossScale } from "./loss-scale.ts";
import { fitsModel, liveModel, restoreModel } from "./model-state.ts";
import { LiveEncoder, type LiveEncoderParts } from "./live-encoder.ts";
import { createNoiseSchedule } from "./noise-schedule.ts";
import { epochBatches, type Batch } from "./order.ts";
import { randomSeed } from "../random/rng.ts";
import { resultFile, type AdapterState } from "./result.ts";
import { planRun } from "./run-settings.ts";
import { planDataset, type DatasetPlan, type TrainingPicture } from "./run-plan.ts";
import { savesAfter, type DueSave, type SavedAdapter } from "./save-schedule.ts";
import { learningRates, type LearningRates } from "../config/learning-rate.ts";
import { StepEngine, type MicroBatch } from "./step-engine.ts";
import { microBatchIndex, updateSpan } from "./steps.ts";
import { SampleSession } from "./sample-session.ts";
import { validationEntry, Validator } from "./validator.ts";
import { validationSeed } from "./validation-plan.ts";
import { baseMerges, baseOf, startValues, type NetworkStart, type StartNetworks } from "./start-networks.ts";
import type { RunOrigin, RunState } from "./state-file.ts";
import { checkCaptions, givenWords, initialWords, type StartWords } from "./word-init.ts";
import type { TrainingPlan } from "./training-plan.ts";
import type { RunObserver, SampleObserver, StepReport, Verdict } from "./events.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import type { Gpu } from "../gpu/device.ts";
import type { AdapterSet } from "../lora/adapter-set.ts";
import type { ModuleWeights } from "../lora/factors.ts";
import type { Checkpoint } from "../models/checkpoint-types.ts";

export interface TrainHost extends Omit<RunObserver, "step">, SampleObserver {
  /** Aborts before the first update; afterwards `afterStep` decides. */
  readonly signal: AbortSignal;
  /**
   * Awaited after every update. `snapshot` reads the state of that update; `drawSamples` makes its samples now,
   * unless they were made already. Samples that the settings want come afterwards by themselves.
   */
  afterStep(report: StepReport, snapshot: () => Promise<RunState>, drawSamples: () => Promise<Verdict>): Promise<Verdict>;
  /**
   * Awaited before `afterStep`: keeps a file of the adapter as it is now and drops the one that it replaces. A run that is
   * continued from an older state hands in the same files again. A run whose owner takes none makes none.
   */
  save?(saved: SavedAdapter): Promise<void>;
  /** The same of a state beside such a file, where the settings want one. An owner that keeps states by itself takes none. */
  saveState?(save: DueSave, state: RunState): Promise<void>;
  /** Handed the last good state before a run ends with NotFiniteError. */
  keepCheckpoint(state: RunState): Promise<void>;
  /** Awaited at the end, with the state that is returned: what lies on the GPU can be read until it is done. */
  finish?(state: RunState): Promise<void>;
}

export interface TrainJob {
  readonly checkpoint: Checkpoint;
  readonly config: TrainingConfig;
  readonly pictures: readonly TrainingPicture[];
  /** Facts for the written file, carried along in saved states. */
  readonly facts: RunOrigin;
  /** The embedding that `weights` names. */
  readonly startWords?: StartWords;
  /** The adapters that `network_weights` and `base_weights` name. */
  readonly networks?: StartNetworks;
  /** State to continue from. */
  readonly resume?: RunState;
}

/** @returns the state when the run ended or was stopped */
export async function train(gpu: Gpu, job: TrainJob, host: TrainHost): Promise<RunState> {
  const { config, resume, networks = { base: [] } } = job;
  const merges = baseMerges(job.checkpoint, config, networks);
  const dataset = planDataset(job.pictures, config);
  const seed = resume?.seed ?? config.seed ?? randomSeed();
  const checkpoint = baseOf(job.checkpoint, merges, host.log.bind(host));
  const plan = planRun(checkpoint, config, dataset.shapes, gpu.tier, dataset, networks.network);
  const { adapters } = plan.options;
  if (resume !== undefined) checkResume(resume, plan);
  checkCaptions(job.pictures, config);
  const given = resume === undefined ? givenWords(job.startWords, plan.options.words, config) : undefined;

  const { totalUpdates } = dataset.steps;
  const captionRun = { seed, totalUpdates, variant: checkpoint.family, vocabulary: checkpoint.textEncoder.vocab };
  const captions = new CaptionSource(job.pictures, config, captionRun);
  const caches = await fillCaches(gpu, { pictures: job.pictures, dataset, plan, captions, seed, config }, host);
  const engine = await StepEngine.create(gpu, plan, {
    load: { signal: host.signal, onProgress: (done, total) => host.phase({ phase: "load", done, total }) },
    onCompile: (done, total) => host.phase({ phase: "compile", done, total }),
  });
  try {
    const { words } = plan.options;
    if (words !== undefined) {
      engine.words?.write("params", resume?.words?.vectors ?? given ?? (await initialWords(checkpoint, words, config, seed)));
      resume?.words?.optimizer.forEach((bank, i) => engine.words?.write(i, bank));
    }
    if (resume?.model !== undefined) await restoreModel(engine, resume.model);
    const start = resume === undefined ? await startOf(checkpoint, config, networks, adapters, seed, host) : continued(resume);
    if (resume === undefined) engine.adapters.write("params", start.weights);
    else {
      engine.adapters.write("params", resume.weights);
      resume.optimizer.forEach((bank, i) => engine.adapters.write(i, bank));
      if (resume.model === undefined) engine.writeKeptState(resume.kept);
    }
    const parts = { config, pictures: job.pictures, caches, schedule: createNoiseSchedule(config) };
    const encode: LiveEncoderParts["encode"] = (image, size, epsilon) => engine.encode(image, size, epsilon);
    const live = new LiveEncoder({ config, pictures: job.pictures, dataset, seed, encode });
    const source = new BatchSource({ ...parts, buckets: dataset.buckets.buckets, captions, live, seed });
    const validator = dataset.validation === undefined ? undefined : openValidator(engine, dataset, captionRun, parts, encode);
    const runner = new UpdateLoop(engine, job, dataset, { source, validator, sampleStates: caches.sampleStates, start: unreached(start, adapters) }, seed, host);
    const last = await runner.run(resume?.update ?? 0, host);
    await host.finish?.(last);
    return last;
  } finally {
    engine.destroy();
  }
}

/** How the adapter of a new run begins: as its file says, the rest as always. */
async function startOf(
  checkpoint: Checkpoint, config: TrainingConfig, networks: StartNetworks, adapters: AdapterSet, seed: number, host: TrainHost,
): Promise<NetworkStart> {
  const weights = initialAdapter(adapters, seed, await baseNorms(checkpoint, adapters));
  const given = await startValues(config, networks, adapters, host.log.bind(host));
  for (const [name, values] of given.weights) weights.set(name, { ...weights.get(name), ...values });
  return { weights, alphas: given.alphas };
}

function continued({ weights, modules }: RunState): NetworkStart {
  return { weights, alphas: new Map(modules.map(({ name, alpha }) => [name, alpha])) };
}

/** Text encoder layers behind clip_skip have modules that no gradient reaches: they stay and are saved as they began. */
function unreached({ weights, alphas }: NetworkStart, { modules }: AdapterSet): NetworkStart {
  const reached = new Set(modules.map(({ target }) => target.name));
  return { weights: new Map([...weights].filter(([name]) => !reached.has(name))), alphas };
}

function openValidator(
  engine: StepEngine, dataset: DatasetPlan, run: CaptionRun,
  parts: Omit<BatchSourceParts, "buckets" | "captions" | "live" | "seed"> & Pick<TrainJob, "pictures">, encode: LiveEncoderParts["encode"],
): Validator {
  const { steps, validation } = dataset;
  invariant(validation !== undefined, "nothing is held out");
  const { config, pictures } = parts;
  const seed = validationSeed(config.validation_seed ?? run.seed);
  const captions = new CaptionSource(pictures, config, { ...run, seed });
  const live = new LiveEncoder({ config, pictures, dataset, seed, encode });
  const source = new BatchSource({ ...parts, buckets: validation.buckets, captions, live, seed });
  return new Validator({ engine, config, steps, plan: validation, source });
}

interface LoopParts {
  readonly source: BatchSource;
  readonly validator: Validator | undefined;
  /** Values of modules that no gradient reaches, and alphas of files. */
  readonly start: NetworkStart;
  readonly sampleStates: Caches["sampleStates"];
}

class UpdateLoop {
  readonly #engine: StepEngine;
  readonly #job: TrainJob;
  readonly #dataset: DatasetPlan;
  readonly #parts: LoopParts;
  readonly #seed: number;
  readonly #samples: SampleSession | undefined;
  /** Set with fp16, whose gradients are scaled. */
  readonly #lossScale: LossScale | undefined;
  #order: { epoch: number; batches: readonly Batch[] } | undefined;

  constructor(engine: StepEngine, job: TrainJob, dataset: DatasetPlan, parts: LoopParts, seed: number, host: TrainHost) {
    this.#engine = engine;
    this.#job = job;
    this.#dataset = dataset;
    this.#parts = parts;
    this.#seed = seed;
    this.#lossScale = lossScaleOf(job.config, job.resume?.lossScale);
    const { samples: plan } = engine.plan.options;
    if (plan === undefined || host.sample === undefined) return;
    const { config, facts } = job;
    const snapshot = (step: number): Promise<RunState> => this.#state(step);
    const options = { engine, plan, config, model: facts.model, steps: dataset.steps, seed, encode: parts.sampleStates, snapshot };
    this.#samples = new SampleSession(options, host);
  }

  async run(firstUpdate: number, host: TrainHost): Promise<RunState> {
    const { config } = this.#job;
    const { steps } = this.#dataset;
    this.#logStart(firstUpdate, host);
    let update = firstUpdate;
    // Of a run that is continued: whether they were finished before is not known, and the same pictures come again.
    if ((await this.#samples?.drawDue(update)) === "stop") {
      if (update === 0) throw new CancelledError();
      return this.#state(update);
    }
    host.phase({ phase: "train", done: update, total: steps.totalUpdates });
    let batches = update < steps.totalUpdates ? await this.#prepareUpdate(update) : [];
    while (update < steps.totalUpdates) {
      const started = performance.now();
      const { epoch } = updateSpan(steps, update);
      const before = this.#lossScale?.state;
      // As accelerate has it: updates that are left out move neither the schedule nor the optimizer on.
      const moved = update - (before?.skipped ?? 0);
      const lr = learningRates(config, moved, steps.totalUpdates, update);
      const running = this.#engine.runUpdate(batches, lr, moved + 1, config.max_grad_norm, before?.scale);
      // The GPU is at work; the CPU draws the next update's noise meanwhile.
      const [report, next] = await Promise.all([running, update + 1 < steps.totalUpdates ? this.#prepareUpdate(update + 1) : []]);
      batches = next;
      const loss = report.losses.reduce((a, b) => a + b, 0) / report.losses.length;
      const isSkipped = !report.isFinite && Number.isFinite(loss) && this.#lossScale?.backOff() === true;
      if (!report.isFinite && !isSkipped) {
        await host.keepCheckpoint(await this.#state(update));
        throw new NotFiniteError(update + 1, loss, this.#lossScale !== undefined);
      }
      if (!isSkipped) this.#lossScale?.grow();
      update++;
      if (isSkipped) this.#logSkipped(update, host);
      host.phase({ phase: "train", done: update, total: steps.totalUpdates });
      const stepReport: StepReport = {
        step: update,
        totalSteps: steps.totalUpdates,
        epoch: epoch + 1,
        totalEpochs: steps.epochs,
        loss,
        gradNorm: report.gradNorm,
        lr: scaled(lr, report.stepSize),
        ...(report.norms && { norms: report.norms }),
        ...(before && { lossScale: before.scale, isSkipped }),
        stepMs: performance.now() - started,
      };
      const finished = update;
      await this.#saveDue(finished, host);
      await this.#validateDue(finished, epoch + 1, host);
      const drawSamples = async (): Promise<Verdict> => (await this.#samples?.draw(finished)) ?? "continue";
      if ((await host.afterStep(stepReport, () => this.#state(finished), drawSamples)) === "stop") break;
      if ((await this.#samples?.drawDue(update)) === "stop") break;
    }
    host.phase({ phase: "save", done: 0, total: 1 });
    return this.#state(update);
  }

  #logSkipped(step: number, host: TrainHost): void {
    const data = { step, scale: this.#lossScale?.state.scale ?? 1 };
    const text = `Step ${step} is left out: its gradients overflowed fp16. Loss scale ${data.scale} from here on`;
    host.log({ level: "info", code: "train.skipped", text, data });
  }

  #logStart(firstUpdate: number, host: TrainHost): void {
    this.#logTrained(host);
    const { buckets } = this.#dataset.buckets;
    const shapes = buckets.map(({ resolution: [w, h], items }) => `${w}×${h} (${items.length})`).join(", ");
    host.log({ level: "info", code: "train.buckets", text: `Buckets with pictures times repeats: ${shapes}`, data: { shapes } });
    this.#logHeldOut(host);
    this.#logMasks(host);
    if (firstUpdate === 0) return;
    host.log({ level: "info", code: "train.continue", text: `Continuing after step ${firstUpdate}`, data: { step: firstUpdate } });
  }

  #logTrained(host: TrainHost): void {
    const { adapters: { targets }, words, model } = this.#engine.plan.options;
    if (model !== undefined) {
      const isBoth = model.sides.length > 1;
      const numbers = model.tensors.reduce((sum, { shape }) => sum + elementCount(shape), 0);
      const data = { millions: Math.round(numbers / 1e5) / 10, steps: this.#dataset.steps.totalUpdates, seed: this.#seed };
      const text = `Training ${isBoth ? "UNet and text encoder" : "the UNet"} as a whole, ${data.millions} million numbers; ${data.steps} steps, seed ${data.seed}`;
      host.log({ level: "info", code: isBoth ? "train.startBoth" : "train.startUNet", text, data });
      return;
    }
    if (words !== undefined) {
      const data = { vectors: words.count, token: this.#job.config.token_string, steps: this.#dataset.steps.totalUpdates, seed: this.#seed };
      const text = `Embedding of ${data.vectors} vectors for ${data.token}; ${data.steps} steps, seed ${data.seed}`;
      host.log({ level: "info", code: "train.startWords", text, data });
      return;
    }
    const unet = targets.filter(({ part }) => part === "unet").length;
    const data = { unet, textEncoder: targets.length - unet, steps: this.#dataset.steps.totalUpdates, seed: this.#seed };
    const text = `LoRA of ${data.unet} UNet and ${data.textEncoder} text encoder modules; ${data.steps} steps, seed ${data.seed}`;
    host.log({ level: "info", code: "train.start", text, data });
  }

  #logMasks(host: TrainHost): void {
    if (!this.#job.config.masked_loss || this.#job.pictures.some(({ decodeMask }) => decodeMask !== undefined)) return;
    const text = "masked_loss changes nothing: no folder has masks. Name their folder in the dataset configuration, or among the folder's options (conditioning_data_dir)";
    host.log({ level: "warn", code: "train.noMasks", text });
  }

  #logHeldOut(host: TrainHost): void {
    if (this.#job.config.validation_split === 0) return;
    const count = this.#dataset.heldOut.filter(Boolean).length;
    const isNone = count === 0;
    const text = isNone
      ? "No picture is held out for validation: validation_split is rounded down in each folder, and all are too small"
      : `Pictures held out for validation: ${count}`;
    host.log({ level: isNone ? "warn" : "info", code: isNone ? "train.nothingHeldOut" : "train.heldOut", text, data: { count } });
  }

  #batchesOf(epoch: number): readonly Batch[] {
    if (this.#order?.epoch !== epoch) {
      const { buckets } = this.#dataset.buckets;
      const [items, sizes] = [buckets.map((bucket) => bucket.items), buckets.map((bucket) => bucket.batchSize)];
      this.#order = { epoch, batches: epochBatches(items, sizes, this.#seed, epoch) };
    }
    return this.#order.batches;
  }

  async #prepareUpdate(update: number): Promise<MicroBatch[]> {
    const { steps } = this.#dataset;
    const { epoch, firstBatch, endBatch } = updateSpan(steps, update);
    const prepared: MicroBatch[] = [];
    for (const [i, batch] of this.#batchesOf(epoch).slice(firstBatch, endBatch).entries()) {
      const index = microBatchIndex(steps, epoch, firstBatch + i);
      prepared.push(await this.#parts.source.prepare(batch, index, { epoch: epoch + 1, step: update }));
    }
    return prepared;
  }

  /** Hands in the files that the settings want after this update. */
  async #saveDue(update: number, host: TrainHost): Promise<void> {
    if (host.save === undefined) return;
    const due = savesAfter(this.#job.config, this.#dataset.steps, update);
    if (due.length === 0) return;
    const adapter = await this.#adapter(update);
    for (const save of due) await host.save({ ...save, bytes: resultFile(adapter, Date.now() / 1000, this.#job.checkpoint, save.ssEpoch) });
    if (host.saveState === undefined || due.every(({ state }) => state === undefined)) return;
    const state = await this.#state(update);
    for (const save of due) await host.saveState(save, state);
  }

  /** Tells the loss of the pictures that are held out, where the settings want it after this update. */
  async #validateDue(update: number, epoch: number, host: TrainHost): Promise<void> {
    const { validator } = this.#parts;
    if (validator?.isDue(update) !== true) return;
    const loss = await validator.loss(update, epoch, () => (host.signal.aborted ? "stop" : "continue"));
    if (loss !== undefined) host.log(validationEntry(update, loss));
  }

  async #state(update: number): Promise<RunState> {
    const { stateCount } = this.#engine.plan.options.optimizer;
    const zeros = new Map([...this.#parts.start.weights].map(([name, weights]) => [name, zeroed(weights)]));
    const banks: Map<string, ModuleWeights>[] = [];
    for (let i = 0; i < stateCount; i++) banks.push(this.#inOrder([...zeros, ...(await this.#engine.adapters.read(i))]));
    const adapter = await this.#adapter(update);
    if (adapter.model !== undefined) return { ...adapter, optimizer: [], kept: new Map() };
    const state = { ...adapter, optimizer: banks, kept: await this.#engine.readKeptState() };
    const { words } = this.#engine;
    if (words === undefined || state.words === undefined) return state;
    const optimizer: Float32Array<ArrayBuffer>[] = [];
    for (let i = 0; i < stateCount; i++) optimizer.push(await words.read(i));
    return { ...state, words: { ...state.words, optimizer } };
  }

  /** Modules in the order of the network. */
  #inOrder(entries: readonly (readonly [string, ModuleWeights])[]): Map<string, ModuleWeights> {
    const weights = new Map(entries);
    return new Map(this.#engine.plan.options.adapters.targets.map(({ name }) => {
      const values = weights.get(name);
      invariant(values !== undefined, `no values of ${name}`);
      return [name, values];
    }));
  }

  async #adapter(update: number): Promise<AdapterState> {
    const { adapters, words } = this.#engine.plan.options;
    const { weights, alphas } = this.#parts.start;
    const model = liveModel(this.#engine);
    const vectors = await this.#engine.words?.read("params");
    return {
      update,
      seed: this.#seed,
      config: this.#job.config,
      facts: this.#job.facts,
      ...(this.#lossScale && { lossScale: this.#lossScale.state }),
      modules: adapters.targets.map(({ name, alpha, factors }) => ({ name, alpha: alphas.get(name) ?? alpha, factors: factors.map(({ key, shape }) => ({ key, shape })) })),
      weights: this.#inOrder([...weights, ...(await this.#engine.adapters.read("params"))]),
      ...(words && vectors && { words: { width: words.width, vectors, optimizer: [] } }),
      ...(model && { model }),
    };
  }
}

function zeroed(weights: ModuleWeights): ModuleWeights {
  return Object.fromEntries(Object.entries(weights).map(([key, data]) => [key, new Float32Array(data.length)]));
}

/** Rates as they act, for D-Adaptation and Prodigy the step size that they found. */
function scaled({ unet, textEncoder }: LearningRates, factor: number): LearningRates {
  return { ...(unet === undefined ? {} : { unet: unet * factor }), ...(textEncoder === undefined ? {} : { textEncoder: textEncoder * factor }) };
}

function checkResume(state: RunState, plan: TrainingPlan): void {
  const { options: { adapters, optimizer, words }, updateMemory } = plan;
  const names = new Set(state.modules.map(({ name }) => name));
  const fits = plan.options.model !== undefined ? fitsModel(state.model, plan) : state.model === undefined &&
    state.optimizer.length === optimizer.stateCount &&
    (state.words?.vectors.length ?? 0) === (words === undefined ? 0 : words.count * words.width) &&
    state.kept.size === updateMemory.kept.length &&
    updateMemory.kept.every(({ name, shape }) => state.kept.get(name)?.length === elementCount(shape)) &&
    names.size === adapters.targets.length &&
    adapters.targets.every(({ name, factors }) => factors.every(({ key, shape }) => state.weights.get(name)?.[key]?.length === elementCount(shape)));
  if (!fits) {
    throw new InputError("state.mismatch", "The saved state belongs to other settings or another model; start the run anew");
  }
}
