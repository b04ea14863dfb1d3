/** What a run computes once, before its first update: latents of its pictures, and texts where their encoder stays as it is. */
import { CancelledError, InputError, invariant } from "../errors.ts";
import { encodePrompt } from "../text/tokenizer.ts";
import { prepareImage } from "../dataset/prepare-image.ts";
import { tokenCount } from "../models/forward-graphs.ts";
import { cacheLatents, planVae } from "./latent-cache.ts";
import { knownStates, sampleTokenRows, type EncodeIds } from "./sample-texts.ts";
import { cacheText, planText } from "./text-cache.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import type { Gpu } from "../gpu/device.ts";
import type { AdapterSet } from "../lora/adapter-set.ts";
import type { Checkpoint } from "../models/checkpoint-types.ts";
import type { RunObserver } from "./events.ts";
import type { DatasetPlan, TrainingPicture } from "./run-plan.ts";
import type { SamplePlan } from "./sample-plan.ts";

export interface CacheInput {
  readonly checkpoint: Checkpoint;
  readonly config: TrainingConfig;
  readonly pictures: readonly TrainingPicture[];
}

export interface CacheHost extends Pick<RunObserver, "phase"> {
  readonly signal: AbortSignal;
}

/** Everything cached before training, by picture. */
export interface Caches {
  /** Undefined for pictures that no batch shows. */
  readonly latents: readonly (Float32Array<ArrayBuffer> | undefined)[];
  readonly ids: readonly Int32Array<ArrayBuffer>[];
  /** Text encoder outputs where it is not trained. */
  readonly states: readonly Float32Array<ArrayBuffer>[] | undefined;
  /** … and of the prompts of samples. */
  readonly sampleStates: EncodeIds | undefined;
}

/**
 * @param samples whose prompts are encoded beside the captions
 * @throws InputError `model.vocabulary`, `model.vaeNotFinite`; CancelledError
 */
export async function fillCaches(
  gpu: Gpu,
  { checkpoint, config, pictures }: CacheInput,
  dataset: DatasetPlan,
  adapters: AdapterSet,
  seed: number,
  samples: SamplePlan | undefined,
  host: CacheHost,
): Promise<Caches> {
  const { signal } = host;
  const variant = checkpoint.family;
  const ids = pictures.map(({ caption }) => encodePrompt(caption, { variant, maxLength: tokenCount }));
  const { vocab } = checkpoint.textEncoder;
  if (ids.some((row) => row.some((id) => id >= vocab))) {
    throw new InputError("model.vocabulary", `The model's text encoder knows ${vocab} tokens, captions need 49408: it is no complete Stable Diffusion model`, {
      vocabulary: vocab,
    });
  }
  try {
    const encodable = pictures.map((picture, i) => {
      if (dataset.shows[i] !== true) return undefined;
      const placement = dataset.buckets.placements[i];
      invariant(placement !== undefined, `${picture.path} has no bucket`);
      return { size: placement.bucket, prepare: async () => prepareImage(await picture.decode(), placement) };
    });
    let done = 0;
    const total = encodable.filter((picture) => picture !== undefined).length;
    host.phase({ phase: "cacheLatents", done, total });
    const latents = await cacheLatents(gpu, checkpoint, planVae(checkpoint, dataset.sizes, gpu.tier), encodable, seed, {
      signal,
      onPicture: () => host.phase({ phase: "cacheLatents", done: ++done, total }),
    });
    if (latents.some((latent) => latent?.every(Number.isFinite) === false)) {
      throw new InputError("model.vaeNotFinite", "The checkpoint's VAE gives invalid values for these pictures: it is damaged");
    }
    if (adapters.settings.trains.textEncoder) return { latents, ids, states: undefined, sampleStates: undefined };
    const prompts = samples === undefined ? [] : sampleTokenRows(samples);
    const texts = ids.length + prompts.length;
    host.phase({ phase: "cacheText", done: 0, total: texts });
    const states = await cacheText(gpu, checkpoint, planText(checkpoint, config.clip_skip ?? 1, gpu.tier), [...ids, ...prompts], {
      signal,
      onCaption: (done) => host.phase({ phase: "cacheText", done, total: texts }),
    });
    const captions = states.slice(0, ids.length);
    return { latents, ids, states: captions, sampleStates: knownStates(prompts, states.slice(ids.length)) };
  } catch (error) {
    if (signal.aborted) throw new CancelledError();
    throw error;
  }
}
