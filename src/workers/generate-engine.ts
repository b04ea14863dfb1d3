/**
 * What the worker needs of the generator. `webgpu-generator.ts` provides it; tests put one in its place that draws
 * without a GPU. Files come by name: an adapter's name in prompts is its file's without the extension.
 */
import type {
  AdapterReport, AdapterWeight, GeneratedPicture, GenerationProgress, GenerationRequest,
} from "../generation/request.ts";
import type { GenerationForecast, OpenedEmbedding } from "./generate-protocol.ts";
import type { ModelReport } from "./train-protocol.ts";

/** What a generator is opened with. Another object means other files. */
export interface Bench {
  readonly model: File;
  /** Instead of the model's own. */
  readonly vae?: File;
}

/** What comes and goes while the model stays on the GPU. */
export interface Extras {
  readonly adapters: readonly File[];
  readonly embeddings: readonly File[];
}

export interface DrawOptions {
  readonly signal: AbortSignal;
  readonly previews: boolean;
  /** Of the GPU's programs, before the first step; not called where they are ready. */
  onCompile(done: number, total: number): void;
  onProgress(progress: GenerationProgress): void;
}

/** A model on the GPU. */
export interface OpenGenerator {
  /** Resolves when the device is gone. Never rejects. */
  readonly lost: Promise<unknown>;
  /** What the next requests may name. @throws InputError `lora.*`, `embedding.*`, CancelledError, `gpu.*` */
  setExtras(extras: Extras, signal: AbortSignal): Promise<void>;
  /** @throws CancelledError, `gpu.*`, `prompt.*`, `generation.*` */
  generate(
    request: GenerationRequest, adapters: readonly AdapterWeight[], options: DrawOptions,
  ): Promise<GeneratedPicture>;
  /** Gives the GPU's memory back, also while it draws. */
  destroy(): void;
}

export interface OpenGeneratorOptions {
  readonly signal: AbortSignal;
  onProgress(done: number, total: number): void;
}

/** All but `open` look at headers only and need no GPU. */
export interface GenerateEngine {
  /** `hash` is the web UI's, where the file is long enough to have one. */
  readModel(file: File): Promise<{ readonly report: ModelReport; readonly hash?: string }>;
  /** @throws InputError `vae.*`, `safetensors.*` */
  checkVae(file: File): Promise<void>;
  /** @throws InputError `embedding.*`, `safetensors.*` */
  readEmbedding(file: File, model: File): Promise<OpenedEmbedding>;
  /** @throws InputError `lora.*`, `safetensors.*` */
  readAdapter(file: File, model: File): Promise<{ readonly report: AdapterReport; readonly hash: string }>;
  forecast(bench: Bench, extras: Extras, request: GenerationRequest): Promise<GenerationForecast>;
  /** @throws CancelledError, `gpu.*`, and what the files are refused for */
  open(bench: Bench, options: OpenGeneratorOptions): Promise<OpenGenerator>;
}
