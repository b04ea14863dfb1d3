import { describe, expect, it } from "vitest";
import { captionTokens, joinedTokens } from "../../src/text/caption-tokens.ts";
import { joinStates, splitChunks } from "../../src/training/caption-states.ts";
// From sd-scripts' own strategies: tests/reference/make_caption_tokens.py.
import fixture from "./fixtures/caption-tokens.json" with { type: "json" };

describe("captionTokens", () => {
  it.each(["sd1", "sd2"] as const)("splits and weighs captions for %s as sd-scripts does", (variant) => {
    const cases = fixture.tokens.filter((item) => item.variant === variant);
    expect(cases.length).toBeGreaterThan(40);
    for (const { chunks, caption, ids, weights } of cases) {
      const tokens = captionTokens(caption, { chunks, isWeighted: weights !== undefined }, variant);
      expect({ caption, chunks, ids: [...tokens.ids] }).toEqual({ caption, chunks, ids });
      expect(tokens.weights === undefined).toBe(weights === undefined);
      for (const [i, weight] of (weights ?? []).entries()) expect(tokens.weights![i], `${caption}, token ${i}`).toBeCloseTo(weight, 6);
    }
  });
});

describe("joinStates", () => {
  /** States of the reference's stand-in for a text encoder. */
  const stateOf = (row: number) => Float32Array.from({ length: 77 }, (_, i) => row * 1000 + i);

  it.each(fixture.joins.map((join, number) => ({ number, ...join })))("puts $chunks chunks together as sd-scripts does, case $number", ({ chunks, plain, weighted }) => {
    const length = joinedTokens(chunks);
    for (const text of [0, 1]) {
      const states = Array.from({ length: chunks }, (_, chunk) => stateOf(text * chunks + chunk));
      const part = (values: readonly number[]) => values.slice(text * length, (text + 1) * length);
      expect([...joinStates(states, undefined)]).toEqual(part(plain));
      const own = (chunk: number, at: number) => 1 + ((text * chunks + chunk) * 77 + at) / 1024;
      const weights = Float32Array.from({ length }, (_, t) => (t === 0 || t === length - 1 ? 1 : own(Math.floor((t - 1) / 75), ((t - 1) % 75) + 1)));
      const joined = joinStates(states, weights);
      for (const [i, value] of part(weighted).entries()) expect(joined[i]! / Math.max(1, value)).toBeCloseTo(value / Math.max(1, value), 6);
    }
  });

  it("splits ids into what a text encoder takes", () => {
    expect(splitChunks(Int32Array.from({ length: 154 }, (_, i) => i)).map((row) => [row[0], row.length])).toEqual([[0, 77], [77, 77]]);
  });
});
