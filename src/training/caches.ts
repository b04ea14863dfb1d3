/** What a run computes once, before its first update: latents of its pictures, and texts where their encoder stays as it is. */
import { CancelledError, InputError, invariant } from "../errors.ts";
import { tokenCount } from "../models/forward-graphs.ts";
import { endOfText } from "../text/clip-bpe.ts";
import { preparePicture, withMask, type PreparedPicture } from "../dataset/prepare-image.ts";
import { cacheLatents, planVae, type PictureLatents } from "./latent-cache.ts";
import { knownStates, sampleTokenRows, type EncodeIds } from "./sample-texts.ts";
import { joinStates, splitChunks } from "./caption-states.ts";
import { cacheText, planTextCache } from "./text-cache.ts";
import { textsToCache, type TrainingPlan } from "./training-plan.ts";
import { configOf } from "../config/dataset-keys.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import type { Gpu } from "../gpu/device.ts";
import type { CaptionSource } from "./caption-source.ts";
import type { RunObserver } from "./events.ts";
import type { DatasetPlan, TrainingPicture } from "./run-plan.ts";

export interface CacheInput {
  readonly pictures: readonly TrainingPicture[];
  readonly dataset: DatasetPlan;
  readonly plan: TrainingPlan;
  readonly captions: CaptionSource;
  readonly seed: number;
  readonly config: TrainingConfig;
}

export interface CacheHost extends Pick<RunObserver, "phase"> {
  readonly signal: AbortSignal;
}

/** Everything cached before training, by picture. */
export interface Caches {
  /** Undefined for pictures that no batch shows, and for those that look different at each showing. */
  readonly latents: readonly (PictureLatents | undefined)[];
  /** Text encoder outputs where it does not run in every step. */
  readonly states: readonly (Float32Array<ArrayBuffer> | undefined)[] | undefined;
  /** … and of the prompts of samples, where it is not trained. */
  readonly sampleStates: EncodeIds | undefined;
}

/** Pictures that are held out come last, so that the others train as if these were not there. */
function pictureNumbers({ heldOut }: DatasetPlan): number[] {
  const all = [...heldOut.keys()];
  const order = [...all.filter((i) => heldOut[i] !== true), ...all.filter((i) => heldOut[i] === true)];
  const numbers: number[] = [];
  for (const [number, picture] of order.entries()) numbers[picture] = number;
  return numbers;
}

/**
 * @throws InputError `model.vocabulary`, `model.vaeNotFinite`; CancelledError
 */
export async function fillCaches(
  gpu: Gpu,
  { pictures, dataset, plan, captions, seed, config }: CacheInput,
  host: CacheHost,
): Promise<Caches> {
  const { signal } = host;
  const { checkpoint, samples } = plan.options;
  const { vocab } = checkpoint.textEncoder;
  // Every caption ends with CLIP's last token.
  if (vocab <= endOfText) {
    throw new InputError("model.vocabulary", `The model's text encoder knows ${vocab} tokens, captions need 49408: it is no complete Stable Diffusion model`, {
      vocabulary: vocab,
    });
  }
  try {
    const numbers = pictureNumbers(dataset);
    const encodable = pictures.map((picture, i) => {
      if (dataset.shows[i] !== true || dataset.isLive[i] === true) return undefined;
      const placement = dataset.buckets.placements[i];
      invariant(placement !== undefined, `${picture.path} has no bucket`);
      const own = configOf(config, picture.overrides);
      const prepare = async (): Promise<PreparedPicture> => {
        const [image, mask] = await Promise.all([picture.decode(), own.masked_loss ? picture.decodeMask?.() : undefined]);
        const prepared = preparePicture({ path: picture.path, image, mask, placement }, own);
        return dataset.isMasked ? withMask(prepared, placement.bucket) : prepared;
      };
      return { number: numbers[i] ?? i, size: placement.bucket, flips: own.flip_aug, prepare };
    });
    let done = 0;
    const total = encodable.filter((picture) => picture !== undefined).length;
    host.phase({ phase: "cacheLatents", done, total });
    const options = { signal, onPicture: () => host.phase({ phase: "cacheLatents", done: ++done, total }) };
    const latents = total === 0
      ? pictures.map(() => undefined)
      : await cacheLatents(gpu, checkpoint, planVae(checkpoint, dataset.sizes, gpu.tier), encodable, seed, options);
    if (latents.some((both) => both?.plain.every(Number.isFinite) === false || both?.flipped?.every(Number.isFinite) === false)) {
      throw new InputError("model.vaeNotFinite", "The checkpoint's VAE gives invalid values for these pictures: it is damaged");
    }
    const wanted = textsToCache(plan);
    const textPlan = planTextCache(plan);
    if (textPlan === undefined) return { latents, states: undefined, sampleStates: undefined };
    const shown = wanted.captions ? [...pictures.keys()].filter((picture) => dataset.shows[picture]) : [];
    const prompts = wanted.samples && samples !== undefined ? sampleTokenRows(samples) : [];
    const tokens = shown.map((picture) => captions.steadyTokens(picture));
    const rows = [...tokens.flatMap(({ ids }) => splitChunks(ids)), ...prompts];
    const promptsAt = rows.length - prompts.length;
    host.phase({ phase: "cacheText", done: 0, total: rows.length });
    const encoded = await cacheText(gpu, checkpoint, textPlan, rows, {
      signal,
      onCaption: (done) => host.phase({ phase: "cacheText", done, total: rows.length }),
    });
    const states: (Float32Array<ArrayBuffer> | undefined)[] = pictures.map(() => undefined);
    for (const [i, picture] of shown.entries()) {
      const { ids, weights } = tokens[i]!;
      const chunks = ids.length / tokenCount;
      states[picture] = joinStates(encoded.slice(i * chunks, (i + 1) * chunks), weights);
    }
    return {
      latents,
      states: wanted.captions ? states : undefined,
      sampleStates: wanted.samples ? knownStates(prompts, encoded.slice(promptsAt)) : undefined,
    };
  } catch (error) {
    if (signal.aborted) throw new CancelledError();
    throw error;
  }
}
