/** Latents as they are cached before training. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { names } from "../../src/models/forward-graphs.ts";
import { gaussian } from "../../src/random/rng.ts";
import { openForward, variantOf } from "../../src/training/forward-plan.ts";
import { cacheLatents, planVae, sampleLatents } from "../../src/training/latent-cache.ts";
import { openTestGpu } from "./harness/adapter.ts";
import { openMini } from "./harness/reference-data.ts";
import type { Gpu } from "../../src/gpu/device.ts";

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu({ defaultLimitsOnly: true });
});
afterAll(() => gpu.destroy());

const [width, height] = [64, 32];
const seed = 5;
const image = Float32Array.from({ length: width * height * 3 }, (_, i) => Math.sin(i * 0.7) * Math.cos(i * 0.013));
/** Pixel by pixel, the other way round than the code under test goes. */
const mirrored = Float32Array.from(image, (_, i) => {
  const [channel, x, y] = [i % 3, Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
  return image[(y * width + (width - 1 - x)) * 3 + channel]!;
});
const rgbx = (rgb: Float32Array) => Float32Array.from({ length: width * height * 4 }, (_, i) => (i % 4 === 3 ? 0 : rgb[Math.floor(i / 4) * 3 + (i % 4)]!));

describe("cacheLatents", () => {
  it("encodes a picture and its mirror image apart, and leaves out what is not wanted", async () => {
    const checkpoint = await openMini("sd1");
    const plan = planVae(checkpoint, [[width, height]], gpu.tier);
    const wanted = { number: 1, size: [width, height] as const, prepare: async () => ({ image, mask: undefined }) };
    const [none, both] = await cacheLatents(gpu, checkpoint, plan, [undefined, { ...wanted, flips: true }], seed);
    const [, plainOnly] = await cacheLatents(gpu, checkpoint, plan, [undefined, wanted], seed);
    expect(none).toBeUndefined();
    expect(plainOnly).toEqual({ plain: both!.plain, flipped: undefined, mask: undefined });

    const runner = await openForward(gpu, checkpoint, plan);
    const momentsOf = (rgb: Float32Array) => runner.run(variantOf(plan, `${width}x${height}`), { [names.image]: rgbx(rgb) });
    const [plain, flipped] = [await momentsOf(image), await momentsOf(mirrored)];
    runner.destroy();
    const count = plain.length / 2;
    const scale = checkpoint.vae!.scaleFactor;
    expect(both!.plain).toEqual(sampleLatents(plain, gaussian(seed, "vaeSample", 1, count), scale));
    expect(both!.flipped).toEqual(sampleLatents(flipped, gaussian(seed, "vaeSampleFlipped", 1, count), scale));
  });
});
