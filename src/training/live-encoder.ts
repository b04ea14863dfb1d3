/** Pictures that look different at each showing: prepared and encoded in every step, as sd-scripts does without a cache. */
import { configOf } from "../config/dataset-keys.ts";
import { preparePicture, withMask } from "../dataset/prepare-image.ts";
import { invariant } from "../errors.ts";
import { gaussian, RandomSequence } from "../random/rng.ts";
import { showingIndex } from "./caption-source.ts";
import { CHANNELS, mirrored, type PixelSize } from "./latent-cache.ts";
import type { DatasetPlan, TrainingPicture } from "./run-plan.ts";
import type { TrainingConfig } from "../config/parameters.ts";

export interface LiveEncoderParts {
  readonly config: TrainingConfig;
  readonly pictures: readonly TrainingPicture[];
  readonly dataset: Pick<DatasetPlan, "buckets" | "isMasked">;
  /** Of everything random. */
  readonly seed: number;
  /** Runs the VAE: image [height, width, 3] and N(0, 1) of the latents' size to scaled latents [h, w, 4]. */
  readonly encode: (image: Float32Array, size: PixelSize, epsilon: Float32Array) => Promise<Float32Array<ArrayBuffer>>;
}

/** What one showing of a picture gives. */
export interface ShownPicture {
  readonly latents: Float32Array<ArrayBuffer>;
  readonly mask: Float32Array<ArrayBuffer> | undefined;
}

export class LiveEncoder {
  readonly #parts: LiveEncoderParts;

  constructor(parts: LiveEncoderParts) {
    this.#parts = parts;
  }

  /** A function of the seed and the showing alone. @throws what decoding the picture throws */
  async show(picture: number, showing: { readonly microBatch: number; readonly place: number }, isFlipped: boolean): Promise<ShownPicture> {
    const { config, pictures, dataset, seed, encode } = this.#parts;
    const own = pictures[picture];
    const placement = dataset.buckets.placements[picture];
    invariant(own !== undefined && placement !== undefined, `no picture ${picture}`);
    const index = showingIndex(showing);
    const chance = new RandomSequence(seed, "augmentations", index);
    const [image, mask] = await Promise.all([own.decode(), own.decodeMask?.()]);
    const rules = configOf(config, own.overrides);
    const cut = preparePicture({ path: own.path, image, mask: rules.masked_loss ? mask : undefined, placement, chance }, rules);
    const prepared = dataset.isMasked ? withMask(cut, placement.bucket) : cut;
    const [width, height] = placement.bucket;
    const epsilon = gaussian(seed, "vaeSampleEach", index, (width / 8) * (height / 8) * CHANNELS);
    const turned = isFlipped && rules.flip_aug;
    const latents = await encode(turned ? mirrored(prepared.image, width, 3) : prepared.image, placement.bucket, epsilon);
    // As in sd-scripts: a value that the VAE cannot give counts as 0.
    return {
      latents: latents.map((value) => (Number.isFinite(value) ? value : 0)),
      mask: turned && prepared.mask !== undefined ? mirrored(prepared.mask, width / 8, 1) : prepared.mask,
    };
  }
}
