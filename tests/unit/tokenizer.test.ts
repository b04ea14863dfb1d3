import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { encodePrompt, tokenize } from "../../src/text/tokenizer.ts";

interface Case {
  text: string;
  kohya: number[];
  kohya_v2?: number[];
  mojibake?: boolean;
}

const { cases } = JSON.parse(
  readFileSync(new URL("fixtures/clip-tokenizer-cases.json", import.meta.url), "utf8"),
) as { cases: Case[] };

/** Texts whose ids differ from sd-scripts' ones. */
function misses(variant: "sd1" | "sd2"): string[] {
  const differs = ({ text, kohya, kohya_v2 }: Case): boolean => {
    const wanted = variant === "sd2" ? (kohya_v2 ?? kohya) : kohya;
    return tokenize(text, { variant }).join() !== wanted.join();
  };
  return cases.filter(differs).map(({ text }) => text);
}

describe("token ids equal those of sd-scripts", () => {
  const mojibake = cases.filter((c) => c.mojibake).map(({ text }) => text);

  test.each(["sd1", "sd2"] as const)("for %s, except where mojibake would have to be repaired", (variant) => {
    expect(cases.length).toBe(781);
    expect(mojibake.length).toBe(6);
    expect(misses(variant)).toEqual(mojibake);
  });
});

describe("a prompt for the text encoder", () => {
  const cat = [320, 1125, 539, 320, 2368];

  test("is padded with the end token for SD1 and with 0 for SD2", () => {
    const sd1 = encodePrompt("A photo of a cat", { variant: "sd1" });
    expect([...sd1]).toEqual([49406, ...cat, ...Array<number>(71).fill(49407)]);
    const sd2 = encodePrompt("A photo of a cat", { variant: "sd2" });
    expect([...sd2]).toEqual([49406, ...cat, 49407, ...Array<number>(70).fill(0)]);
  });

  test("is cut to fit and still ends with the end token", () => {
    const ids = encodePrompt("cat ".repeat(200), { variant: "sd2", maxLength: 77 });
    expect([...ids]).toEqual([49406, ...Array<number>(75).fill(2368), 49407]);
    expect(encodePrompt("cat ".repeat(200), { variant: "sd1", maxLength: 152 }).length).toBe(152);
  });

  test("that is empty consists of start, end and padding", () => {
    expect([...encodePrompt("", { variant: "sd2" }).slice(0, 3)]).toEqual([49406, 49407, 0]);
  });

  test("for SD2 an ASCII exclamation mark is the padding token, a full-width one is not", () => {
    expect(tokenize("wow!!", { variant: "sd2" })).toEqual([2781, 0, 0]);
    expect(tokenize("wow！", { variant: "sd2" })).toEqual([2781, 256]);
    expect(tokenize("wow!!", { variant: "sd1" })).toEqual([2781, 748]);
  });
});

test("a caption of a megabyte is tokenized", () => {
  expect(tokenize("cat, ".repeat(200_000), { variant: "sd2" }).length).toBe(400_000);
});

test("words that are names of JavaScript's own properties are ordinary words", () => {
  expect(tokenize("constructor __proto__", { variant: "sd1" }).every(Number.isInteger)).toBe(true);
});

test("entities become characters unless the text looks like HTML", () => {
  const same = (a: string, b: string): void =>
    expect(tokenize(a, { variant: "sd1" })).toEqual(tokenize(b, { variant: "sd1" }));
  same("caf&eacute; &amp; &#9829; &#x3042; &nosuch;", "café & ♥ あ &nosuch;");
  same("&EACUTE;t&NewLine;x", "ét x");
  const html = tokenize("<b>&amp;", { variant: "sd1" });
  expect(html).not.toEqual(tokenize("<b>&", { variant: "sd1" }));
});
