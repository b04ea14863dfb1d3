import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import {
  bfloatsFromFloats,
  countInfinities,
  floatFromHalf,
  floatsFromBfloats,
  floatsFromHalves,
  halfFromFloatBits,
  halvesFromFloats,
} from "../../src/formats/half.ts";

const { rounding } = JSON.parse(readFileSync(new URL("fixtures/formats.json", import.meta.url), "utf8")) as {
  rounding: { f32: number[]; f16: number[]; bf16: number[] };
};
const floats = new Float32Array(Uint32Array.from(rounding.f32).buffer);

test("f32 rounds to f16 as numpy rounds", () => {
  expect([...halvesFromFloats(floats)]).toEqual(rounding.f16);
});

test("f32 rounds to bf16 as PyTorch rounds", () => {
  expect([...bfloatsFromFloats(floats)]).toEqual(rounding.bf16);
});

test("every f16 survives the way to f32 and back, NaNs as NaNs", () => {
  const all = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const values = floatsFromHalves(all);
  const back = halvesFromFloats(values);
  const isNaNPattern = (h: number) => (h & 0x7fff) > 0x7c00;
  const wrong = [...all].filter((h) => (isNaNPattern(h) ? !Number.isNaN(values[h]) : back[h] !== h));
  expect(wrong).toEqual([]);
  expect(floatFromHalf(0x0001)).toBe(2 ** -24);
  expect(floatFromHalf(0x7bff)).toBe(65504);
});

test("NaNs stay NaNs in both directions", () => {
  for (const bits of [0x7f800001, 0x7fc00000, 0xffffffff]) {
    expect(floatFromHalf(halfFromFloatBits(bits))).toBeNaN();
    const nan = new Float32Array(Uint32Array.of(bits).buffer);
    expect(floatsFromBfloats(bfloatsFromFloats(nan))[0]).toBeNaN();
  }
});

test("overflows can be counted", () => {
  expect(countInfinities(halvesFromFloats(Float32Array.of(65504, 65520, -1e6, 0, NaN)))).toBe(2);
});
