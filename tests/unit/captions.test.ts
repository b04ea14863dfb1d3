import { describe, expect, it } from "vitest";
import { decodeCaption, readCaptions, tagFrequency } from "../../src/dataset/captions.ts";
import type { Subset } from "../../src/dataset/report.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);

describe("decodeCaption", () => {
  it.each([
    ["1girl, solo", "1girl, solo"], ["  a cat \r\nsecond line", "a cat"], ["a\rb", "a"], ["\uFEFFwith mark", "with mark"],
    ["猫, 坐着 🐈", "猫, 坐着 🐈"], ["\nsecond", ""], [" ", ""],
  ])("takes the first line of %j, stripped", (text, caption) => {
    expect(decodeCaption(utf8(text))).toEqual({ caption });
  });

  it("keeps all lines that are not blank for wildcards to choose from", () => {
    expect(decodeCaption(utf8("  a cat \r\n\n second line\n \n"), true)).toEqual({ caption: "a cat\nsecond line" });
    expect(decodeCaption(utf8("\nsecond"), true)).toEqual({ caption: "second" });
    expect(decodeCaption(new Uint8Array(), true)).toEqual({ problem: "empty" });
  });

  it("reports empty and undecodable files", () => {
    expect(decodeCaption(new Uint8Array())).toEqual({ problem: "empty" });
    expect(decodeCaption(Uint8Array.of(0xc4, 0xe3, 0xba))).toEqual({ problem: "notUtf8" });
  });
});

describe("readCaptions", () => {
  const subsets: Subset[] = [
    {
      dir: "t/10_sls girl", repeats: 10, hasRepeatsPrefix: true, isReg: false, classTokens: "sls girl",
      images: [
        { path: "t/10_sls girl/a.png", captionPath: "t/10_sls girl/a.txt" },
        { path: "t/10_sls girl/b.png", captionPath: null },
        { path: "t/10_sls girl/c.png", captionPath: "t/10_sls girl/c.txt" },
      ],
    },
  ];

  it("falls back to the class tokens and collects all problems", async () => {
    const contents = new Map([["t/10_sls girl/a.txt", utf8("Sls, Solo")], ["t/10_sls girl/c.txt", new Uint8Array()]]);
    const result = await readCaptions(subsets, async (path) => contents.get(path)!);
    expect(result.subsets[0]!.images).toEqual([
      { path: "t/10_sls girl/a.png", captionPath: "t/10_sls girl/a.txt", caption: "Sls, Solo" },
      { path: "t/10_sls girl/b.png", captionPath: null, caption: "sls girl" },
    ]);
    expect(result.problems).toEqual([
      expect.objectContaining({ path: "t/10_sls girl/c.txt", code: "caption.empty" }),
    ]);
  });
});

describe("tagFrequency", () => {
  it("counts lower-cased tags per folder name, without repeats", () => {
    const subset = (dir: string, ...captions: string[]) => ({
      dir, repeats: 5, hasRepeatsPrefix: true, isReg: false, classTokens: "",
      images: captions.map((caption, i) => ({ path: `${dir}/${i}.png`, captionPath: null, caption })),
    });
    const counted = tagFrequency([
      subset("a/5_sls", "Sls, solo , ", "sls,smile"), subset("b/5_sls", "SLS"), subset("5___proto__", "__proto__"),
    ]);
    expect(counted["5_sls"]).toEqual({ sls: 3, solo: 1, smile: 1 });
    expect(JSON.stringify(counted["5___proto__"])).toBe('{"__proto__":1}');
  });
});
