import { describe, expect, it } from "vitest";
import { tagsOf, typedTags } from "../../src/studio/caption-tags.ts";
import { applyEdit, invert } from "../../src/studio/edit.ts";
import { assignGroup, changeGroup, createGroup, deleteGroup, suggestGroups } from "../../src/studio/groups.ts";
import { mergeOutliers, suggestAbsorbed, suggestSynonyms } from "../../src/studio/merge-advice.ts";
import { leadingWords, mergeChanges, mergeEdit, merger, rerunChanges } from "../../src/studio/merge-rule.ts";
import type { MergeRule } from "../../src/studio/merge-rule.ts";
import { aspectOf } from "../../src/studio/tag-aspect.ts";
import { Chances } from "./harness/chances.ts";
import { aPicture, aState } from "./harness/studio.ts";

const rule = (fields: Partial<MergeRule> = {}): MergeRule => ({
  trigger: "Smith", absorbed: ["1boy", "facial hair"], synonyms: [], when: "always", subsets: null, ...fields,
});

describe("merging words into a trigger", () => {
  it("does what the guide's example does", () => {
    const before = "1boy, cooking, frying pan, male focus, solo, gloves, apron, fire, brown footwear, black gloves, boots, stove, kitchen, holding, facial hair, bandana, blue shirt, shirt";
    expect(merger(rule())(before)).toBe(
      "Smith, cooking, frying pan, male focus, solo, gloves, apron, fire, brown footwear, black gloves, boots, stove, kitchen, holding, bandana, blue shirt, shirt",
    );
  });

  it.each<[what: string, fields: Partial<MergeRule>, before: string | null, after: string | null]>([
    ["puts a trigger first that stands elsewhere", {}, "hat, smith, 1boy", "smith, hat"],
    ["leaves a caption alone that is merged already", {}, "Smith ,hat", "Smith ,hat"],
    ["keeps a trigger's weight", {}, "hat, (Smith:1.2)", "(Smith:1.2), hat"],
    ["finds tags whatever their spelling", {}, "1BOY, Facial_Hair, (hat:1.1)", "Smith, (hat:1.1)"],
    ["gives a picture without a caption the trigger", {}, null, "Smith"],
    ["passes over captions with none of the tags", { when: "any" }, "hat", "hat"],
    ["acts on captions with one of the tags", { when: "any" }, "1boy, hat", "Smith, hat"],
    ["passes over captions that lack a tag", { when: "all" }, "1boy, hat", "1boy, hat"],
    ["acts on captions with all of the tags", { when: "all" }, "facial hair, 1boy, hat", "Smith, hat"],
    ["unifies synonyms, once", { synonyms: [{ from: ["tee", "t-shirt"], to: "shirt" }] }, "tee, hat, t-shirt", "Smith, shirt, hat"],
    ["follows synonyms of synonyms", { synonyms: [{ from: ["b"], to: "c" }, { from: ["a"], to: "b" }] }, "a, hat", "Smith, c, hat"],
    ["survives synonyms in a circle", { synonyms: [{ from: ["a"], to: "b" }, { from: ["b"], to: "a" }] }, "a, b", "Smith, b"],
    ["absorbs what a synonym becomes", { synonyms: [{ from: ["beard"], to: "facial hair" }] }, "beard, hat", "Smith, hat"],
    ["absorbs the word for an absorbed synonym", { absorbed: ["beard"], synonyms: [{ from: ["beard"], to: "facial hair" }] }, "facial hair, hat", "Smith, hat"],
    ["keeps its trigger where that has a synonym", { synonyms: [{ from: ["Smith"], to: "x" }] }, "hat, smith", "smith, hat"],
    ["does not absorb its own trigger", { absorbed: ["smith", "1boy"] }, "smith, 1boy", "smith"],
    ["takes several words as triggers", { trigger: "sls， white hair" }, "white hair, 1boy", "sls, white hair"],
    ["leaves further lines as they are", {}, "1boy, hat\n1boy", "Smith, hat\n1boy"],
  ])("%s", (_, fields, before, after) => {
    expect(merger(rule(fields))(before)).toBe(after);
  });

  it("changes nothing when it is done again, whatever the rule and the caption", () => {
    const chances = new Chances(11);
    const words = ["a", "b", "c", "d d", "e_e", "Smith", "^_^", "长发", "(a:1.1)", "x \\(y\\)"];
    const word = () => (chances.uniform() < 0.85 ? chances.one(words) : (typedTags(chances.text(6).replaceAll(/[()[\]{}]/g, ""))[0] ?? "a"));
    for (let i = 0; i < 6000; i++) {
      const merge = merger({
        trigger: chances.some(2, word).join(", "), absorbed: chances.some(4, word), when: chances.one(["always", "any", "all"]), subsets: null,
        synonyms: chances.some(3, () => ({ from: chances.some(3, word), to: word() })),
      });
      const caption = chances.uniform() < 0.1 ? null : chances.some(10, word).join(chances.one([", ", ",", " ,, "])) + chances.one(["", "\nrest", "\r\n"]);
      const once = merge(caption);
      expect(merge(once)).toBe(once);
    }
  });
});

const pictures = [
  aPicture("a", { caption: "1boy, facial hair, hat" }), aPicture("b", { caption: "facial hair, 1boy" }),
  aPicture("c", { caption: "1boy, outdoors" }), aPicture("r", { caption: "1boy, facial hair", subset: "reg" }),
];

describe("a rule in a set", () => {
  it("leaves regularization pictures alone, unless it names their subset", () => {
    expect(mergeChanges(rule(), aState(pictures)).map(({ id, to }) => [id, to.caption])).toEqual([
      ["a", "Smith, hat"], ["b", "Smith"], ["c", "Smith, outdoors"],
    ]);
    expect(mergeChanges(rule({ subsets: ["reg"] }), aState(pictures)).map(({ id }) => id)).toEqual(["r"]);
  });

  it("is kept with the set, in the place of an earlier one for the same trigger, and goes with the edit", () => {
    const before = aState(pictures, { mergeRules: [rule({ absorbed: ["1boy"] }), rule({ trigger: "x" })] });
    const changes = mergeEdit(rule(), before);
    const after = applyEdit(before, changes);
    expect(after.set.mergeRules).toEqual([rule(), rule({ trigger: "x" })]);
    expect(after.pictures.get("a")?.caption).toBe("Smith, hat");
    expect(applyEdit(after, invert(changes))).toEqual(before);
    expect(mergeEdit(rule(), after)).toEqual([]);
  });

  it("runs again over captions that came later, after the rules before it", () => {
    const rules = [rule(), rule({ trigger: "x", absorbed: ["hat"], when: "any" }), rule({ trigger: "y", subsets: ["gone"] })];
    const state = aState(pictures, { mergeRules: rules });
    const after = applyEdit(state, rerunChanges(rules, state));
    expect([...after.pictures.values()].map(({ caption }) => caption)).toEqual(["x, Smith", "Smith", "Smith, outdoors", "1boy, facial hair"]);
    expect(rerunChanges([rules[0]!], after).map((change) => change.kind === "picture" && change.id)).toEqual(["a"]);
  });

  it("says which words lead captions", () => {
    const { set } = aState([], { mergeRules: [rule(), rule({ trigger: "r", subsets: ["reg"] })] });
    expect([leadingWords(set, "train"), leadingWords(set, "reg")]).toEqual([["Smith", "sls"], ["r"]]);
  });
});

describe("advice on merging", () => {
  it("suggests what the subject always has, not what it does or where it is", () => {
    const many = Array.from({ length: 10 }, (_, index) => aPicture(`${index}`, {
      caption: ["1boy, solo, male focus, smile, indoors, looking at viewer, bushy green beard, zzz", ...(index < 6 ? ["hat"] : []), ...(index < 3 ? ["facial hair"] : []), ...(index < 9 ? ["apron"] : [])].join(", "),
    }));
    const suggested = suggestAbsorbed(many);
    expect(suggested.filter(({ isSuggested }) => isSuggested).map(({ tag }) => tag)).toEqual(["1boy", "bushy green beard", "apron"]);
    expect(suggested.find(({ tag }) => tag === "zzz")).toMatchObject({ count: 10, share: 1, aspect: undefined, isSuggested: false });
    expect(suggestAbsorbed(many, 0.3).filter(({ isSuggested }) => isSuggested).map(({ tag }) => tag)).toContain("facial hair");
  });

  it("knows what a tag is about by its last words where it is not in the list", () => {
    expect(["mint green hair", "lapis eyes", "racing boots", "cat hair ornament", "peacock feather background", "7girls", "zzz"].map(aspectOf))
      .toEqual(["hair", "eyes", "clothes", "clothes", "scene", "people", undefined]);
  });

  it("finds spellings of the same thing", () => {
    const captions = ["glove, tee shirt, grass, dress", "gloves, tee-shirt, dress", "gloves, t-shirt, glass, boot", "boots"];
    const aliases: Readonly<Record<string, string>> = { "tee shirt": "t-shirt", "tee-shirt": "t-shirt" };
    expect(suggestSynonyms(captions.map((caption, index) => aPicture(`${index}`, { caption })), (key) => aliases[key] ?? key)).toEqual([
      { to: "gloves", from: ["glove"] }, { to: "boots", from: ["boot"] }, { to: "t-shirt", from: ["tee shirt", "tee-shirt"] },
    ]);
  });

  it("shows what stands out", () => {
    const { incomplete, bare, untouched } = mergeOutliers(rule({ when: "any" }), [...pictures.slice(0, 3), aPicture("d", { caption: "tree" }), aPicture("e", { caption: "Smith, tree" })]);
    expect(incomplete.map(({ picture, missing }) => [picture.id, missing])).toEqual([["d", ["1boy"]]]);
    expect(bare.map(({ id }) => id)).toEqual(["b"]);
    expect(untouched.map(({ id }) => id)).toEqual(["d"]);
  });
});

describe("groups", () => {
  const front = { id: "f", name: "Front", keyword: "fullbody" };
  const state = aState([
    aPicture("a", { caption: "sls, Smith, hat" }), aPicture("b", { caption: "hat, tree" }), aPicture("c"),
    aPicture("d", { caption: "smith, background, tree", group: "g" }),
  ], { groups: [{ id: "g", name: "Back", keyword: "background" }], mergeRules: [rule()] });
  const captions = (changed = state) => [...changed.pictures.values()].map(({ caption }) => caption);

  it("put their keyword behind the words for the subject, and take the old one's place", () => {
    const after = applyEdit(state, createGroup(state, front, ["a", "b", "c", "d", "gone"]));
    expect(after.set.groups).toContainEqual(front);
    expect(captions(after)).toEqual(["sls, Smith, fullbody, hat", "fullbody, hat, tree", "fullbody", "smith, fullbody, tree"]);
    expect([...after.pictures.values()].map(({ group }) => group)).toEqual(["f", "f", "f", "f"]);
  });

  it("take their keyword with them when a picture leaves", () => {
    expect(captions(applyEdit(state, assignGroup(state, ["d"], null)))[3]).toBe("smith, tree");
  });

  it("rewrite captions of their members when the keyword changes, as one edit", () => {
    const changes = changeGroup(state, "g", { keyword: "backdrop" });
    const after = applyEdit(state, changes);
    expect(captions(after)).toEqual(["sls, Smith, hat", "hat, tree", null, "smith, backdrop, tree"]);
    expect(applyEdit(after, invert(changes))).toEqual(state);
    expect(captions(applyEdit(state, changeGroup(state, "g", { keyword: "" })))[3]).toBe("smith, tree");
    expect(changeGroup(state, "g", { name: "Rear" })).toHaveLength(1);
    expect(changeGroup(state, "none", { name: "Rear" })).toEqual([]);
  });

  it("leave their pictures when they are deleted", () => {
    const changes = deleteGroup(state, "g");
    const after = applyEdit(state, changes);
    expect(after.set.groups).toEqual([]);
    expect(after.pictures.get("d")).toMatchObject({ group: null, caption: "smith, tree" });
    expect(applyEdit(after, invert(changes))).toEqual(state);
  });

  it("do not write a keyword twice that a caption has already", () => {
    const has = aState([aPicture("a", { caption: "hat, FullBody" })], { groups: [front] });
    expect(captions(applyEdit(has, assignGroup(has, ["a"], "f")))).toEqual(["hat, FullBody"]);
  });

  it("are suggested for pictures that look alike and have none", () => {
    const alike = ["00", "01", "80", "ff", "fe"].map((end, index) => (
      aPicture(`${index}`, { likeness: end.padStart(16, "0"), group: index === 4 ? "g" : null })
    ));
    const found = (limit: number) => suggestGroups(alike, limit).map((group) => group.map(({ id }) => id));
    expect([found(0), found(1), found(8)]).toEqual([[], [["0", "1", "2"]], [["0", "1", "2", "3"]]]);
  });

  it("keep every other tag when pictures come and go", () => {
    const chances = new Chances(12);
    for (let i = 0; i < 500; i++) {
      const caption = chances.text(30).replaceAll(/[()[\]{}]/g, "");
      const begin = aState([aPicture("a", { caption })], { groups: [front] });
      if (tagsOf(caption).includes("fullbody")) continue;
      const inside = applyEdit(begin, assignGroup(begin, ["a"], "f"));
      const outside = applyEdit(inside, assignGroup(inside, ["a"], null));
      expect(tagsOf(outside.pictures.get("a")!.caption)).toEqual(tagsOf(caption));
    }
  });
});
