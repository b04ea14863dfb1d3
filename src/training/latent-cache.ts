/** Encodes every picture once through the VAE, before training. */
import { openForward, planForward, variantOf, type ForwardPlan } from "./forward-plan.ts";
import { buildVaeGraph, names, requireVae } from "../models/forward-graphs.ts";
import { gaussian } from "../random/rng.ts";
import type { LoadOptions } from "../models/weight-loader.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Tier } from "../gpu/tier.ts";
import type { Checkpoint } from "../models/checkpoint-types.ts";

/** [width, height] in pixels. */
export type PixelSize = readonly [number, number];

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
  readonly size: PixelSize;
  /** [height, width, 3] in [-1, 1] at its size. */
  prepare(): Promise<Float32Array<ArrayBuffer>>;
}

/**
 * @param pictures undefined for those that are not wanted
 * @returns per picture the sampled latents [h, w, 4], times the scale factor. The sample of a picture depends on the
 * seed and its index alone.
 */
export async function cacheLatents(
  gpu: Gpu,
  checkpoint: Checkpoint,
  plan: ForwardPlan,
  pictures: readonly (PictureToEncode | undefined)[],
  seed: number,
  options: LoadOptions & { onPicture?(): void } = {},
): Promise<(Float32Array<ArrayBuffer> | undefined)[]> {
  const { scaleFactor } = requireVae(checkpoint);
  const runner = await openForward(gpu, checkpoint, plan, options);
  try {
    const latents: (Float32Array<ArrayBuffer> | undefined)[] = pictures.map(() => undefined);
    for (const [index, picture] of pictures.entries()) {
      if (picture === undefined) continue;
      options.signal?.throwIfAborted();
      const moments = await runner.run(variantOf(plan, key(picture.size)), { [names.image]: withFourthChannel(await picture.prepare()) });
      latents[index] = sampleLatents(moments, gaussian(seed, "vaeSample", index, moments.length / 2), scaleFactor);
      options.onPicture?.();
    }
    return latents;
  } finally {
    runner.destroy();
  }
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
