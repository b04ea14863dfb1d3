import { describe, expect, it, test } from "vitest";
import { addTags, captionChanges, captionRewrite } from "../../src/studio/caption-operations.ts";
import type { CaptionOperation } from "../../src/studio/caption-operations.ts";
import { tagsOf, typedSoFar, typedTags, withTags } from "../../src/studio/caption-tags.ts";
import { applyEdit, invert } from "../../src/studio/edit.ts";
import { pictureTags } from "../../src/studio/picture-tags.ts";
import type { StudioPicture } from "../../src/studio/picture.ts";
import { sameTag } from "../../src/studio/same-tag.ts";
import { countTags, relatedTags, sharedTags } from "../../src/studio/tag-statistics.ts";
import { Chances } from "./harness/chances.ts";
import { aPicture, aState } from "./harness/studio.ts";

describe("a caption as tags", () => {
  it.each<[caption: string, tags: string[]]>([
    ["1girl, long hair", ["1girl", "long hair"]],
    ["  a ,b,,  , c\t", ["a", "b", "c"]],
    ["(smile, grin:1.2), hat", ["(smile, grin:1.2)", "hat"]],
    ["saber (fate), saber \\(fate\\), x", ["saber (fate)", "saber \\(fate\\)", "x"]],
    [":(, hat, :)", [":(", "hat", ":)"]],
    ["(, hat", ["(", "hat"]],
    ["(o)_(o), a", ["(o)_(o)", "a"]],
    ["{red|blue, green} hat, a", ["{red|blue", "green} hat", "a"]],
    ["{red|blue, green}, a", ["{red|blue, green}", "a"]],
    ["a photo of a cat, sitting on a mat.", ["a photo of a cat", "sitting on a mat."]],
    ["a, b\r\nc, d", ["a", "b"]],
    ["\na", []],
    ["黑色长发，微笑, 👩‍🚀", ["黑色长发，微笑", "👩‍🚀"]],
    ["", []],
  ])("%j has %j", (caption, tags) => {
    expect(tagsOf(caption)).toEqual(tags);
  });

  it.each<[caption: string | null, tags: string[], expected: string | null]>([
    ["a,b,c", ["a", "c"], "a,c"],
    ["a , b", ["b", "a"], "b , a"],
    ["a, , b", ["a", "b", "c"], "a, b, c"],
    ["a, b\r\nsecond line\r\n", ["b"], "b\r\nsecond line\r\n"],
    ["a\r\n", [], null],
    ["a\nb", [], "\nb"],
    [null, ["a", "b"], "a, b"],
    [null, [], null],
    ["", [], ""],
  ])("%j with the tags %j is %j", (caption, tags, expected) => {
    expect(withTags(caption, tags)).toBe(expected);
  });

  it("keeps every byte of any text whose tags stay the same", () => {
    const chances = new Chances(1);
    for (let i = 0; i < 5000; i++) {
      const caption = chances.text(60);
      expect(withTags(caption, tagsOf(caption))).toBe(caption);
    }
  });

  it("reads the tags that it wrote, whatever was in the caption before", () => {
    const chances = new Chances(2);
    for (let i = 0; i < 3000; i++) {
      const caption = chances.text(60);
      // A bracket that is open at the start of one tag may find its partner in another.
      const tags = chances.some(6, () => chances.text(12)).flatMap(typedTags).filter((tag) => !/^[([{]/.test(tag));
      expect(tagsOf(withTags(caption, tags))).toEqual(tags);
    }
  });

  it.each([
    ["a", "", "a"], ["a,", "a,", ""], ["a， b、c", "a， b、", "c"], ["(a, b", "", "(a, b"], ["x, (a, b:1.2), c", "x, (a, b:1.2),", " c"],
    [":(, b", ":(,", " b"], ["", "", ""],
  ])("of %j, %j is done while it is typed", (text, done, rest) => {
    expect(typedSoFar(text)).toEqual({ done, rest });
  });

  it("takes Chinese commas and line breaks of what is typed as ends of tags", () => {
    expect(typedTags("长发，微笑、 hat\n(a, b:1.1), ")).toEqual(["长发", "微笑", "hat", "(a, b:1.1)"]);
  });
});

test("tags are the same whatever their case, underscores, escapes and weight", () => {
  expect(["Long_Hair", "(long hair:1.2)", "((long hair))", "[long hair]"].map(sameTag)).toEqual(Array(4).fill("long hair"));
  expect(sameTag("saber \\(fate\\)")).toBe(sameTag("saber (fate)"));
  expect(["^_^", "(o)_(o)", ":(", "()", "(a) (b)"].map(sameTag)).toEqual(["^_^", "(o)_(o)", ":(", "()", "(a) (b)"]);
});

describe("operations on captions", () => {
  const set = ["1girl, solo, long hair, smile", "1girl, smile, hat", "hat"].map((caption, index) => aPicture(`p${index}`, { caption }));
  const apply = (operation: CaptionOperation, caption: string | null) => captionRewrite(operation, set)(caption);

  it.each<[operation: CaptionOperation, caption: string | null, expected: string | null]>([
    [{ kind: "add", tags: ["sls"], place: { at: "front" } }, "a, b", "sls, a, b"],
    [{ kind: "add", tags: ["sls", "a", "x"], place: { at: "end" } }, "A, b", "A, b, sls, x"],
    [{ kind: "add", tags: ["x", "y"], place: { at: "index", index: 1 } }, "a, b", "a, x, y, b"],
    [{ kind: "add", tags: ["x"], place: { at: "index", index: 99 } }, "a, b", "a, b, x"],
    [{ kind: "add", tags: ["x"], place: { at: "after", tag: "long_hair" } }, "long hair, b", "long hair, x, b"],
    [{ kind: "add", tags: ["x"], place: { at: "after", tag: "none" } }, "a, b", "a, b, x"],
    [{ kind: "add", tags: ["x"], place: { at: "end" } }, null, "x"],
    [{ kind: "remove", tags: ["long_hair", "Smile"] }, "a, long hair, (smile:1.3), b", "a, b"],
    [{ kind: "remove", tags: ["a"] }, "a", null],
    [{ kind: "remove", tags: ["a"] }, null, null],
    [{ kind: "replaceTag", from: "a", to: ["x", "y"] }, "b, a, y", "b, x, y"],
    [{ kind: "replaceTag", from: "a", to: [] }, "b, a", "b"],
    [{ kind: "replaceTag", from: "none", to: ["x"] }, "b,  a", "b,  a"],
    [{ kind: "replaceText", find: "a.b", to: "$&", isCaseSensitive: true }, "a.b axb\na.b", "$& axb\n$&"],
    [{ kind: "replaceText", find: "HAIR", to: "fur", isCaseSensitive: false }, "long hair", "long fur"],
    [{ kind: "replaceText", find: "", to: "x", isCaseSensitive: false }, "a", "a"],
    [{ kind: "replaceText", find: "a-b/c", to: "x", isCaseSensitive: false }, "A-B/c", "x"],
    [{ kind: "replacePattern", pattern: "(\\w+) hair", to: "hair, $1", isCaseSensitive: true, isWholeTag: false }, "long hair, b", "hair, long, b"],
    [{ kind: "replacePattern", pattern: ".* hair", to: "", isCaseSensitive: true, isWholeTag: true }, "long hair, hair band, b", "hair band, b"],
    [{ kind: "move", tags: ["b", "c"], to: "front" }, "a, b, c", "b, c, a"],
    [{ kind: "move", tags: ["A", "none"], to: "end" }, "a, b", "b, a"],
    [{ kind: "sort", by: "alphabet", keepFirst: 1 }, "z, c, B, a", "z, a, B, c"],
    [{ kind: "sort", by: "frequency", keepFirst: 0 }, "solo, unknown, smile, hat", "smile, hat, solo, unknown"],
    [{ kind: "sort", by: "length", keepFirst: 0 }, "aaa, 👩👩, b", "b, 👩👩, aaa"],
    [{ kind: "reverse", keepFirst: 1 }, "t, a, b, c", "t, c, b, a"],
    [{ kind: "dedupe" }, "a, b, A, (a:1.1)", "a, b"],
    [{ kind: "tidy" }, " a,, b  c ,\n\n d", "a, b c\nd"],
    [{ kind: "tidy" }, " , ", null],
    [{ kind: "underscores" }, "long_hair, ^_^, o_o", "long hair, ^_^, o_o"],
    [{ kind: "brackets", to: "escaped" }, "saber (fate), saber \\(fate\\), (hat:1.2)", "saber \\(fate\\), saber \\(fate\\), (hat:1.2)"],
    [{ kind: "brackets", to: "plain" }, "saber \\(fate\\), a", "saber (fate), a"],
    [{ kind: "affix", prefix: "anime, ", suffix: "." }, "a", "anime, a."],
    [{ kind: "affix", prefix: "x", suffix: "" }, null, "x"],
    [{ kind: "set", caption: "x" }, "a", "x"],
    [{ kind: "set", caption: "  " }, "a", null],
    [{ kind: "clear" }, "a\nb", null],
  ])("%j makes of %j: %j", (operation, caption, expected) => {
    expect(apply(operation, caption)).toBe(expected);
  });

  it("say what is wrong with a pattern", () => {
    const broken: CaptionOperation = { kind: "replacePattern", pattern: "(a", to: "", isCaseSensitive: true, isWholeTag: false };
    expect(() => captionRewrite(broken, [])).toThrowError(expect.objectContaining({
      code: "caption.pattern", data: { pattern: "(a", reason: "Unterminated group" },
    }));
  });

  it("make changes only where something changes", () => {
    expect(captionChanges(set, { kind: "remove", tags: ["solo"] })).toEqual([
      { kind: "picture", id: "p0", from: { caption: "1girl, solo, long hair, smile" }, to: { caption: "1girl, long hair, smile" } },
    ]);
  });

  it("give back every byte when they are taken back, whatever the captions were", () => {
    const chances = new Chances(3);
    const tag = () => typedTags(chances.text(8))[0] ?? "x";
    for (let i = 0; i < 400; i++) {
      const pictures = Array.from({ length: 6 }, (_, n) => aPicture(`p${n}`, { caption: chances.uniform() < 0.1 ? null : chances.text(40) }));
      const first = tagsOf(pictures[0]!.caption)[0] ?? "a";
      const operations: CaptionOperation[] = [
        { kind: "add", tags: [tag(), tag()], place: chances.one([{ at: "front" }, { at: "end" }, { at: "index", index: 1 }, { at: "after", tag: first }]) },
        { kind: "remove", tags: [first] }, { kind: "replaceTag", from: first, to: [tag()] },
        { kind: "replaceText", find: chances.character(), to: chances.text(3), isCaseSensitive: chances.uniform() < 0.5 },
        { kind: "replacePattern", pattern: "[a-z]+|.", to: "<$&>", isCaseSensitive: false, isWholeTag: chances.uniform() < 0.5 },
        { kind: "move", tags: [first], to: chances.one(["front", "end"]) },
        { kind: "sort", by: chances.one(["alphabet", "frequency", "length"]), keepFirst: chances.below(3) },
        { kind: "reverse", keepFirst: chances.below(3) }, { kind: "dedupe" }, { kind: "tidy" }, { kind: "underscores" },
        { kind: "brackets", to: chances.one(["escaped", "plain"]) }, { kind: "affix", prefix: chances.text(3), suffix: chances.text(3) },
        { kind: "set", caption: chances.text(9) }, { kind: "clear" },
      ];
      const before = aState(pictures);
      const changes = captionChanges(pictures, chances.one(operations));
      const after = applyEdit(before, changes);
      expect(captionsOf(applyEdit(after, invert(changes)))).toEqual(captionsOf(before));
      expect(captionsOf(applyEdit(before, changes))).toEqual(captionsOf(after));
    }
  });

  const captionsOf = ({ pictures }: { pictures: ReadonlyMap<string, StudioPicture> }) => [...pictures.values()].map(({ id, caption }) => [id, caption]);

  it("change nothing the second time where that is what one expects", () => {
    const chances = new Chances(4);
    const stable: CaptionOperation[] = [
      { kind: "dedupe" }, { kind: "tidy" }, { kind: "underscores" }, { kind: "brackets", to: "escaped" },
      { kind: "sort", by: "alphabet", keepFirst: 0 }, { kind: "remove", tags: ["a"] },
      { kind: "add", tags: ["sls"], place: { at: "front" } }, { kind: "move", tags: ["sls"], to: "front" },
    ];
    for (let i = 0; i < 1500; i++) {
      // Without brackets, which may find another partner when tags move.
      const caption = chances.text(40).replaceAll(/[()[\]{}]/g, "");
      for (const operation of stable) {
        const rewrite = captionRewrite(operation, []);
        const once = rewrite(caption);
        expect(rewrite(once)).toBe(once);
      }
    }
  });
});

test("what is remembered of a picture's caption is what reading it gives", () => {
  const chances = new Chances(5);
  for (let i = 0; i < 3000; i++) {
    const caption = chances.uniform() < 0.1 ? null : chances.text(30).replaceAll(chances.uniform() < 0.5 ? /[([{\r\n]/g : /_/g, "");
    const { tags, keys } = pictureTags(aPicture("a", { caption }));
    expect(tags).toEqual(tagsOf(caption));
    expect(keys).toEqual(tags.map(sameTag));
  }
});

test("tags that come in are not added twice", () => {
  expect(addTags(["a"], ["B", "b", "a", "A"], { at: "front" })).toEqual(["B", "a"]);
});

describe("statistics of tags", () => {
  const pictures = ["Long_Hair, hat, hat", "long hair, smile", "long hair, smile, outdoors", null].map((caption, index) => aPicture(`${index}`, { caption }));

  it("count pictures, not occurrences, under the usual spelling", () => {
    expect(countTags(pictures)).toEqual([
      { tag: "long hair", key: "long hair", count: 3 }, { tag: "smile", key: "smile", count: 2 },
      { tag: "hat", key: "hat", count: 1 }, { tag: "outdoors", key: "outdoors", count: 1 },
    ]);
  });

  it("tell what all pictures share from what some have", () => {
    const { common, partial } = sharedTags(pictures.slice(0, 3));
    expect(common).toEqual(["Long_Hair"]);
    expect(partial.map(({ tag, count }) => [tag, count])).toEqual([["smile", 2], ["hat", 1], ["outdoors", 1]]);
    expect(sharedTags([])).toEqual({ common: [], partial: [] });
  });

  it("know what goes with what", () => {
    expect(relatedTags(pictures, ["smile"], 2)).toEqual(["long hair", "outdoors"]);
    expect(relatedTags(pictures, [], 2)).toEqual([]);
  });
});
