/** Prompt to picture. All weights lie on the GPU once; programs come and go with the sizes of pictures. */
import { CancelledError } from "../errors.ts";
import { halvesFromFloats } from "../formats/half.ts";
import { byteLength, type Tensor } from "../gpu/graph/tensor.ts";
import { sumBytes } from "../gpu/program/plan.ts";
import { Residents } from "../gpu/program/residents.ts";
import { names } from "../models/forward-graphs.ts";
import { createDenoiser } from "../models/samplers/denoiser.ts";
import { sample, startLatents } from "../models/samplers/sample.ts";
import { tokenTableKey } from "../models/text-encoder.ts";
import { loadWeights } from "../models/weight-loader.ts";
import { NvNoise } from "../random/nv-noise.ts";
import { decodeLatents } from "./decode-latents.ts";
import { forecastRequest, type GenerationForecast } from "./forecast.ts";
import { createGuidedModel } from "./guided-model.ts";
import { openModels, type GenerationModels, type ModelFiles } from "./models.ts";
import { previewRgba, toRgba } from "./picture.ts";
import { Planner } from "./planner.ts";
import { planRequest, type RequestPlan } from "./request-plan.ts";
import { TextContexts, type EncodeChunk } from "./text-contexts.ts";
import { Turns } from "./turns.ts";
import { Workspace } from "./workspace.ts";
import type { Gpu } from "../gpu/device.ts";
import type { WeightSource } from "../gpu/graph/graph.ts";
import type { WeightFile } from "../models/checkpoint-types.ts";
import type { TextEmbedding } from "./embedding-file.ts";
import type { GeneratedPicture, GenerationProgress, GenerationRequest } from "./request.ts";

type WeightTensors = ReadonlyMap<Tensor, WeightSource>;

export interface OpenOptions {
  readonly signal?: AbortSignal;
  /** Bytes of weights loaded. */
  onProgress?(done: number, total: number): void;
}

export interface GenerateOptions {
  readonly signal?: AbortSignal;
  /** Give a rough picture with each step. */
  readonly previews?: boolean;
  onProgress?(progress: GenerationProgress): void;
}

export class Generator {
  readonly #models: GenerationModels;
  readonly #planner: Planner;
  readonly #weights: Residents;
  readonly #workspace: Workspace;
  readonly #texts: TextContexts;
  readonly #turns = new Turns();
  #embeddings: readonly TextEmbedding[];

  private constructor(gpu: Gpu, models: GenerationModels, planner: Planner, weights: Residents) {
    this.#models = models;
    this.#planner = planner;
    this.#weights = weights;
    this.#workspace = new Workspace(gpu, weights);
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

  /** Embeddings that prompts may name from now on, instead of those before. */
  setEmbeddings(embeddings: readonly TextEmbedding[]): void {
    this.#embeddings = embeddings;
    this.#texts.forget();
  }

  /** What `generate` will allocate and compute. @throws InputError for whatever `generate` would refuse */
  forecast(request: GenerationRequest): GenerationForecast {
    return forecastRequest(this.#planner, this.#plan(request));
  }

  /**
   * Makes one picture, after those asked for before.
   * @throws InputError (see `planRequest`) before anything is allocated; CancelledError before the next evaluation of
   * the model; LorasmithError `sampling.not-finite`; OutOfMemoryError, DeviceLostError
   */
  async generate(request: GenerationRequest, options: GenerateOptions = {}): Promise<GeneratedPicture> {
    const { width, height } = request;
    return this.#turns.take(async () => {
      const started = performance.now();
      const plan = this.#plan(request);
      const latents = await this.#sample(plan, options);
      const { scaleFactor } = this.#models.vae.vae;
      const unscaled = latents.map((value) => value / scaleFactor);
      const rgb = await decodeLatents(this.#workspace, plan, unscaled, options.signal);
      return { width, height, rgba: toRgba(rgb), request, adapters: [], milliseconds: performance.now() - started };
    });
  }

  /** The latents of a picture [height/8, width/8, 4], at the model's scale. @throws as `generate` */
  async sampleLatents(request: GenerationRequest, options: GenerateOptions = {}): Promise<Float32Array<ArrayBuffer>> {
    return this.#turns.take(() => this.#sample(this.#plan(request), options));
  }

  /** Gives all GPU memory back; what runs must have ended. */
  destroy(): void {
    this.#workspace.destroy();
    this.#weights.destroy();
  }

  #plan(request: GenerationRequest): RequestPlan {
    return planRequest(this.#planner, request, this.#embeddings);
  }

  async #sample(plan: RequestPlan, options: GenerateOptions): Promise<Float32Array<ArrayBuffer>> {
    const { request, height, width, sigmas } = plan;
    const { signal, previews, onProgress } = options;
    throwIfCancelled(signal);
    await this.#workspace.prepare(plan.programs);
    const contexts = await this.#encode(plan, signal);
    const { unet, predictionType } = this.#models.checkpoint;
    const noise = new NvNoise(request.seed);
    const drawNoise = (): Float32Array<ArrayBuffer> => noise.map(height, width, unet.inChannels);
    const model = createGuidedModel(this.#workspace, plan, contexts, unet.modelChannels);
    const latents = await sample({
      sampler: request.sampler,
      sigmas,
      x: startLatents(request.sampler, drawNoise(), sigmas[0]!),
      denoise: createDenoiser(model, predictionType),
      noise: drawNoise,
      ...(signal === undefined ? {} : { signal }),
      onStep: ({ step, steps, denoised }) => {
        const preview = previews === true ? { width, height, rgba: previewRgba(denoised) } : undefined;
        onProgress?.({ step, steps, ...(preview === undefined ? {} : { preview }) });
      },
    });
    return Float32Array.from(latents);
  }

  async #encode({ text, chunks, request }: RequestPlan, signal?: AbortSignal): Promise<Map<string, Float32Array>> {
    const { textEncoder } = this.#models.checkpoint;
    const { vocab, width } = textEncoder;
    const table = tokenTableKey(textEncoder);
    const encoder: EncodeChunk = {
      key: `clip skip ${request.clipSkip}`,
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

function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new CancelledError();
}
