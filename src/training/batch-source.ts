/** Puts together what the engine is given: a batch of cached pictures with its captions, noise and timesteps. */
import { invariant } from "../errors.ts";
import { batchShape } from "./batch-shape.ts";
import { mirrored, type PictureLatents } from "./latent-cache.ts";
import { joinSamples, makeMicroBatch } from "./micro-batch.ts";
import { drawNoise, drawTimesteps } from "./noise-draws.ts";
import { uniform } from "../random/rng.ts";
import type { Caches } from "./caches.ts";
import type { CaptionSource } from "./caption-source.ts";
import type { LiveEncoder, ShownPicture } from "./live-encoder.ts";
import type { NoiseSchedule } from "./noise-schedule.ts";
import type { Batch } from "./order.ts";
import type { TrainingPicture } from "./run-plan.ts";
import type { MicroBatch } from "./step-engine.ts";
import type { Bucket } from "../dataset/buckets.ts";
import type { CaptionMoment } from "../dataset/vary-caption.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import type { CaptionTokens } from "../text/caption-tokens.ts";

export interface BatchSourceParts {
  readonly config: TrainingConfig;
  readonly pictures: readonly Pick<TrainingPicture, "isReg">[];
  readonly buckets: readonly Bucket[];
  readonly caches: Pick<Caches, "latents" | "states">;
  readonly captions: CaptionSource;
  /** Of pictures that are not cached. */
  readonly live: LiveEncoder;
  readonly schedule: NoiseSchedule;
  /** Of everything random. */
  readonly seed: number;
}

export class BatchSource {
  readonly #parts: BatchSourceParts;

  constructor(parts: BatchSourceParts) {
    this.#parts = parts;
  }

  /**
   * @param index number of the micro-batch: what its random numbers depend on
   * @param timestep of all samples, instead of random ones
   */
  async prepare(batch: Batch, index: number, moment: CaptionMoment, timestep?: number): Promise<MicroBatch> {
    const { config, pictures, schedule, seed } = this.#parts;
    const bucket = this.#parts.buckets[batch.bucket];
    invariant(bucket !== undefined, "batch of an unknown bucket");
    const shape = batchShape(bucket.resolution, batch.items.length);
    const shown = await this.#show(batch, index, shape.width);
    const latents = joinSamples(shown.map((sample) => sample.latents));
    const masks = shown.flatMap(({ mask }) => (mask === undefined ? [] : [mask]));
    return makeMicroBatch(schedule, {
      shape,
      latents,
      ...drawNoise(config, seed, index, shape, latents),
      timesteps: timestep === undefined ? drawTimesteps(config, seed, index, shape.batch) : new Int32Array(shape.batch).fill(timestep),
      text: this.#text(batch, index, moment),
      mask: masks.length === 0 ? undefined : joinSamples(masks),
      prediction: config.v_parameterization ? "v" : "epsilon",
      config,
      draw: { seed, microBatch: index },
      sampleWeights: batch.items.map((item) => (pictures[item]?.isReg === true ? config.prior_loss_weight : 1)),
    });
  }

  async #show({ items }: Batch, microBatch: number, width: number): Promise<ShownPicture[]> {
    const { caches, live, seed } = this.#parts;
    const flips = uniform(seed, "flips", microBatch, items.length);
    const shown: ShownPicture[] = [];
    for (const [place, picture] of items.entries()) {
      const isFlipped = flips[place]! < 0.5;
      const cached = caches.latents[picture];
      shown.push(cached === undefined ? await live.show(picture, { microBatch, place }, isFlipped) : fromCache(cached, isFlipped, width));
    }
    return shown;
  }

  #text({ items }: Batch, microBatch: number, moment: CaptionMoment): MicroBatch["text"] {
    const { caches: { states }, captions } = this.#parts;
    if (states !== undefined) return { context: joinSamples(pick(states, items)) };
    return joinTokens(items.map((picture, place) => captions.tokens(picture, { ...moment, microBatch, place })));
  }
}

function fromCache({ plain, flipped, mask }: PictureLatents, isFlipped: boolean, width: number): ShownPicture {
  if (flipped === undefined || !isFlipped) return { latents: plain, mask };
  return { latents: flipped, mask: mask === undefined ? undefined : mirrored(mask, width, 1) };
}

/** Tokens of a micro-batch. */
function joinTokens(rows: readonly CaptionTokens[]): MicroBatch["text"] {
  const weights = rows.flatMap((row) => (row.weights === undefined ? [] : [row.weights]));
  return {
    ids: Int32Array.from(rows.flatMap(({ ids }) => [...ids])),
    weights: weights.length === 0 ? undefined : joinSamples(weights),
  };
}

/** Cached values of some pictures. */
function pick<T>(cache: readonly (T | undefined)[], items: readonly number[]): T[] {
  return items.map((item) => {
    const value = cache[item];
    invariant(value !== undefined, `picture ${item} is not cached`);
    return value;
  });
}
