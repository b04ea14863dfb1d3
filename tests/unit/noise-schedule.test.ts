import { describe, expect, it } from "vitest";
import { defaultConfig } from "../../src/config/parameters.ts";
import { lossWeights } from "../../src/training/loss-weights.ts";
import { offsetNoise, offsetStrengths } from "../../src/training/noise-offset.ts";
import { addNoise, createNoiseSchedule, predictionTarget } from "../../src/training/noise-schedule.ts";
// From diffusers' DDPMScheduler and torch: tests/reference/make_schedules.py.
import fixture from "./fixtures/schedules.json" with { type: "json" };

const expected = fixture.noise;
const schedule = createNoiseSchedule();
const latents = Float32Array.from(expected.latents);
const noise = Float32Array.from(expected.noise);

function expectClose(actual: ArrayLike<number>, wanted: readonly number[], relative: number, floor = 1): void {
  expect(actual.length).toBe(wanted.length);
  for (const [i, value] of wanted.entries()) {
    expect(Math.abs(actual[i]! - value), `element ${i}`).toBeLessThanOrEqual(relative * Math.max(floor, Math.abs(value)));
  }
}

describe("the noise schedule", () => {
  it("is torch's table bit for bit", () => {
    expect(Array.from(schedule.alphasCumprod)).toEqual(Array.from(Float32Array.from(expected.alphasCumprod)));
    // torch's float32 square root is not correctly rounded on every processor, so the ratio has some play.
    expectClose(schedule.snr, expected.snr, 5e-7, 0);
  });

  it("adds noise and forms the v target as diffusers does", () => {
    expectClose(addNoise(schedule, latents, noise, expected.timesteps), expected.noisy, 1e-7);
    expectClose(predictionTarget(schedule, "v", latents, noise, expected.timesteps), expected.velocity, 1e-7);
    expect(predictionTarget(schedule, "epsilon", latents, noise, expected.timesteps)).toEqual(noise);
  });

  it("weighs losses by min-SNR, with and without v-prediction", () => {
    const weights = (prediction: "epsilon" | "v") => lossWeights(schedule, expected.timesteps, prediction, { ...defaultConfig(), min_snr_gamma: 5 });
    expectClose(weights("epsilon"), expected.minSnr5Epsilon, 1e-7);
    expectClose(weights("v"), expected.minSnr5V, 1e-7);
    expect(Array.from(lossWeights(schedule, [0, 999], "v", defaultConfig()))).toEqual([1, 1]);
  });

  it("shifts whole channels of a sample by the noise offset", () => {
    const grid = new Float32Array(2 * 2 * 3);
    offsetNoise(grid, Float32Array.of(1, 2, 3, -1, -2, -3), offsetStrengths(grid, 2, 3, 0.5, null), 3);
    expect(Array.from(grid)).toEqual([0.5, 1, 1.5, 0.5, 1, 1.5, -0.5, -1, -1.5, -0.5, -1, -1.5]);
  });
});
