/** What the product promises about a picture before it is made, at real Stable Diffusion sizes. */
import { beforeAll, describe, expect, it, vi } from "vitest";
import { planGeneration } from "../../src/generation/forecast.ts";
import { openModels, type GenerationModels } from "../../src/generation/models.ts";
import { defaultLimits, portableTier, type Tier } from "../../src/gpu/tier.ts";
import { headerOnlyCheckpoint } from "./harness/header-only.ts";
import type { GenerationRequest } from "../../src/generation/request.ts";

// Full-size plans take a second each on a slow machine.
vi.setConfig({ testTimeout: 60_000 });

const MiB = 2 ** 20;
const request: GenerationRequest = {
  prompt: "a cat", negative: "", seed: 1, steps: 20, cfg: 7, sampler: "euler", schedule: "automatic",
  width: 512, height: 512, clipSkip: 1,
};
/** As large a binding as the engine asks for. */
const bigTier: Tier = {
  ...portableTier, limits: { ...defaultLimits, maxBufferSize: 2 ** 30, maxStorageBufferBindingSize: 2 ** 30 },
};

let sd15: GenerationModels;
beforeAll(async () => {
  sd15 = await openModels({ checkpoint: await headerOnlyCheckpoint("sd15") });
});

describe("SD1.5 with WebGPU's default limits", () => {
  it("makes 512x512 within 2.6 GiB: both prompts at once, the picture in tiles", () => {
    const forecast = planGeneration(sd15, request, portableTier);
    expect(forecast.weightsBytes / MiB).toBeGreaterThan(1639 + 234 + 94);
    expect(forecast.weightsBytes / MiB).toBeLessThan(1639 + 234 + 94 + 20);
    expect(forecast.peakBytes).toBeLessThan(2.6 * 2 ** 30);
    expect(forecast.peakBytes).toBe(forecast.weightsBytes + forecast.workspaceBytes);
    expect(forecast.largestBindingBytes).toBeLessThanOrEqual(128 * MiB);
    expect(forecast.evaluations).toBe(20);
    // The UNet takes 803 GFLOP for each prompt, the decoder 2515 for the picture and more for what tiles share.
    expect(forecast.evaluationFlops / 1e9).toBeGreaterThan(2 * 795);
    expect(forecast.evaluationFlops / 1e9).toBeLessThan(2 * 815);
    expect(forecast.dispatches).toBeLessThan(800);
    expect(forecast.tiles).toBe(4);
    const rest = (forecast.flops - 20 * forecast.evaluationFlops) / 1e9;
    expect(rest).toBeGreaterThan(2515 + 2 * 13);
    expect(rest).toBeLessThan(1.3 * 2515);
  });

  it("takes the prompts one by one where both together cannot be bound", () => {
    const both = planGeneration(sd15, { ...request, width: 512, height: 768 }, portableTier);
    const each = planGeneration(sd15, { ...request, width: 768, height: 768 }, portableTier);
    expect(both.dispatches).toBeLessThan(800);
    expect(each.dispatches).toBeGreaterThan(1.5 * both.dispatches);
    expect(each.largestBindingBytes).toBeLessThanOrEqual(128 * MiB);
  });

  it("counts one pass at CFG 1, and a longer context for a longer prompt", () => {
    const forecast = planGeneration(sd15, { ...request, cfg: 1 }, portableTier);
    expect(forecast.evaluationFlops / 1e9).toBeLessThan(815);
    const long = planGeneration(sd15, { ...request, cfg: 1, prompt: "a cat BREAK a dog" }, portableTier);
    expect(long.evaluationFlops).toBeGreaterThan(forecast.evaluationFlops);
  });

  it.each([[2048, 2048, 1], [1536, 3072, 0.5]])("refuses %i x %i and names the largest of its proportions", (width, height, proportions) => {
    let error: { code?: string; data?: Record<string, number> } = {};
    try {
      planGeneration(sd15, { ...request, width, height }, portableTier);
    } catch (thrown) {
      error = thrown as typeof error;
    }
    expect(error.code).toBe("generation.tooLarge");
    const { largestWidth = 0, largestHeight = 0 } = error.data ?? {};
    expect(largestWidth / largestHeight).toBeGreaterThan(proportions * 0.97);
    expect(largestWidth / largestHeight).toBeLessThan(proportions * 1.03);
    const largest = { ...request, width: largestWidth, height: largestHeight };
    expect(planGeneration(sd15, largest, portableTier).largestBindingBytes).toBeLessThanOrEqual(128 * MiB);
    const grow = (side: number): number => Math.ceil((side * 1.05) / 8) * 8;
    const more = { ...request, width: grow(largestWidth), height: grow(largestHeight) };
    expect(() => planGeneration(sd15, more, portableTier)).toThrow(/The largest of these proportions/);
  });
});

describe("SD1.5 on a GPU with large bindings", () => {
  it("decodes 512x512 whole", () => {
    expect(planGeneration(sd15, request, bigTier).tiles).toBe(1);
  });
});
