/** Prompt to picture. All weights lie on the GPU once; programs come and go with the sizes of pictures. */
import { CancelledError, InputError } from "../errors.ts";
import { halvesFromFloats } from "../formats/half.ts";
import { byteLength, type Tensor } from "../gpu/graph/tensor.ts";
import { sumBytes } from "../gpu/program/plan.ts";
import { Residents } from "../gpu/program/residents.ts";
import { matchNetwork } from "../lora/network-match.ts";
import { readNetwork } from "../lora/network-reader.ts";
import { names, weightShapes } from "../models/forward-graphs.ts";
import { tokenTableKey } from "../models/text-encoder.ts";
import { loadWeights } from "../models/weight-loader.ts";
import { actingAdapters } from "./acting-adapters.ts";
import { AdapterMerger } from "./adapter-merger.ts";
import { adapterReport } from "./adapter-report.ts";
import { decodeLatents } from "./decode-latents.ts";
import { forecastRequest, type GenerationForecast } from "./forecast.ts";
import { openModels, type GenerationModels, type ModelFiles } from "./models.ts";
import { previewRgba, toRgba } from "./picture.ts";
import { Planner } from "./planner.ts";
import { planRequest, type RequestPlan } from "./request-plan.ts";
import { sampleRequest } from "./sample-request.ts";
import { TextContexts, type EncodeChunk } from "./text-contexts.ts";
import { Turns } from "./turns.ts";
import { Workspace } from "./workspace.ts";
import type { CompileProgress } from "../gpu/program/compile.ts";
import type { Gpu } from "../gpu/device.ts";
import type { WeightSource } from "../gpu/graph/graph.ts";
import type { WeightFile } from "../models/checkpoint-types.ts";
import type { TextEmbedding } from "./embedding-file.ts";
import type { TensorFile } from "../formats/tensor-file.ts";
import type { AdapterReport, AdapterWeight, GeneratedPicture, GenerationProgress, GenerationRequest } from "./request.ts";

type WeightTensors = ReadonlyMap<Tensor, WeightSource>;

export interface OpenOptions {
  readonly signal?: AbortSignal;
  /** Bytes of weights loaded. */
  onProgress?(done: number, total: number): void;
}

export interface GenerateOptions {
  readonly signal?: AbortSignal;
  /** How loaded adapters act; those that are not named don't. The prompt's tags come on top. */
  readonly adapters?: readonly AdapterWeight[];
  /** Give a rough picture with each step. */
  readonly previews?: boolean;
  /** Dispatches whose pipelines are ready, and in all: for a size that was not drawn before, before its first step. */
  onCompile?: CompileProgress;
  onProgress?(progress: GenerationProgress): void;
}

export interface AddAdapterOptions {
  /** In `<lora:…>` tags; by default the file's name without its extension. */
  readonly name?: string;
  readonly signal?: AbortSignal;
}

type RunningOptions = GenerateOptions & { readonly signal: AbortSignal };

export class Generator {
  readonly #models: GenerationModels;
  readonly #planner: Planner;
  readonly #weights: Residents;
  readonly #workspace: Workspace;
  readonly #texts: TextContexts;
  readonly #merger: AdapterMerger;
  readonly #turns = new Turns();
  readonly #closing = new AbortController();
  #embeddings: readonly TextEmbedding[];

  private constructor(gpu: Gpu, models: GenerationModels, planner: Planner, weights: Residents) {
    this.#models = models;
    this.#planner = planner;
    this.#weights = weights;
    this.#workspace = new Workspace(gpu, weights);
    this.#merger = new AdapterMerger(gpu, weights, planner.weights.checkpoint, weightShapes(models.checkpoint));
    this.#texts = new TextContexts(models.checkpoint.textEncoder.vocab);
    this.#embeddings = models.embeddings;
  }

  /**
   * Loads all weights.
   * @throws InputError for files that don't fit (see `openModels`), CancelledError, OutOfMemoryError, DeviceLostError
   */
  static async open(gpu: Gpu, files: ModelFiles & OpenOptions): Promise<Generator> {
    const { signal, onProgress } = files;
    const models = await openModels(files);
    const planner = new Planner(models, gpu.tier);
    const { checkpoint, vae, residents } = planner.weights;
    const weights = await Residents.allocate(gpu, residents);
    const bytes = (tensors: WeightTensors): number => sumBytes([...tensors.keys()].map(byteLength));
    const total = bytes(checkpoint) + bytes(vae);
    const load = (from: WeightFile, tensors: WeightTensors, before: number): Promise<void> =>
      loadWeights(gpu, from, tensors, weights, {
        ...(signal === undefined ? {} : { signal }),
        onProgress: (done) => onProgress?.(before + done, total),
      });
    try {
      await load(models.checkpoint, checkpoint, 0);
      await load(models.vae, vae, bytes(checkpoint));
    } catch (error) {
      weights.destroy();
      throw signal?.aborted === true ? new CancelledError() : error;
    }
    return new Generator(gpu, models, planner, weights);
  }

  /** Names of the adapters that requests may use. */
  get adapters(): readonly string[] {
    return this.#merger.names;
  }

  /**
   * Loads an adapter; it acts where a request says so. A name is taken once: remove the one before.
   * @throws InputError `lora.*`, `generation.adapterName`, CancelledError, OutOfMemoryError, DeviceLostError
   */
  async addAdapter(file: TensorFile, options: AddAdapterOptions = {}): Promise<AdapterReport> {
    const network = await readNetwork(file);
    const match = matchNetwork({ ...network, name: options.name ?? network.name }, this.#models.checkpoint);
    return this.#take(options.signal, async (signal) => {
      const { name } = match.network;
      if (this.adapters.includes(name)) {
        throw new InputError("generation.adapterName", `An adapter with the name "${name}" is loaded already.`, { name });
      }
      await this.#merger.add(match, { signal });
      return adapterReport(match);
    });
  }

  /** Frees an adapter that is loaded. */
  async removeAdapter(name: string): Promise<void> {
    await this.#take(undefined, async () => this.#merger.remove(name));
    // Another file may come under this name.
    this.#texts.forget();
  }

  /** Embeddings that prompts may name from now on, instead of those before. */
  setEmbeddings(embeddings: readonly TextEmbedding[]): void {
    this.#embeddings = embeddings;
    this.#texts.forget();
  }

  /** What `generate` will allocate and compute. @throws InputError for whatever `generate` would refuse */
  forecast(request: GenerationRequest): GenerationForecast {
    return forecastRequest(this.#planner, this.#plan(request), this.#merger.bytes);
  }

  /**
   * Makes one picture, after those asked for before.
   * @throws InputError (see `planRequest`, `actingAdapters`) before anything is allocated; CancelledError before the next evaluation of
   * the model; LorasmithError `sampling.not-finite`; OutOfMemoryError, DeviceLostError
   */
  async generate(request: GenerationRequest, options: GenerateOptions = {}): Promise<GeneratedPicture> {
    const { width, height } = request;
    return this.#take(options.signal, async (signal) => {
      const started = performance.now();
      const plan = this.#plan(request);
      const adapters = actingAdapters(options.adapters ?? [], plan.script.loras, this.adapters);
      const latents = await this.#sample(plan, adapters, { ...options, signal });
      const { scaleFactor } = this.#models.vae.vae;
      const unscaled = latents.map((value) => value / scaleFactor);
      const rgb = await decodeLatents(this.#workspace, plan, unscaled, signal);
      return { width, height, rgba: toRgba(rgb), request, adapters, milliseconds: performance.now() - started };
    });
  }

  /** The latents of a picture [height/8, width/8, 4], at the model's scale. @throws as `generate` */
  async sampleLatents(request: GenerationRequest, options: GenerateOptions = {}): Promise<Float32Array<ArrayBuffer>> {
    return this.#take(options.signal, (signal) => {
      const plan = this.#plan(request);
      const adapters = actingAdapters(options.adapters ?? [], plan.script.loras, this.adapters);
      return this.#sample(plan, adapters, { ...options, signal });
    });
  }

  /** Gives all GPU memory back. What runs or waits ends as cancelled, before the next evaluation of the model. */
  async destroy(): Promise<void> {
    this.#closing.abort();
    await this.#turns.take(async () => {
      this.#workspace.destroy();
      this.#merger.destroy();
      this.#weights.destroy();
    });
  }

  /** Does something with the GPU when what was asked for before is done. */
  #take<T>(signal: AbortSignal | undefined, task: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const closing = this.#closing.signal;
    const either = signal === undefined ? closing : AbortSignal.any([signal, closing]);
    return this.#turns.take(async () => {
      throwIfCancelled(either);
      try {
        return await task(either);
      } catch (error) {
        throw either.aborted && error === either.reason ? new CancelledError() : error;
      }
    });
  }

  #plan(request: GenerationRequest): RequestPlan {
    return planRequest(this.#planner, request, this.#embeddings);
  }

  async #sample(
    plan: RequestPlan, adapters: readonly AdapterWeight[], { signal, previews, onCompile, onProgress }: RunningOptions,
  ): Promise<Float32Array<ArrayBuffer>> {
    const { height, width } = plan;
    await this.#workspace.prepare(plan.programs, onCompile);
    this.#merger.setWeights(adapters);
    const contexts = await this.#encode(plan, adapters, signal);
    return sampleRequest(this.#workspace, this.#models.checkpoint, plan, contexts, {
      signal,
      onStep: ({ step, steps, denoised }) => {
        const preview = previews === true ? { width, height, rgba: previewRgba(denoised) } : undefined;
        onProgress?.({ step, steps, ...(preview === undefined ? {} : { preview }) });
      },
    });
  }

  async #encode(
    { text, chunks, request }: RequestPlan, adapters: readonly AdapterWeight[], signal: AbortSignal,
  ): Promise<Map<string, Float32Array>> {
    const { textEncoder } = this.#models.checkpoint;
    const { vocab, width } = textEncoder;
    const table = tokenTableKey(textEncoder);
    const encoder: EncodeChunk = {
      key: JSON.stringify([request.clipSkip, adapters.map(({ name, textEncoder: weight }) => [name, weight])]),
      writeVectors: (row, data) =>
        this.#weights.write(table, halvesFromFloats(data), (vocab + row) * width * Uint16Array.BYTES_PER_ELEMENT),
      run: (ids) => {
        throwIfCancelled(signal);
        return this.#workspace.run(text, { [names.ids]: ids });
      },
    };
    const contexts = new Map<string, Float32Array>();
    for (const [one, parts] of chunks) contexts.set(one, await this.#texts.encode(parts, this.#embeddings, encoder));
    return contexts;
  }
}

function throwIfCancelled(signal: AbortSignal): void {
  if (signal.aborted) throw new CancelledError();
}
