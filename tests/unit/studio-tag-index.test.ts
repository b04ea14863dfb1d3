import { describe, expect, it } from "vitest";
import { sameTag } from "../../src/studio/same-tag.ts";
import { commonTags, tagAspects } from "../../src/studio/tag-aspect.ts";
import { findInAll, TagIndex } from "../../src/studio/tag-index.ts";
import { readTagList } from "../../src/studio/tag-list.ts";
import { Chances } from "./harness/chances.ts";

const index = new TagIndex([
  { tag: "long hair", count: 900, aliases: ["longhair", "/lh"], translation: "长发" },
  { tag: "hair ribbon", count: 500, translation: "发带" },
  { tag: "very long hair", count: 300 },
  { tag: "longsword", count: 200 },
  { tag: "hat", count: 100, aliases: ["headwear"] },
  { tag: "chair", count: 50 },
  { tag: "hatsune miku", count: 1 },
]);
const find = (typed: string, limit = 9) => index.find(typed, limit).map(({ tag, match }) => [tag, match]);

describe("finding tags", () => {
  it("has names first that begin with it, then other words for them, then words inside, then anything inside", () => {
    expect(find("long")).toEqual([["long hair", "prefix"], ["longsword", "prefix"], ["very long hair", "word"]]);
    expect(find("hair")).toEqual([["hair ribbon", "prefix"], ["long hair", "word"], ["very long hair", "word"], ["chair", "inside"]]);
    expect(find("hat")).toEqual([["hat", "exact"], ["hatsune miku", "prefix"]]);
    expect(find("head")).toEqual([["hat", "alias"]]);
    expect(find("miku")).toEqual([["hatsune miku", "word"]]);
  });

  it("takes Chinese, underscores, capitals and other words", () => {
    expect(find("长")).toEqual([["long hair", "alias"]]);
    expect(index.find("发", 9).map(({ tag, alias }) => [tag, alias])).toEqual([["hair ribbon", "发带"], ["long hair", "长发"]]);
    expect(find("Very_Long")).toEqual([["very long hair", "prefix"]]);
    expect(index.find("/l", 1)).toMatchObject([{ tag: "long hair", alias: "/lh", count: 900, translation: "长发" }]);
  });

  it("gives at most as many as are asked for", () => {
    expect([find("hair", 2).length, find("hair", 0).length, find("").length, find("nothing").length, find("\u0001").length]).toEqual([2, 0, 0, 0, 0]);
    expect(new TagIndex([]).find("a", 3)).toEqual([]);
  });

  it("knows a tag once where several lists have it, with what each knows", () => {
    const own = new TagIndex([{ tag: "Long_Hair", count: 3 }, { tag: "my long coat", count: 1 }]);
    const found = findInAll([own, index], "long", 3);
    expect(found.map(({ tag, count, translation }) => [tag, count, translation])).toEqual([
      ["Long_Hair", 3, "长发"], ["longsword", 200, undefined], ["my long coat", 1, undefined],
    ]);
  });

  it("takes a few milliseconds among 100,000 (here: at most 250)", () => {
    const chances = new Chances(21);
    const syllables = ["ka", "mi", "to", "re", "hair", "red", "long", "na", "su", "blue", "shi", "ro"];
    const word = () => Array.from({ length: 1 + chances.below(3) }, () => chances.one(syllables)).join("");
    const large = new TagIndex(Array.from({ length: 100_000 }, (_, n) => ({
      tag: `${word()}_${word()}_${n}`, aliases: n % 3 === 0 ? [word()] : [], translation: n % 2 === 0 ? "红色长发" : undefined,
    })));
    const times = ["l", "long", "longha", "red hair", "色", "not there at all", "99999"].map((typed) => {
      const start = performance.now();
      large.find(typed, 20);
      return performance.now() - start;
    });
    if (process.env["SHOW_TIMES"] !== undefined) console.log(times.map((ms) => ms.toFixed(2)).join(" "));
    expect(Math.max(...times)).toBeLessThan(250);
  });
});

describe("the list that is built in", () => {
  it("has each tag once, with Chinese, under what it describes", () => {
    const tags = [...commonTags().values()];
    expect(tags.length).toBeGreaterThan(1000);
    expect(new Set(tags.map(({ tag }) => sameTag(tag))).size).toBe(tags.length);
    expect(new Set(tags.map(({ aspect }) => aspect))).toEqual(new Set(tagAspects));
    const isWord = (text: string) => text === text.trim() && text !== "" && !/[,#\n]/.test(text);
    expect(tags.filter(({ tag, chinese, aliases }) => ![tag, chinese, ...aliases].every(isWord))).toEqual([]);
    expect(tags.filter(({ chinese }) => !/\p{Script=Han}/u.test(chinese))).toEqual([]);
  });
});

describe("a list of tags that is loaded", () => {
  it("may be the webui's, with types, counts and other words, in any order", () => {
    expect(readTagList("red_hair,0,20,\"redhead,ginger_hair\"\n\n1girl,0,100,\"1girls\"\nsomeone,4,3,\n", "danbooru.csv")).toEqual({
      kind: "tags",
      tags: [
        { tag: "1girl", count: 100, aliases: ["1girls"] },
        { tag: "red hair", count: 20, aliases: ["redhead", "ginger hair"] },
        { tag: "someone", count: 3, aliases: [] },
      ],
    });
    expect(readTagList("tag,count\na_b,5\nc,9", "x.csv")).toMatchObject({ tags: [{ tag: "c", count: 9 }, { tag: "a b", count: 5 }] });
  });

  it("may be translations", () => {
    expect(readTagList("\uFEFFlong_hair,长发\r\n1girl,0,一个女孩\r\nsolo,\r\n", "zh.csv")).toEqual({
      kind: "translations", translations: new Map([["long hair", "长发"], ["1girl", "一个女孩"]]),
    });
  });

  it.each(["", "\n\n", "one column\nonly", "\"never closed"])("is refused where it is neither: %j", (text) => {
    expect(() => readTagList(text, "x.csv")).toThrowError(expect.objectContaining({ code: "tagList.unreadable" }));
  });
});
