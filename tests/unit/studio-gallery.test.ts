import "fake-indexeddb/auto";
import { IDBFactory } from "fake-indexeddb";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { changePictures } from "../../src/studio/edit.ts";
import type { StudioPicture } from "../../src/studio/picture.ts";

type Module = typeof import("../../src/ui/state/studio/studio.svelte.ts");
let studio: InstanceType<Module["Studio"]>;

async function visit(): Promise<void> {
  vi.resetModules();
  const { Studio } = (await import("../../src/ui/state/studio/studio.svelte.ts")) as Module;
  studio = new Studio();
  await studio.wake();
}

const picture = (name: string, subset: string, caption: string | null = `${name}, tag`): StudioPicture => ({
  id: name, subset, name: `${name}.png`, original: name, bytes: 3, width: 4, height: 4, caption, crop: null,
  isMirrored: false, group: null, likeness: "0".repeat(16), origin: null,
});

async function filled(...names: string[]): Promise<void> {
  const set = (await studio.create("Set"))!;
  const [first] = set.subsets;
  const reg = { id: "reg", isReg: true, repeats: 1, identifier: "", className: "1girl" };
  const pictures = names.map((name) => picture(name, name.startsWith("r") ? "reg" : first!.id));
  const blob = new Blob(["x"]);
  await set.receive(pictures.map((each) => ({ picture: each, file: blob, thumbnail: blob })), [...set.subsets, reg]);
  await set.edit({ code: "import", data: {} }, pictures.map((each) => ({ kind: "add", picture: each })));
}
const shown = (): string[] => studio.gallery.visible.map(({ id }) => id);
const chosen = (): string[] => studio.gallery.selected.map(({ id }) => id);

beforeEach(async () => {
  globalThis.indexedDB = new IDBFactory();
  await visit();
});

describe("the gallery", () => {
  it("shows folder after folder, names by their numbers", async () => {
    await filled("r1", "a10", "a9", "a1");
    expect(shown()).toEqual(["a1", "a9", "a10", "r1"]);
    studio.gallery.filter = "a1";
    expect(shown()).toEqual(["a1", "a10"]);
    expect(studio.gallery.likelyScope).toBe("filter");
  });

  it("selects as file managers do", async () => {
    await filled("a", "b", "c", "d", "e");
    const { gallery } = studio;
    gallery.press("b");
    gallery.press("d", { isRange: true });
    expect(chosen()).toEqual(["b", "c", "d"]);
    gallery.press("c", { isAdding: true });
    expect(chosen()).toEqual(["b", "d"]);
    gallery.press("a");
    gallery.move(1, true);
    gallery.move(1, true);
    expect(chosen()).toEqual(["a", "b", "c"]);
    gallery.move(-1, true);
    expect(chosen()).toEqual(["a", "b"]);
    gallery.move(99);
    expect(chosen()).toEqual(["e"]);
    gallery.selectShown();
    expect(gallery.likelyScope).toBe("selection");
    expect(gallery.inScope("selection")).toHaveLength(5);
  });

  it("finds the next picture without caption, round the end", async () => {
    await filled("a", "b", "c");
    const set = studio.current!;
    await set.edit({ code: "x", data: {} }, changePictures(set.pictures.values(), ({ id }) => ({ caption: id === "b" ? "y" : null })));
    const { gallery } = studio;
    gallery.focusNext(1, ({ caption }) => !caption);
    gallery.focusNext(1, ({ caption }) => !caption);
    expect(gallery.focused?.id).toBe("c");
    gallery.focusNext(1, ({ caption }) => !caption);
    expect(gallery.focused?.id).toBe("a");
    gallery.focusNext(-1, ({ caption }) => !caption);
    expect(gallery.focused?.id).toBe("c");
  });
});

describe("the open set", () => {
  it("is opened again on the next visit, with what can be undone", async () => {
    await filled("a", "b");
    const set = studio.current!;
    await set.edit({ code: "remove", data: {} }, [{ kind: "remove", picture: set.pictures.get("a")! }]);
    await visit();
    expect(studio.current?.set.name).toBe("Set");
    expect(shown()).toEqual(["b"]);
    await studio.current!.undo();
    expect(shown()).toEqual(["a", "b"]);
    expect(studio.current!.redoLabel?.code).toBe("remove");
  });

  it("undoes what was just done, however fast, and keeps the order of what follows", async () => {
    await filled("a");
    const set = studio.current!;
    const caption = (text: string) => set.edit({ code: text, data: {} }, changePictures(set.pictures.values(), () => ({ caption: text })));
    void caption("one");
    void set.undo();
    await caption("two");
    expect(set.pictures.get("a")?.caption).toBe("two");
    await set.undo();
    expect(set.pictures.get("a")?.caption).toBe("a, tag");
    await visit();
    expect(studio.current?.pictures.get("a")?.caption).toBe("a, tag");
  });

  it("goes back to what is stored where another tab was faster, and says so", async () => {
    await filled("a");
    const { loadSet, recordEdit } = await import("../../src/storage/set-store.ts");
    const { id } = studio.current!;
    const other = (await loadSet(id))!;
    const changes = changePictures(other.state.pictures.values(), () => ({ caption: "theirs" }));
    await recordEdit(id, other.revision, { label: { code: "x", data: {} }, changes });
    const set = studio.current!;
    await set.edit({ code: "y", data: {} }, changePictures(set.pictures.values(), () => ({ caption: "ours" })));
    expect(set.error?.code).toBe("set.changedElsewhere");
    expect(set.pictures.get("a")?.caption).toBe("theirs");
  });
});
