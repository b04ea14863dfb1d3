import { expect, test } from "vitest";
import { applyEdit, changePicture, changePictures, changeSet, invert } from "../../src/studio/edit.ts";
import type { Change, SetState } from "../../src/studio/edit.ts";
import type { StudioPicture } from "../../src/studio/picture.ts";
import { stemOf } from "../../src/studio/picture.ts";
import { classTokensOf, folderNameOf } from "../../src/studio/studio-set.ts";

const picture = (id: string, caption: string | null = null): StudioPicture => ({
  id, subset: "s", name: `${id}.png`, original: id.repeat(64).slice(0, 64), bytes: 10, width: 8, height: 6, caption,
  crop: null, isMirrored: false, group: null, likeness: "0".repeat(16), origin: null,
});
const begin: SetState = {
  set: { id: "set", name: "a", createdAt: 0, captionExtension: ".txt", subsets: [], groups: [], mergeRules: [] },
  pictures: new Map([["a", picture("a", "x, y")], ["b", picture("b")]]),
};
const known = (changes: (Change | undefined)[]): Change[] => changes.filter((change) => change !== undefined);

test("an edit that is taken back leaves what was there before", () => {
  const a = picture("a", "x, y");
  const changes = [
    ...known([changePicture(a, { caption: "y", crop: { x: 1, y: 1, width: 2, height: 2 } }), changeSet(begin.set, { name: "b" })]),
    { kind: "add", picture: picture("c") } as const,
    ...known([changePicture(picture("c"), { caption: "new" })]),
    { kind: "remove", picture: picture("b") } as const,
  ];
  const after = applyEdit(begin, changes);
  expect(after.pictures.get("a")).toEqual({ ...a, caption: "y", crop: { x: 1, y: 1, width: 2, height: 2 } });
  expect([...after.pictures.keys()]).toEqual(["a", "c"]);
  expect(after.pictures.get("c")?.caption).toBe("new");
  expect(after.set.name).toBe("b");
  const back = applyEdit(after, invert(changes));
  expect(new Map([...back.pictures].sort())).toEqual(begin.pictures);
  expect(back.set).toEqual(begin.set);
  expect(applyEdit(back, changes)).toEqual(after);
});

test("what is equal already is no change", () => {
  const cropped = { ...picture("a", "x"), crop: { x: 0, y: 0, width: 4, height: 4 } };
  expect(changePicture(cropped, { caption: "x", crop: { x: 0, y: 0, width: 4, height: 4 } })).toBeUndefined();
  expect(changePictures([cropped, picture("b", "z")], ({ caption }) => ({ caption: caption === "z" ? "" : caption })))
    .toEqual([{ kind: "picture", id: "b", from: { caption: "z" }, to: { caption: "" } }]);
});

test("folders are named as kohya names them", () => {
  const subset = { id: "s", isReg: false, repeats: 10, identifier: "sls", className: "1girl" };
  expect(folderNameOf(subset)).toBe("10_sls 1girl");
  expect(folderNameOf({ ...subset, repeats: 1, identifier: "" })).toBe("1_1girl");
  expect(classTokensOf({ ...subset, className: "" })).toBe("sls");
});

test("a stem is the name up to its last dot", () => {
  expect([stemOf("a.b.png"), stemOf("a"), stemOf(".png")]).toEqual(["a.b", "a", ".png"]);
});
