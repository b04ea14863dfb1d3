import { describe, expect, it } from "vitest";
import { NvNoise } from "../../src/random/nv-noise.ts";

describe("noise by seed", () => {
  it("is that of the webui's NV source", () => {
    // The generator's author gives these for seed 0.
    const wanted = [-0.92466259, -0.42534415, -2.6438457, 0.14518388];
    for (const [i, value] of new NvNoise(0).map(1, 4, 1).entries()) expect(value).toBeCloseTo(wanted[i]!, 6);
  });

  it("numbers elements by channel, row and column, and gives them with the channels last", () => {
    const [height, width, channels] = [3, 5, 4];
    const flat = new NvNoise(123).map(1, height * width * channels, 1);
    const map = new NvNoise(123).map(height, width, channels);
    for (let c = 0; c < channels; c++) {
      for (let i = 0; i < height * width; i++) expect(map[i * channels + c]).toBe(flat[c * height * width + i]);
    }
  });

  it("is another with each call, and for seeds that differ above 32 bits", () => {
    const noise = new NvNoise(1);
    const [first, second] = [noise.map(1, 2, 4), noise.map(1, 2, 4)];
    expect(second).not.toEqual(first);
    expect(new NvNoise(1).map(1, 2, 4)).toEqual(first);
    expect(new NvNoise(1 + 2 ** 32).map(1, 2, 4)).not.toEqual(first);
  });

  it("has mean 0 and variance 1", () => {
    const samples = new NvNoise(9).map(100, 100, 4);
    const mean = samples.reduce((sum, value) => sum + value, 0) / samples.length;
    const variance = samples.reduce((sum, value) => sum + (value - mean) ** 2, 0) / samples.length;
    expect(Math.abs(mean)).toBeLessThan(0.02);
    expect(Math.abs(variance - 1)).toBeLessThan(0.02);
  });
});
