import { describe, expect, it } from "vitest";
import { defaultConfig } from "../../src/config/parameters.ts";
import { varyCaption, variesCaptions, type Chance } from "../../src/dataset/vary-caption.ts";
// From sd-scripts' own process_caption: tests/reference/make_captions.py.
import fixture from "./fixtures/captions.json" with { type: "json" };

const rulesOf = (changed: object) => ({ ...defaultConfig(), ...changed });

/** Plays back draws; asking for more than there are fails. */
function listed(draws: readonly number[]): Chance & { readonly used: () => number } {
  let at = 0;
  const uniform = (): number => {
    const draw = draws[at++];
    if (draw === undefined) throw new Error("more draws than the reference took");
    return draw;
  };
  return { uniform, below: (limit) => Math.floor(uniform() * limit), used: () => at };
}

describe("varyCaption", () => {
  it(`makes of ${fixture.cases.length} captions what sd-scripts makes, from the same draws`, () => {
    for (const { rules, caption, moment, draws, result } of fixture.cases) {
      const chance = listed(draws);
      const varied = varyCaption(caption, rulesOf(rules), moment, fixture.maxTrainSteps, chance);
      expect({ caption, rules, varied }).toEqual({ caption, rules, varied: result });
      expect(chance.used()).toBe(draws.length);
    }
  });

  it("asks for no random number where captions do not vary", () => {
    const steady = fixture.cases.filter(({ rules }) => !variesCaptions(rulesOf(rules)));
    expect(steady.length).toBeGreaterThan(10);
    expect(steady.flatMap(({ draws }) => draws)).toEqual([]);
  });

  it("leaves captions as they are under sd-scripts' defaults", () => {
    const caption = " one, {two|three} ||| four";
    expect(varyCaption(caption, defaultConfig(), { epoch: 1, step: 0 }, 100, listed([]))).toBe(caption);
  });
});
