import { describe, expect, it } from "vitest";
import { parseAttention } from "../../src/text/prompt/attention.ts";
import { CHUNK_LENGTH, chunkPrompt, emptyChunk } from "../../src/text/prompt/chunks.ts";
import { splitComposition } from "../../src/text/prompt/composition.ts";
import { applyEmphasis } from "../../src/text/prompt/emphasis.ts";
import { extractExtraNetworks } from "../../src/text/prompt/extra-networks.ts";
import { parsePrompt } from "../../src/text/prompt/prompt.ts";
import { expandSchedule, scheduledText } from "../../src/text/prompt/schedule.ts";
import { tokenize } from "../../src/text/tokenizer.ts";
// Results of the webui's own parser.
import fixture from "./fixtures/prompt-parser.json" with { type: "json" };

const pairs = (schedule: ReturnType<typeof expandSchedule>) => schedule.map(({ until, text }) => [until, text]);

describe("the webui's parser agrees", () => {
  it.each(fixture.attention)("on the attention of $text", ({ text, result }) => {
    expect(parseAttention(text).map((piece) => [piece.text, piece.weight])).toEqual(result);
  });

  it.each([...fixture.schedule, ...fixture.schedule20])("on $text over $steps steps", ({ text, steps, result }) => {
    expect(pairs(expandSchedule(text, steps))).toEqual(result);
  });

  it.each(fixture.multicond)("on the parts of $text", ({ text, result }) => {
    expect(splitComposition(text).map((part) => [part.text, part.weight])).toEqual(result);
  });

  it.each(fixture.extra_nets)("on the networks in $input", ({ input, text, nets }) => {
    const found = extractExtraNetworks(input);
    expect(found.text).toBe(text);
    expect(found.networks.map(({ kind, args }) => [kind, args])).toEqual(nets);
  });
});

describe("a schedule", () => {
  // Checked with the webui's grammar in lark 1.1.2.
  it.each([
    ["[a:b:3]|c", [[6, "[a:b:3]|c"]]],
    ["[[g:h:2]|k]", [[1, "g"], [2, "k"], [3, "h"], [4, "k"], [5, "h"], [6, "k"]]],
    ["[a:b:2]\\", [[6, "[a:b:2]\\"]]],
    ["[a:b:-1]", [[6, "b"]]],
    ["[a:b:2e0]", [[2, "a"], [6, "b"]]],
    ["([a:b:2]:1.3)", [[2, "(a:1.3)"], [6, "(b:1.3)"]]],
  ])("%j over 6 steps", (text, wanted) => {
    expect(pairs(expandSchedule(text, 6))).toEqual(wanted);
  });

  it("keeps a text for evaluations 0 to `until`, as the webui does", () => {
    const schedule = expandSchedule("[a:b:2]", 6);
    expect([0, 1, 2, 3, 4, 5].map((evaluation) => scheduledText(schedule, evaluation)).join("")).toBe("aaabbb");
  });
});

describe("a prompt", () => {
  it("is read as networks, parts and schedules", () => {
    expect(parsePrompt("a [cat:dog:0.5]<lora:smith:0.8> AND sea :-0.5<lyco:b:1:0.5>, <hypernet:h>", 10)).toEqual({
      loras: [{ name: "smith", textEncoder: 0.8, unet: 0.8 }, { name: "b", textEncoder: 1, unet: 0.5 }],
      otherNetworks: [{ kind: "hypernet", args: ["h"] }],
      parts: [
        { weight: 1, schedule: [{ until: 5, text: "a cat" }, { until: 10, text: "a dog" }] },
        // The weight is not at the end of the part.
        { weight: 1, schedule: [{ until: 10, text: " sea :-0.5," }] },
      ],
    });
  });

  it.each([
    ["<lora:x>", { name: "x", textEncoder: 1, unet: 1 }],
    ["<lora:x:0.5>", { name: "x", textEncoder: 0.5, unet: 0.5 }],
    ["<lora:x:0.5:0>", { name: "x", textEncoder: 0.5, unet: 0 }],
    ["<lora:x:te=0.5>", { name: "x", textEncoder: 0.5, unet: 0.5 }],
    ["<lora:x:unet=-1:dyn=8>", { name: "x", textEncoder: 1, unet: -1, rank: 8 }],
    ["<lora:x:1:0.7:4>", { name: "x", textEncoder: 1, unet: 0.7, rank: 4 }],
    ["<lora:角色 α:.5>", { name: "角色 α", textEncoder: 0.5, unet: 0.5 }],
  ])("%s", (text, lora) => {
    expect(parsePrompt(text, 1).loras).toEqual([lora]);
  });

  it("says which LoRA has a weight that is none", () => {
    for (const bad of ["", "abc", "0,8", "1.2.3", "Infinity"]) {
      expect(() => parsePrompt(`<lora:smith:${bad}>`, 1))
        .toThrow(expect.objectContaining({ code: "prompt.lora-weight", data: { value: bad, name: "smith" } }));
    }
  });

  it("finds AND and BREAK only as whole words, in any script", () => {
    for (const word of ["狗AND猫", "čAND", "ANDé", "x_AND", "ANDROID"]) {
      expect(splitComposition(word)).toHaveLength(1);
    }
    expect(parseAttention("čBREAKž")).toHaveLength(1);
    expect(splitComposition("犬,AND,猫")).toHaveLength(2);
  });

  it("never fails on brackets out of balance, and never loses text without them", () => {
    const brackets = ["(", ")", "[", "]", ":", "|", "\\", "<", ">"];
    const pieces = [...brackets, "a", "女", "😀", "\ud83d", " ", "\n", "1.2.3", "0.5", " AND "];
    let state = 1;
    const random = (below: number) => (state = (state * 48271) % 2147483647) % below;
    for (let i = 0; i < 2000; i++) {
      const text = Array.from({ length: random(14) }, () => pieces[random(pieces.length)]!).join("");
      for (const { schedule } of parsePrompt(text, 4).parts) {
        expect(schedule.at(-1)!.until).toBe(4);
        for (const step of schedule) {
          const attended = parseAttention(step.text).map((piece) => piece.text).join("");
          const kept = (from: string) => from.replace(/[^a女😀<>]/gu, "");
          expect(kept(attended)).toBe(kept(step.text));
        }
      }
    }
  });

  it("takes thousands of brackets", () => {
    const deep = 20_000;
    for (const text of ["(".repeat(deep), ")".repeat(deep), `${"(".repeat(deep)}a${")".repeat(deep)}`]) {
      expect(parsePrompt(text, 2).parts[0]!.schedule).toEqual([{ until: 2, text }]);
      expect(parseAttention(text)).toHaveLength(1);
    }
    const nested = `${"[".repeat(deep)}a${":1]".repeat(deep)}`;
    expect(pairs(expandSchedule(nested, 3))).toEqual([[1, ""], [3, "a"]]);
  });

  it("ignores a weight that is no number", () => {
    expect(parseAttention("(a:1.2.3) b")).toEqual([{ text: "a:1.2.3", weight: 1.1 }, { text: " b", weight: 1 }]);
  });
});

describe("chunks", () => {
  const sd1 = { variant: "sd1" } as const;
  const [cat, comma] = tokenize("cat ,", sd1) as [number, number];
  const cats = (count: number) => Array<string>(count).fill("cat").join(" ");
  /** The tokens before the first end token. */
  const content = (ids: Int32Array) => [...ids.subarray(1, ids.indexOf(49407))];

  it("hold 75 tokens between start and end, and are padded with the end token", () => {
    const chunks = chunkPrompt(cats(76), sd1);
    expect(chunks).toHaveLength(2);
    expect(chunks.map(({ ids }) => ids.length)).toEqual([77, 77]);
    expect([...chunks[0]!.ids]).toEqual([49406, ...Array<number>(75).fill(cat), 49407]);
    expect([...chunks[1]!.ids]).toEqual([49406, cat, ...Array<number>(75).fill(49407)]);
    expect(chunkPrompt(cats(75), sd1)).toHaveLength(1);
  });

  it("are padded with 0 for SD2, also after an end token that was typed", () => {
    const [chunk] = chunkPrompt("cat", { variant: "sd2" });
    expect([...chunk!.ids]).toEqual([49406, cat, 49407, ...Array<number>(74).fill(0)]);
    const [typed] = chunkPrompt("cat <|endoftext|> cat", { variant: "sd2" });
    expect([...typed!.ids]).toEqual([...chunk!.ids]);
  });

  it("are one empty chunk for an empty prompt", () => {
    for (const text of ["", "()", "  ", "[[(:1.2)"]) expect(chunkPrompt(text, sd1)).toHaveLength(1);
    expect(chunkPrompt("", sd1)).toEqual([emptyChunk("sd1")]);
    expect([...emptyChunk("sd1").ids]).toEqual([49406, ...Array<number>(76).fill(49407)]);
  });

  it("give each token the weight of its text, and 1 to start, end and padding", () => {
    const [chunk] = chunkPrompt("cat (cat cat:1.5) [cat]", sd1);
    const weights = [1, 1, 1.5, 1.5, Math.fround(1 / 1.1)];
    expect([...chunk!.weights]).toEqual([...weights, ...Array<number>(CHUNK_LENGTH - 5).fill(1)]);
  });

  it("give what follows a comma near the end to the next one", () => {
    const chunks = chunkPrompt(`${cats(60)}, (${cats(20)}:1.5)`, sd1);
    expect(content(chunks[0]!.ids)).toEqual([...Array<number>(60).fill(cat), comma]);
    expect(content(chunks[1]!.ids)).toEqual(Array<number>(20).fill(cat));
    expect([...chunks[1]!.weights.subarray(1, 22)]).toEqual([...Array<number>(20).fill(1.5), 1]);
  });

  it("reach back 20 tokens for a comma and no further", () => {
    // The comma is token 55 or 54 of 75: 20 or 21 tokens from the end.
    expect(content(chunkPrompt(`${cats(55)}, ${cats(30)}`, sd1)[0]!.ids)).toHaveLength(56);
    expect(content(chunkPrompt(`${cats(54)}, ${cats(30)}`, sd1)[0]!.ids)).toHaveLength(75);
  });

  it("leave a comma that comes right after a full chunk to the next one", () => {
    const chunks = chunkPrompt(`${cats(75)}, cat`, sd1);
    expect(content(chunks[1]!.ids)).toEqual([comma, cat]);
  });

  it("end at BREAK, but not at one inside a weighted group", () => {
    expect(chunkPrompt("cat BREAK cat", sd1).map(({ ids }) => content(ids))).toEqual([[cat], [cat]]);
    expect(chunkPrompt("BREAK", sd1)).toHaveLength(1);
    expect(chunkPrompt("(cat BREAK cat:1.2)", sd1).map(({ ids }) => content(ids)))
      .toEqual([[cat, ...tokenize("break", sd1), cat]]);
  });

  it("have places for embeddings, the longest name first", () => {
    const embeddings = [{ name: "smith", vectors: 1 }, { name: "smith-v2", vectors: 3 }];
    const [chunk] = chunkPrompt("cat (smith-v2:1.5) cat smith", { ...sd1, embeddings });
    expect(content(chunk!.ids)).toEqual([cat, 0, 0, 0, cat, 0]);
    expect(chunk!.embeddings).toEqual([{ name: "smith-v2", offset: 2 }, { name: "smith", offset: 6 }]);
    expect([...chunk!.weights.subarray(0, 8)]).toEqual([1, 1, 1.5, 1.5, 1.5, 1, 1, 1]);
  });

  it("never split an embedding, and carry it along over a comma", () => {
    const embeddings = [{ name: "smith", vectors: 4 }];
    const split = chunkPrompt(`${cats(73)} smith`, { ...sd1, embeddings });
    expect(split[0]!.embeddings).toEqual([]);
    expect(split[1]!.embeddings).toEqual([{ name: "smith", offset: 1 }]);
    const carried = chunkPrompt(`${cats(68)}, cat smith ${cats(5)}`, { ...sd1, embeddings });
    expect(carried.map((chunk) => chunk.embeddings)).toEqual([[], [{ name: "smith", offset: 2 }]]);
    expect(content(carried[1]!.ids)).toEqual([cat, 0, 0, 0, 0, cat, cat, cat, cat, cat]);
  });

  it("refuse an embedding that fits in no chunk, by name", () => {
    for (const vectors of [0, 76]) {
      expect(() => chunkPrompt("cat", { ...sd1, embeddings: [{ name: "big", vectors }] }))
        .toThrow(expect.objectContaining({ code: "prompt.embedding-size" }));
    }
  });
});

describe("emphasis", () => {
  const hidden = Float32Array.of(1, 2, 3, 4, 5, 6);

  it("scales each token and keeps the mean", () => {
    // 1·[1 2], 2·[3 4], 1·[5 6] sum to 28 instead of 21.
    const out = applyEmphasis(hidden, Float32Array.of(1, 2, 1));
    expect([...out]).toEqual([0.75, 1.5, 4.5, 6, 3.75, 4.5]);
  });

  it("leaves the mean as it comes where asked to, and everything as it was at weight 1", () => {
    expect([...applyEmphasis(hidden, Float32Array.of(1, 2, 1), false)]).toEqual([1, 2, 6, 8, 5, 6]);
    expect(applyEmphasis(hidden, Float32Array.of(1, 1, 1))).toEqual(hidden);
  });

  it("stays finite where the weights take everything away", () => {
    expect([...applyEmphasis(hidden, Float32Array.of(0, 0, 0))]).toEqual([0, 0, 0, 0, 0, 0]);
  });
});
