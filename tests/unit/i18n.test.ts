import { describe, expect, it } from "vitest";
import { codedEn } from "../../src/ui/i18n/coded-en.ts";
import { codedZhCN } from "../../src/ui/i18n/coded-zh-CN.ts";
import { en } from "../../src/ui/i18n/en.ts";
import { fill } from "../../src/ui/i18n/fill.ts";
import { Formatter } from "../../src/ui/i18n/format.ts";
import { detectLanguage } from "../../src/ui/i18n/languages.ts";
import { zhCN } from "../../src/ui/i18n/zh-CN.ts";

const mebi = 2 ** 20;
const nbsp = "\u00a0";

function placeholders(text: string): string[] {
  return [...new Set([...text.matchAll(/\{(\w+)/g)].map(([, name]) => name!))].sort();
}

/** All texts below an object, by path. */
function texts(tree: object, path = ""): [string, string][] {
  return Object.entries(tree).flatMap(([key, value]: [string, unknown]) =>
    typeof value === "string" ? [[path + key, value] as [string, string]] : texts(value as object, `${path}${key} › `),
  );
}

describe("the dictionaries", () => {
  const chinese = new Map([...texts(zhCN), ...texts(codedZhCN)]);

  it("use the same placeholders in both languages", () => {
    // Chinese has no singular, so its singular keys may be absent.
    const both = texts(en).filter(([key]) => chinese.has(key) || !key.endsWith(".one"));
    const named = ([key, text]: readonly [string, string]) => [key, ...placeholders(text)];
    expect(both.map(([key]) => named([key, chinese.get(key) ?? ""]))).toEqual(both.map(named));
  });

  it("give Chinese errors no placeholder that English has not", () => {
    const extra = texts(codedEn).flatMap(([key, text]) =>
      placeholders(chinese.get(key) ?? "").filter((name) => !placeholders(text).includes(name)).map((name) => `${key}: ${name}`),
    );
    expect(extra).toEqual([]);
  });

  it("have no English sentence left in Chinese", () => {
    const english = [...chinese].filter(([, text]) => /[a-z]{3,} [a-z]{2,} [a-z]{2,}/.test(text) && !/\p{Script=Han}/u.test(text));
    expect(english).toEqual([]);
  });

  it("say for every error what to do", () => {
    for (const { what, do: action } of [...Object.values(codedEn.errors), ...Object.values(codedZhCN.errors)]) {
      expect(what).not.toBe("");
      expect(action).not.toBe("");
    }
  });
});

describe("fill", () => {
  const format = new Formatter("en");

  it("writes numbers as the language does and bytes in binary units", () => {
    expect(fill("{n} steps, {size:bytes}", { n: 12345, size: 3 * mebi * 1024 }, format)).toBe(`12,345 steps, 3${nbsp}GiB`);
  });

  it("leaves a placeholder without a value where it is", () => {
    expect(fill("at {step}", {}, format)).toBe("at {step}");
  });

  it("puts text in as it is, also text that looks like a placeholder or markup", () => {
    expect(fill("{file} is broken", { file: "<b>{n}.png" }, format)).toBe("<b>{n}.png is broken");
  });
});

describe("Formatter", () => {
  const english = new Formatter("en");
  const chinese = new Formatter("zh-CN");

  it("shows durations in the two units that matter", () => {
    expect([4, 1340, 59_600, 386_000, 3_840_000].map((ms) => english.duration(ms))).toEqual([
      "4ms", "1.3s", "1m", "6m 26s", "1h 4m",
    ]);
    expect(chinese.duration(386_000)).toBe("6分钟 26秒");
  });

  it("keeps MiB for parts of a sum however large, so that they can be added", () => {
    expect(english.mebibytes(1874 * mebi)).toBe(`1,874${nbsp}MiB`);
    expect(english.mebibytes(0.4 * mebi)).toBe(`0.4${nbsp}MiB`);
    expect(english.mebibytes(5000)).toBe(`5${nbsp}KiB`);
  });

  it("shows losses with three digits and small rates as powers", () => {
    expect(english.measure(0.09134)).toBe("0.0913");
    expect(english.measure(1e-4)).toBe("1e-4");
    expect(english.measure(5.168e-5)).toBe("5.17e-5");
    expect(english.measure(Number.NaN)).toBe("–");
  });

  it("counts operations in the unit that gives a short number", () => {
    expect(english.flops(2.41e12)).toBe(`2.41${nbsp}TFLOP`);
    expect(english.flops(0)).toBe(`0${nbsp}FLOP`);
  });
});

describe("detectLanguage", () => {
  it("takes the first language that the page speaks", () => {
    expect(detectLanguage(["de-DE", "zh-TW", "en"])).toBe("zh-CN");
    expect(detectLanguage(["en-GB", "zh-CN"])).toBe("en");
  });

  it("falls back to English", () => {
    expect(detectLanguage(["fr"])).toBe("en");
    expect(detectLanguage([])).toBe("en");
  });
});
