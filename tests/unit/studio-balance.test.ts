import { expect, test } from "vitest";
import { defaultConfig } from "../../src/config/parameters.ts";
import { balanceOf } from "../../src/studio/balance.ts";
import { applyEdit } from "../../src/studio/edit.ts";
import { movePictures, splitInHalf } from "../../src/studio/move-pictures.ts";
import { adviceFor } from "../../src/studio/set-advice.ts";
import { statisticsOf } from "../../src/studio/statistics.ts";
import { aPicture, aSet, aState } from "./harness/studio.ts";
import fixture from "./fixtures/steps.json" with { type: "json" };

const numbered = (at: number): string => String(at).padStart(4, "0");

interface FixturePicture {
  readonly repeats: number;
  readonly isReg: boolean;
}

/** The folders of a case of the fixture: pictures in a row that have repeats and kind in common. */
function foldersOf(pictures: readonly FixturePicture[]) {
  return pictures.flatMap(({ repeats, isReg }, at) => {
    const before = pictures[at - 1];
    if (before !== undefined && before.repeats === repeats && before.isReg === isReg) return [];
    return [{ id: numbered(at), isReg, repeats, identifier: "", className: numbered(at) }];
  });
}

/** Trainers find folders by name, which begins with the repeats; the fixture has them in any order. */
const cases = fixture.filter(({ pictures }) => {
  const names = foldersOf(pictures).filter(({ isReg }) => isReg).map(({ repeats, className }) => `${repeats}_${className}`);
  return names.join() === names.toSorted().join();
});

test.each(cases.map((row, at) => ({ at, ...row })))("pictures are shown as often as sd-scripts shows them: case $at of the fixture", ({ pictures, expected }) => {
  const subsets = foldersOf(pictures);
  const rows = pictures.map((_, at) => aPicture(numbered(at), { subset: subsets.findLast(({ id }) => id <= numbered(at))!.id }));
  const { showings, wanted, offered } = balanceOf(aSet({ subsets }), rows);
  expect(rows.map(({ id }) => showings.get(id))).toEqual(expected.repeats);
  expect([wanted, offered]).toEqual([expected.numTrainImages, expected.numRegImages]);
});

test("most cases of the fixture are in order", () => expect(cases.length).toBeGreaterThan(30));

test("who is dropped are the last by path, and it is said", () => {
  const train = ["a", "b"].map((id) => aPicture(id, { likeness: `${id}f00000000000000`.slice(0, 16) }));
  const reg = Array.from({ length: 25 }, (_, at) => aPicture(`r${numbered(at)}`, { subset: "reg", likeness: (0xabcdef * (at + 3)).toString(16).padStart(16, "3") }));
  const { showings, notices, subsets } = balanceOf(aSet(), [...reg.toReversed(), ...train]);
  expect(reg.filter(({ id }) => showings.get(id) === 0).map(({ id }) => id)).toEqual(["r0020", "r0021", "r0022", "r0023", "r0024"]);
  expect(notices).toEqual([{ code: "dropped", data: { count: 5, offered: 25, wanted: 20 } }]);
  expect(subsets.map(({ shown, dropped }) => [shown, dropped])).toEqual([[20, 0], [20, 5]]);
});

test("a class of one side only, the same picture and alike pictures in both are said", () => {
  const set = aSet({ subsets: [
    { id: "train", isReg: false, repeats: 1, identifier: "sls", className: "1girl" },
    { id: "reg", isReg: true, repeats: 1, identifier: "", className: "1boy" },
  ] });
  const pictures = [
    aPicture("a", { likeness: "0000000000000001" }), aPicture("b", { likeness: "ff00ff00ff00ff00" }),
    aPicture("c", { subset: "reg", original: aPicture("a").original, likeness: "0000000000000001" }),
    aPicture("d", { subset: "reg", likeness: "ff00ff00ff00ff0f" }),
  ];
  const { notices, sameInBoth, nearInBoth } = balanceOf(set, pictures);
  expect(notices.map(({ code }) => code)).toEqual(["classUnmatched", "classWithoutReg", "sameInBoth", "nearInBoth"]);
  expect(sameInBoth.map((pair) => pair.map(({ id }) => id))).toEqual([["a", "c"]]);
  expect(nearInBoth.map((pair) => pair.map(({ id }) => id))).toEqual([["b", "d"]]);
});

test("moved pictures keep apart in name, and no picture comes to be in both kinds", () => {
  const state = aState([
    aPicture("a", { name: "x.png" }), aPicture("b", { subset: "reg", name: "X.png" }),
    aPicture("c"), aPicture("d", { original: aPicture("c").original }),
  ]);
  const { changes, refused } = movePictures(state, ["a", "c"], "reg");
  expect(changes).toEqual([{ kind: "picture", id: "a", from: { subset: "train", name: "x.png" }, to: { subset: "reg", name: "x-2.png" } }]);
  expect(refused.map(({ id }) => id)).toEqual(["c"]);
});

test("half of each group of each folder becomes regularization, the same half for the same seed", () => {
  const pictures = Array.from({ length: 40 }, (_, at) => aPicture(numbered(at), {
    subset: at < 30 ? "train" : "other", group: at < 10 ? "g" : null, original: numbered(at),
    ...(at === 39 ? { origin: { kind: "derived", from: numbered(38) } as const } : {}),
  }));
  const state = aState(pictures, { subsets: [
    { id: "train", isReg: false, repeats: 10, identifier: "sls", className: "style" },
    { id: "other", isReg: false, repeats: 5, identifier: "cpc", className: "photo" },
  ] });
  let ids = 0;
  const { changes, refused } = splitInHalf(state, 7, () => `new ${ids++}`);
  expect(refused).toEqual([]);
  const after = applyEdit(state, changes);
  const regular = new Set(after.set.subsets.filter(({ isReg }) => isReg).map(({ id }) => id));
  const reg = [...after.pictures.values()].filter(({ subset }) => regular.has(subset));
  expect(reg.filter(({ group }) => group === "g")).toHaveLength(5);
  expect(reg.filter(({ id, group }) => Number(id) < 30 && group === null)).toHaveLength(10);
  expect([4, 5, 6]).toContain(reg.filter(({ id }) => Number(id) >= 30).length);
  expect(reg.some(({ id }) => id === "0038")).toBe(reg.some(({ id }) => id === "0039"));
  expect(splitInHalf(state, 7, () => "id").changes).toEqual(splitInHalf(state, 7, () => "id").changes);
  expect(splitInHalf(state, 8, () => "id").changes).not.toEqual(splitInHalf(state, 7, () => "id").changes);
});

test("numbers of a set", () => {
  const pictures = [
    aPicture("a", { caption: "sls, Long_Hair, smile", width: 512, height: 512 }), aPicture("b", { caption: "sls, long hair", width: 1024, height: 512 }),
    aPicture("c", { caption: "sls, long hair", width: 900, height: 900, crop: { x: 0, y: 0, width: 600, height: 300 } }), aPicture("d", { caption: " " }),
  ];
  const statistics = statisticsOf(aSet(), pictures, { ...defaultConfig(), resolution: [512, 512], enable_bucket: true }, (caption) => caption.length * 5);
  expect(statistics).toMatchObject({ pictures: 4, bytes: 40, withoutCaption: 1, sameCaption: 1, cropped: 1, generated: 0 });
  expect(statistics.tags.map(({ tag, count }) => [tag, count])).toEqual([["long hair", 3], ["sls", 3], ["smile", 1]]);
  expect(statistics.sizes).toContainEqual({ width: 600, height: 300, count: 1 });
  expect(statistics.buckets!.reduce((sum, { count }) => sum + count, 0)).toBe(40);
  expect(statistics.lengths.reduce((sum, { count }) => sum + count, 0)).toBe(3);
  expect(statistics.longer).toEqual([1, 0, 0]);
});

test("the guide's advice: a small character set is mirrored and shown from more sides, a large style set is split", () => {
  const words = Array.from({ length: 25 }, (_, at) => `thing ${at}`).join(", ");
  const few = [aPicture("a", { caption: `sls, ${words}` }), aPicture("b", { caption: "sls, from behind, upper body" })];
  const codes = (advice: readonly { readonly code: string }[]): string[] => advice.map(({ code }) => code);
  expect(codes(adviceFor("character", aSet(), few))).toEqual(["fewPictures", "angles", "distances", "mirror", "bootstrap"]);
  const oneSided = [...few, aPicture("c", { caption: "sls, heterochromia" })];
  expect(codes(adviceFor("character", aSet(), oneSided))).toContain("noMirror");
  const many = Array.from({ length: 80 }, (_, at) => aPicture(String(at), { caption: `style, thing ${at}` }));
  expect(codes(adviceFor("style", aSet(), many))).toEqual(["splitHalf"]);
  expect(codes(adviceFor("style", aSet(), [...many, aPicture("r", { subset: "reg" })]))).toEqual([]);
  expect(adviceFor("style", aSet(), [])).toEqual([]);
});
