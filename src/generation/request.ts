/** What a picture is asked for with, and what comes back. Plain data: it crosses the worker boundary as is. */
import type { SamplerName, ScheduleChoice } from "../config/sampling.ts";
import type { MisfitReason } from "../lora/network-file.ts";

export interface GenerationRequest {
  /** In the webui's syntax; `<lora:name:weight>` names an adapter that is loaded. */
  readonly prompt: string;
  readonly negative: string;
  /** 0 … 2⁵³ − 1; the same one gives the same picture. */
  readonly seed: number;
  readonly steps: number;
  readonly cfg: number;
  readonly sampler: SamplerName;
  readonly schedule: ScheduleChoice;
  /** Pixels, multiples of 8. */
  readonly width: number;
  readonly height: number;
  /** As kohya and the webui count: 1 is the last layer. */
  readonly clipSkip: number;
}

/** An adapter file that the generator holds, and how strongly it acts. Weights of the prompt's tags come on top. */
export interface AdapterWeight {
  /** Name in `<lora:…>` tags: the file name without its extension. */
  readonly name: string;
  readonly unet: number;
  readonly textEncoder: number;
}

export interface GenerationProgress {
  readonly step: number;
  readonly steps: number;
  /** A rough picture of latent size (width/8 × height/8), RGBA, when one was asked for. */
  readonly preview?: { readonly width: number; readonly height: number; readonly rgba: Uint8ClampedArray<ArrayBuffer> };
}

export interface GeneratedPicture {
  readonly width: number;
  readonly height: number;
  /** RGBA, opaque. */
  readonly rgba: Uint8ClampedArray<ArrayBuffer>;
  readonly request: GenerationRequest;
  /** Adapters as they acted, tags of the prompt included. */
  readonly adapters: readonly AdapterWeight[];
  readonly milliseconds: number;
}

/** How much of an adapter file found its place in the model. */
export interface AdapterReport {
  readonly name: string;
  /** e.g. "LoRA", "LoCon", "LoHa", "LoKr". */
  readonly kind: string;
  readonly rank: number;
  readonly applied: number;
  /** Modules of the file that the model has no place for, or of another shape; names as in the file. */
  readonly misfits: readonly string[];
  /** How many misfits by reason; absent where everything fits. */
  readonly reasons?: Readonly<Partial<Record<MisfitReason, number>>>;
}
