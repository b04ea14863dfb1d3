import { describe, expect, it } from "vitest";
import { philox4x32 } from "../../src/random/philox.ts";
import type { Stream } from "../../src/random/rng.ts";
import { RandomSequence, gaussian, integers, permutation, uniform } from "../../src/random/rng.ts";

const hex = (words: ArrayLike<number>) => Array.from(words, (word) => word.toString(16).padStart(8, "0")).join(" ");

function block(counter: readonly number[], key: readonly number[]): Uint32Array {
  const out = new Uint32Array(4);
  philox4x32(Uint32Array.from(counter), Uint32Array.from(key), out);
  return out;
}

describe("philox4x32", () => {
  const ones = 0xffffffff;
  // Known answers that come with Random123, the authors' own implementation.
  it.each([
    [[0, 0, 0, 0], [0, 0], "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
    [[ones, ones, ones, ones], [ones, ones], "408f276d 41c83b0e a20bc7c6 6d5451fd"],
    [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], "d16cfe09 94fdcceb 5001e420 24126ea1"],
  ])("turns counter %j and key %j into %s", (counter, key, answer) => {
    expect(hex(block(counter, key))).toBe(answer);
  });

  it("gives the webui's noise of seed 0", () => {
    const samples = [0, 1, 2, 3].map((element) => {
      const [x, y] = block([0, 0, element, 0], [0, 0]) as unknown as [number, number];
      const u = x * 2 ** -32 + 2 ** -33;
      return Math.sqrt(-2 * Math.log(u)) * Math.sin((y * 2 ** -32 + 2 ** -33) * 2 * Math.PI);
    });
    const webui = [-0.92466259, -0.42534415, -2.6438457, 0.14518388];
    for (const [i, sample] of samples.entries()) expect(sample).toBeCloseTo(webui[i]!, 6);
  });
});

describe("random streams", () => {
  const streams: Stream[] = ["noise", "timesteps", "noiseOffset", "vaeSample", "loraInit", "shuffleImages"];

  it("repeat for the same seed, stream and index, however many numbers are asked for", () => {
    expect(gaussian(42, "noise", 7, 1000).slice(0, 333)).toEqual(gaussian(42, "noise", 7, 333));
  });

  it("differ between seeds, streams and indices, also beyond 32 bits", () => {
    const first = (seed: number, stream: Stream, index: number) => new RandomSequence(seed, stream, index).uint32();
    const large = 2 ** 32;
    const numbers = [
      ...streams.map((stream) => first(1, stream, 0)),
      first(2, "noise", 0), first(1 + large, "noise", 0), first(1, "noise", 1), first(1, "noise", large),
    ];
    expect(new Set(numbers).size).toBe(numbers.length);
  });

  it("have a normal distribution where it is asked for", () => {
    const samples = gaussian(3, "noise", 0, 200_001);
    const moment = (power: number) => samples.reduce((sum, x) => sum + x ** power, 0) / samples.length;
    expect(moment(1)).toBeCloseTo(0, 1.9);
    expect(moment(2)).toBeCloseTo(1, 1.9);
    expect(moment(3)).toBeCloseTo(0, 1.5);
    expect(moment(4)).toBeCloseTo(3, 1);
    const beyond2 = samples.filter((x) => Math.abs(x) > 2).length / samples.length;
    expect(beyond2).toBeCloseTo(0.0455, 2);
  });

  it("have uncorrelated neighbours and streams", () => {
    const a = gaussian(3, "noise", 0, 100_000);
    const b = gaussian(3, "noise", 1, 100_000);
    const correlation = (shift: number, other: Float32Array) =>
      a.reduce((sum, x, i) => sum + x * other[(i + shift) % other.length]!, 0) / a.length;
    const correlations = [correlation(1, a), correlation(2, a), correlation(0, b)];
    for (const value of correlations) expect(Math.abs(value)).toBeLessThan(0.015);
  });

  it("are uniform below 1 where it is asked for", () => {
    const samples = uniform(9, "loraInit", 4, 100_000);
    expect(samples.every((x) => x >= 0 && x < 1)).toBe(true);
    const tenths = Array.from({ length: 10 }, () => 0);
    for (const x of samples) tenths[Math.floor(x * 10)]!++;
    for (const count of tenths) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  });

  it("give every timestep of a range and none beside it", () => {
    const drawn = integers(1, "timesteps", 0, 50_000, 0, 1000);
    expect(new Set(drawn).size).toBe(1000);
    expect(Math.min(...drawn)).toBe(0);
    expect(Math.max(...drawn)).toBe(999);
    expect(new Set(integers(1, "timesteps", 1, 100, 5, 6))).toEqual(new Set([5]));
  });

  it("permute without favourites", () => {
    const firsts = Array.from({ length: 5 }, () => 0);
    for (let index = 0; index < 5000; index++) {
      const order = permutation(1, "shuffleImages", index, 5);
      expect(Array.from(order).sort()).toEqual([0, 1, 2, 3, 4]);
      firsts[order[0]!]!++;
    }
    for (const count of firsts) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});
