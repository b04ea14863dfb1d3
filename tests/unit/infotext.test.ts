import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { samplerNames, scheduleNames } from "../../src/config/sampling.ts";
import { formatInfotext, type Infotext, parseInfotext } from "../../src/formats/infotext.ts";
import { describePicture, promptWithAdapters, recallSettings } from "../../src/generation/picture-text.ts";
import type { GenerationRequest } from "../../src/generation/request.ts";

/** Made by tests/reference/make_infotexts.py. */
const fixture = JSON.parse(readFileSync(new URL("fixtures/infotexts.json", import.meta.url), "utf8")) as {
  written: (Infotext & { text: string })[];
  read: (Infotext & { text: string })[];
};

/** Numbers in [0, 1), the same every time. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

describe("infotext", () => {
  it.each(fixture.written)("is written as the webui writes it: $text", ({ text, ...infotext }) => {
    expect(formatInfotext(infotext)).toBe(text);
  });

  it.each(fixture.read)("is read as the webui reads it: $text", ({ text, ...infotext }) => {
    expect(parseInfotext(text)).toEqual(infotext);
  });

  it("gives any prompt and any values back", () => {
    const random = randomOf(7);
    const alphabet = [..."ab,:\"\\\n ()<>x=|史🙂é{}'\t"];
    const text = (length: number): string => Array.from({ length }, () => alphabet[Math.floor(random() * alphabet.length)]).join("");
    const lines = (value: string): string => value.trim().split("\n").map((line) => line.trim()).join("\n");
    for (let i = 0; i < 500; i++) {
      const fields = ["Steps", "Model", "Schedule type", "X/Y"].map((key): [string, string] => [key, `${text(1 + (i % 9))}.`]);
      // Spaces at the ends of lines are not kept; an empty line at an end neither.
      const prompt = lines(text(i % 30));
      const negative = lines(text(i % 20));
      expect(parseInfotext(formatInfotext({ prompt, negative, fields }))).toEqual({ prompt, negative, fields });
    }
  });

  it("leaves fields without a value out", () => {
    expect(formatInfotext({ prompt: "x", negative: "", fields: [["A b", ""], ["Seed", "1"]] })).toBe("x\nSeed: 1");
  });

  it("keeps quotes that are no JSON as they are", () => {
    const { fields } = parseInfotext('x\nSteps: 1, Odd: "a\\qb", Seed: 2');
    expect(fields).toEqual([["Steps", "1"], ["Odd", '"a\\qb"'], ["Seed", "2"]]);
  });
});

const request: GenerationRequest = {
  prompt: "smith", negative: "blurry", seed: 2 ** 53 - 1, steps: 20, cfg: 7.5, sampler: "dpmpp_2m", schedule: "karras",
  width: 512, height: 768, clipSkip: 2,
};
const origin = { model: { name: "v1-5" }, adapterHashes: new Map<string, string>(), program: "p" };
const picture = (change: Partial<GenerationRequest>, adapters: readonly [string, number, number][] = []) => ({
  width: 512, height: 512, milliseconds: 1, request: { ...request, ...change },
  adapters: adapters.map(([name, unet, textEncoder]) => ({ name, unet, textEncoder })),
});

describe("a picture's text", () => {
  it("gives every sampler and schedule back", () => {
    for (const sampler of samplerNames) {
      for (const schedule of [...scheduleNames, "automatic"] as const) {
        const asked = { ...request, sampler, schedule };
        expect(recallSettings(describePicture(picture(asked), origin))?.request).toEqual(asked);
      }
    }
  });

  it("has tags for what acted without one, so that the text alone gives the same picture", () => {
    const prompt = (text: string, ...adapters: [string, number, number][]): string =>
      promptWithAdapters(picture({ prompt: text }, adapters));
    expect(prompt("x", ["a", 0.8, 0.8])).toBe("x <lora:a:0.8>");
    expect(prompt("x", ["a", 0.8, 0])).toBe("x <lora:a:0:0.8>");
    expect(prompt("x <lora:a:0.8>", ["a", 0.8, 0.8])).toBe("x <lora:a:0.8>");
    expect(prompt("x <lora:a:0.3>", ["a", 0.8, 0.8])).toBe("x <lora:a:0.3> <lora:a:0.5>");
    expect(prompt("<lora:a:1> x <lora:b:0.5:0.2>", ["a", 1, 1], ["b", 0.2, 0.5], ["c", -0.1, -0.1])).toBe(
      "<lora:a:1> x <lora:b:0.5:0.2> <lora:c:-0.1>",
    );
    expect(prompt("x <lora:a:0.5>")).toBe("x <lora:a:0.5> <lora:a:-0.5>");
    expect(prompt("", ["a", 1, 1])).toBe("<lora:a:1>");
  });

  it("of older webuis has the schedule in the sampler's name", () => {
    const text = "x\nSteps: 28, Sampler: DPM++ 2M SDE Exponential, CFG scale: 6, Seed: 3, Size: 512x704";
    expect(recallSettings(text)?.request).toEqual({
      prompt: "x", negative: "", sampler: "dpmpp_2m_sde", schedule: "exponential", steps: 28, cfg: 6, seed: 3,
      width: 512, height: 704, clipSkip: 1,
    });
  });

  it("with values that make no sense gives only what does", () => {
    const text = "x\nSteps: many, Sampler: Heun++, CFG scale: -1, Seed: -1, Size: big, Model: m, Lora hashes: \"a b: 12ab, c: 34\"";
    expect(recallSettings(text)).toEqual({
      request: { prompt: "x", negative: "", clipSkip: 1 }, model: "m", loraHashes: { "a b": "12ab", c: "34" },
    });
    expect(recallSettings("  ")).toBeUndefined();
  });
});
