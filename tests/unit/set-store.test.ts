import "fake-indexeddb/auto";
import { IDBFactory } from "fake-indexeddb";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { StudioPicture } from "../../src/studio/picture.ts";
import { changePicture } from "../../src/studio/edit.ts";
import type { Change } from "../../src/studio/edit.ts";
import type { StudioSet } from "../../src/studio/studio-set.ts";

type Store = typeof import("../../src/storage/set-store.ts");
let store: Store;

/** A new visit: what is kept in memory is gone, what is stored is not. */
async function visit(): Promise<void> {
  vi.resetModules();
  store = await import("../../src/storage/set-store.ts");
}

beforeEach(async () => {
  globalThis.indexedDB = new IDBFactory();
  await visit();
});

const set: StudioSet = {
  id: "one", name: "Smith", createdAt: 5, captionExtension: ".txt",
  subsets: [{ id: "s", isReg: false, repeats: 10, identifier: "smith", className: "1boy" }], groups: [], mergeRules: [],
};
const picture = (id: string, original = id): StudioPicture => ({
  id, subset: "s", name: `${id}.png`, original, bytes: 3, width: 4, height: 4, caption: "a, b", crop: null,
  isMirrored: false, group: null, likeness: "0".repeat(16), origin: null,
});
const incoming = (id: string, original = id) => ({
  picture: picture(id, original), file: new Blob([original]), thumbnail: new Blob([`small ${original}`]),
});
const caption = (id: string, from: string, to: string): Change =>
  changePicture({ ...picture(id), caption: from }, { caption: to })!;
const label = (code: string) => ({ code, data: {} });
const captions = async (): Promise<(string | null)[]> =>
  [...(await store.loadSet("one"))!.state.pictures.values()].map((each) => each.caption);

async function imported(...ids: string[]): Promise<number> {
  await store.createSet(set);
  await store.storePictures("one", 0, ids.map((id) => incoming(id)));
  const adds = ids.map((id): Change => ({ kind: "add", picture: picture(id) }));
  return (await store.recordEdit("one", 0, { label: label("import"), changes: adds })).revision;
}

describe("a set", () => {
  it("is there after a reload, with its pictures, their files, and what can be taken back", async () => {
    const revision = await imported("a", "b");
    await store.recordEdit("one", revision, { label: label("edit"), changes: [caption("a", "a, b", "new")] });
    await visit();
    const loaded = (await store.loadSet("one"))!;
    expect(loaded.state.set).toEqual(set);
    expect([...loaded.state.pictures.values()]).toEqual([{ ...picture("a"), caption: "new" }, picture("b")]);
    expect(loaded.history.labels.map(({ code }) => code)).toEqual(["import", "edit"]);
    expect(await (await store.originalOf("b"))!.text()).toBe("b");
    expect(await (await store.thumbnailOf("b"))!.text()).toBe("small b");
    expect(await store.picturesInSet("one")).toBe(2);
    expect(await store.studioSets()).toEqual([set]);
    const undone = (await store.undoEdit("one", loaded.revision))!;
    expect(await captions()).toEqual(["a, b", "a, b"]);
    expect((await store.redoEdit("one", undone.revision))!.history.done).toBe(2);
    expect(await captions()).toEqual(["new", "a, b"]);
  });

  it("gives back pictures whose import was taken back, files included", async () => {
    const revision = await imported("a", "b");
    const undone = (await store.undoEdit("one", revision))!;
    expect(await store.picturesInSet("one")).toBe(0);
    expect(await store.undoEdit("one", undone.revision)).toBeUndefined();
    expect(await store.sweepOriginals()).toBe(0);
    await store.redoEdit("one", undone.revision);
    expect(await store.picturesInSet("one")).toBe(2);
    expect(await store.originalOf("a")).toBeDefined();
  });

  it("forgets what was taken back as soon as something else is done", async () => {
    let revision = await imported("a");
    ({ revision } = await store.recordEdit("one", revision, { label: label("x"), changes: [caption("a", "a, b", "x")] }));
    ({ revision } = (await store.undoEdit("one", revision))!);
    const after = await store.recordEdit("one", revision, { label: label("y"), changes: [caption("a", "a, b", "y")] });
    expect(after.history.labels.map(({ code }) => code)).toEqual(["import", "y"]);
    expect(await store.redoEdit("one", after.revision)).toBeUndefined();
    expect(await captions()).toEqual(["y"]);
  });

  it("keeps the latest edits where there were more than can be kept", async () => {
    let revision = await imported("a");
    let before = "a, b";
    for (let i = 0; i < store.maxEdits + 5; i++) {
      ({ revision } = await store.recordEdit("one", revision, { label: label(`${i}`), changes: [caption("a", before, `${i}`)] }));
      before = `${i}`;
    }
    for (let i = 0; i < store.maxEdits; i++) ({ revision } = (await store.undoEdit("one", revision))!);
    expect(await store.undoEdit("one", revision)).toBeUndefined();
    expect(await captions()).toEqual(["4"]);
  });

  it("refuses changes by a tab that does not know what another one did", async () => {
    const revision = await imported("a");
    await store.recordEdit("one", revision, { label: label("x"), changes: [caption("a", "a, b", "x")] });
    const late = store.recordEdit("one", revision, { label: label("y"), changes: [caption("a", "a, b", "y")] });
    await expect(late).rejects.toMatchObject({ code: "set.changedElsewhere" });
    await expect(store.undoEdit("one", revision)).rejects.toMatchObject({ code: "set.changedElsewhere" });
    expect(await captions()).toEqual(["x"]);
  });

  it("has new folders as soon as pictures lie in them", async () => {
    await store.createSet(set);
    const subsets = [...set.subsets, { id: "reg", isReg: true, repeats: 1, identifier: "", className: "1boy" }];
    const revision = await store.storePictures("one", 0, [incoming("a")], subsets);
    expect((await store.loadSet("one"))!.state.set.subsets).toEqual(subsets);
    await expect(store.storePictures("one", 0, [incoming("b")])).rejects.toMatchObject({ code: "set.changedElsewhere" });
    await store.storePictures("one", revision, [incoming("c")]);
    expect(await store.picturesInSet("one")).toBe(2);
  });

  it("that is deleted takes the files along that no other set has", async () => {
    await imported("a", "b");
    await store.createSet({ ...set, id: "two" });
    await store.storePictures("two", 0, [incoming("c", "b")]);
    await store.deleteSet("one");
    expect(await store.loadSet("one")).toBeUndefined();
    expect(await store.originalOf("a")).toBeUndefined();
    expect(await store.thumbnailOf("a")).toBeUndefined();
    expect(await (await store.originalOf("b"))!.text()).toBe("b");
  });
});
