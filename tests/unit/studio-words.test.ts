import "fake-indexeddb/auto";
import { IDBFactory } from "fake-indexeddb";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { OpenSet } from "../../src/ui/state/studio/open-set.svelte.ts";
import { aPicture, aState } from "./harness/studio.ts";

const state = aState([
  aPicture("a", { caption: "my smith, 1girl" }), aPicture("b", { caption: "1girl, long hair" }), aPicture("c", { caption: null }),
]);
const open = () => state as unknown as OpenSet;
type Words = InstanceType<(typeof import("../../src/ui/state/studio/tag-words.svelte.ts"))["TagWords"]>;

async function visit(): Promise<Words> {
  vi.resetModules();
  const { TagWords } = await import("../../src/ui/state/studio/tag-words.svelte.ts");
  const words = new TagWords(open);
  await words.wake();
  return words;
}
const named = (words: Words, typed: string) => words.find(typed, 3).map(({ tag, translation, count }) => [tag, translation, count]);

beforeEach(() => {
  globalThis.indexedDB = new IDBFactory();
});

describe("words that are offered", () => {
  it("come from the set and from the list that is built in", async () => {
    const words = await visit();
    expect(named(words, "smith")).toEqual([["my smith", undefined, 1], ["blacksmith", "铁匠", undefined]]);
    expect(named(words, "长发")[0]).toEqual(["long hair", "长发", 1]);
    expect(words.translationOf("Long_Hair")).toBe("长发");
    expect(words.usualNames.get("catgirl")).toBe("cat girl");
  });

  it("come from loaded lists too, on later visits as well, until these are removed", async () => {
    const words = await visit();
    await words.load(new File(['smithing_rare,0,7,"forgework"\n'], "list.csv"));
    await words.load(new File(["smithing_rare,稀有锻造\nlong_hair,长头发\n"], "zh.csv"));
    const later = await visit();
    expect(later.lists.map(({ name, kind, size }) => [name, kind, size])).toEqual([["list.csv", "tags", 1], ["zh.csv", "translations", 2]]);
    expect(named(later, "forgework")).toEqual([["smithing rare", "稀有锻造", 7]]);
    expect(later.translationOf("long hair")).toBe("长头发");
    await later.unload("list.csv");
    const last = await visit();
    expect(last.lists.map(({ name }) => name)).toEqual(["zh.csv"]);
    expect(named(last, "forgework")).toEqual([]);
  });

  it("stay as they are where a file is no list", async () => {
    const words = await visit();
    await words.load(new File(["hello"], "x.txt"));
    expect(words.error?.code).toBe("tagList.unreadable");
    expect(words.lists).toEqual([]);
    expect(named(words, "1girl")).toHaveLength(1);
  });
});

describe("the filter above the gallery", () => {
  it("shows what it showed before while what is typed can't be read", async () => {
    const { PictureFilter } = await import("../../src/ui/state/studio/picture-filter.svelte.ts");
    const filter = new PictureFilter(open);
    const shown = () => [...state.pictures.values()].filter(filter.predicate ?? (() => true)).map(({ id }) => id);
    filter.text = "tag:1girl";
    expect(shown()).toEqual(["a", "b"]);
    filter.text = "tag:1girl AND";
    expect(filter.error).toMatchObject({ code: "filter.operand", data: { position: 14 } });
    expect(shown()).toEqual(["a", "b"]);
    filter.text = "tag:1girl AND NOT tag:long*";
    expect([filter.error, shown()]).toEqual([undefined, ["a"]]);
    filter.text = "";
    expect(shown()).toEqual(["a", "b", "c"]);
  });

  it("counts tokens once the tokenizer is there", async () => {
    const { PictureFilter } = await import("../../src/ui/state/studio/picture-filter.svelte.ts");
    const filter = new PictureFilter(open);
    filter.text = "tokens:>=4";
    await vi.waitFor(() => expect(filter.predicate).toBeDefined());
    // "my smith, 1girl" is my · smith · , · 1 · girl; a picture without caption has no tokens.
    expect([...state.pictures.values()].filter(filter.predicate!).map(({ id }) => id)).toEqual(["a", "b"]);
  });

  it("finds what looks alike", async () => {
    const { PictureFilter } = await import("../../src/ui/state/studio/picture-filter.svelte.ts");
    const filter = new PictureFilter(open);
    filter.text = "is:duplicate";
    expect([...state.pictures.values()].filter(filter.predicate!)).toHaveLength(3);
  });
});
