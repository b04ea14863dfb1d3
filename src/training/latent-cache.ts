/** Encodes every picture once through the VAE, before training. */
import { openForward, planForward, variantOf, type ForwardPlan } from "./forward-plan.ts";
import type { PreparedPicture } from "../dataset/prepare-image.ts";
import { buildVaeGraph, names, requireVae } from "../models/forward-graphs.ts";
import { gaussian, type Stream } from "../random/rng.ts";
import type { ProgramRunner } from "../models/forward-runner.ts";
import type { LoadOptions } from "../models/weight-loader.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Tier } from "../gpu/tier.ts";
import type { Checkpoint } from "../models/checkpoint-types.ts";

/** [width, height] in pixels. */
export type PixelSize = readonly [number, number];

/** Of latents. */
export const CHANNELS = 4;

const key = ([width, height]: PixelSize): string => `${width}x${height}`;

export function planVae(checkpoint: Checkpoint, sizes: readonly PixelSize[], tier: Tier): ForwardPlan {
  const distinct = new Map(sizes.map((size) => [key(size), size]));
  return planForward(
    [...distinct].map(([name, [width, height]]) => {
      const { graph, moments } = buildVaeGraph(checkpoint, height, width);
      return { key: name, graph, result: moments };
    }),
    tier,
  );
}

export interface PictureToEncode {
  /** Which of the run's pictures it is: what its random sample depends on. */
  readonly number: number;
  readonly size: PixelSize;
  /** Its mirror image is wanted, too. */
  readonly flips?: boolean;
  prepare(): Promise<PreparedPicture>;
}

/** Sampled latents [h, w, 4] of a picture, times the scale factor. */
export interface PictureLatents {
  readonly plain: Float32Array<ArrayBuffer>;
  /** Of its mirror image, encoded by itself: a VAE does not turn mirrored pictures into mirrored latents. */
  readonly flipped: Float32Array<ArrayBuffer> | undefined;
  /** [h, w]: how much each pixel of the plain latents counts. */
  readonly mask: Float32Array<ArrayBuffer> | undefined;
}

export interface CacheLatentsOptions extends LoadOptions {
  onPicture?(): void;
}

/**
 * @param pictures undefined for those that are not wanted
 * @returns one per picture. The sample of a picture depends on the seed and its number alone.
 */
export async function cacheLatents(
  gpu: Gpu,
  checkpoint: Checkpoint,
  plan: ForwardPlan,
  pictures: readonly (PictureToEncode | undefined)[],
  seed: number,
  options: CacheLatentsOptions = {},
): Promise<(PictureLatents | undefined)[]> {
  const runner = await openForward(gpu, checkpoint, plan, options);
  const encode = async (image: Float32Array, size: PixelSize, stream: Stream, index: number): Promise<Float32Array<ArrayBuffer>> => {
    const epsilon = gaussian(seed, stream, index, (size[0] / 8) * (size[1] / 8) * CHANNELS);
    return encodePicture(runner, checkpoint, plan, image, size, epsilon);
  };
  try {
    const latents: (PictureLatents | undefined)[] = pictures.map(() => undefined);
    for (const [index, picture] of pictures.entries()) {
      if (picture === undefined) continue;
      options.signal?.throwIfAborted();
      const { size, number } = picture;
      const { image, mask } = await picture.prepare();
      const plain = await encode(image, size, "vaeSample", number);
      const flipped = picture.flips === true ? await encode(mirrored(image, size[0], 3), size, "vaeSampleFlipped", number) : undefined;
      latents[index] = { plain, flipped, mask };
      options.onPicture?.();
    }
    return latents;
  } finally {
    runner.destroy();
  }
}

/**
 * @param image [height, width, 3]
 * @param epsilon N(0, 1) [height / 8, width / 8, 4]
 * @returns scaled latents
 */
export async function encodePicture(
  runner: ProgramRunner, checkpoint: Checkpoint, plan: ForwardPlan, image: Float32Array, size: PixelSize, epsilon: Float32Array,
): Promise<Float32Array<ArrayBuffer>> {
  const moments = await runner.run(variantOf(plan, key(size)), { [names.image]: withFourthChannel(image) });
  return sampleLatents(moments, epsilon, requireVae(checkpoint).scaleFactor);
}

/** Posterior sample z = mean + exp(logvar / 2) · ε, times the scale factor. Moments are [.., mean x4, logvar x4]. */
export function sampleLatents(
  moments: Float32Array,
  epsilon: Float32Array,
  scaleFactor: number,
): Float32Array<ArrayBuffer> {
  const latents = new Float32Array(moments.length / 2);
  for (let i = 0; i < latents.length; i++) {
    const pixel = Math.floor(i / 4);
    const mean = moments[pixel * 8 + (i % 4)] ?? 0;
    const logvar = Math.min(20, Math.max(-30, moments[pixel * 8 + 4 + (i % 4)] ?? 0));
    latents[i] = (mean + Math.exp(logvar / 2) * (epsilon[i] ?? 0)) * scaleFactor;
  }
  return latents;
}

/** @param map [height, width, channels] */
export function mirrored(map: Float32Array, width: number, channels: number): Float32Array<ArrayBuffer> {
  const out = new Float32Array(map.length);
  for (let pixel = 0; pixel < map.length / channels; pixel++) {
    const x = pixel % width;
    const from = (pixel - x + (width - 1 - x)) * channels;
    out.set(map.subarray(from, from + channels), pixel * channels);
  }
  return out;
}

/** RGB to the four channels that the first convolution is padded to. */
function withFourthChannel(rgb: Float32Array): Float32Array<ArrayBuffer> {
  const pixels = rgb.length / 3;
  const out = new Float32Array(pixels * 4);
  for (let i = 0; i < pixels; i++) {
    out[i * 4] = rgb[i * 3] ?? 0;
    out[i * 4 + 1] = rgb[i * 3 + 1] ?? 0;
    out[i * 4 + 2] = rgb[i * 3 + 2] ?? 0;
  }
  return out;
}
