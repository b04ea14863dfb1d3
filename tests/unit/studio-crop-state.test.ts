import "fake-indexeddb/auto";
import { IDBFactory } from "fake-indexeddb";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { parseConfig } from "../../src/config/config.ts";
import type { StudioPicture } from "../../src/studio/picture.ts";

type Modules = typeof import("../../src/ui/state/studio/studio.svelte.ts") & typeof import("../../src/ui/state/studio/crop-batch.svelte.ts")
  & typeof import("../../src/ui/state/studio/crop-walk.svelte.ts");
let studio: InstanceType<Modules["Studio"]>;
let crops: InstanceType<Modules["CropBatch"]>;
let walk: InstanceType<Modules["CropWalk"]>;
const config = parseConfig({ resolution: 512, enable_bucket: true }).config;

const picture = (name: string, width: number, height: number, caption: string | null = null): StudioPicture => ({
  id: name, subset: "s", name: `${name}.png`, original: name, bytes: 3, width, height, caption, crop: null,
  isMirrored: false, group: null, likeness: "0".repeat(16), origin: null,
});

beforeEach(async () => {
  globalThis.indexedDB = new IDBFactory();
  vi.resetModules();
  const { Studio } = await import("../../src/ui/state/studio/studio.svelte.ts");
  const { CropBatch } = await import("../../src/ui/state/studio/crop-batch.svelte.ts");
  const { CropWalk } = await import("../../src/ui/state/studio/crop-walk.svelte.ts");
  studio = new Studio();
  await studio.wake();
  crops = new CropBatch(studio, () => config.resolution);
  walk = new CropWalk(studio, { config: () => config, usualSize: () => crops.size });
  const set = (await studio.create("Set"))!;
  const pictures = [picture("a", 1200, 800, "1girl"), picture("b", 600, 2000, "heterochromia"), picture("c", 512, 512)];
  const blob = new Blob(["x"]);
  await set.receive(pictures.map((each) => ({ picture: each, file: blob, thumbnail: blob })));
});

const cropOf = (id: string) => studio.current!.pictures.get(id)?.crop;

describe("cropping by hand", () => {
  it("keeps what was changed when it goes on, as an edit of its own, and drops it when cancelled", async () => {
    studio.gallery.press("a");
    walk.start();
    walk.editing!.setLock("square");
    walk.go(1);
    expect(cropOf("a")).toEqual({ x: 200, y: 0, width: 800, height: 800 });
    expect([walk.editing!.picture.id, walk.at, walk.total]).toEqual(["b", 1, 3]);
    walk.editing!.pull("s", 0, -500);
    walk.close(false);
    expect(cropOf("b")).toBeNull();
    expect(studio.gallery.focused?.id).toBe("b");
    await studio.current!.undo();
    expect(cropOf("a")).toBeNull();
  });

  it("does nothing to a picture that was only looked at", async () => {
    walk.start();
    walk.go(1);
    walk.go(1);
    walk.close(true);
    await studio.current!.undo();
    expect(studio.current!.notice).toBeUndefined();
  });

  it("goes through the chosen pictures where there are several, and leaves them chosen", () => {
    studio.gallery.press("a");
    studio.gallery.press("c", { isAdding: true });
    walk.start();
    expect([walk.editing!.picture.id, walk.total]).toEqual(["c", 2]);
    walk.go(-1);
    walk.close(true);
    expect(studio.gallery.selected.map(({ id }) => id)).toEqual(["a", "c"]);
  });

  it("holds the shape to the bucket, so that training cuts nothing", () => {
    studio.gallery.press("a");
    walk.start();
    const editing = walk.editing!;
    expect(editing.view).toMatchObject({ bucket: [640, 384], cut: { top: 39, bottom: 41 } });
    editing.setLock("bucket");
    expect(editing.crop).toEqual({ x: 0, y: 40, width: 1200, height: 720 });
    expect(editing.view).toMatchObject({ bucket: [640, 384], cut: { left: 0, right: 0, top: 0, bottom: 0 } });
    editing.setLock("size");
    editing.setTarget([256, 512]);
    expect(editing.crop).toEqual({ x: 420, y: 40, width: 360, height: 720, target: { width: 256, height: 512 } });
    editing.reset();
    expect([editing.crop, editing.isChanged]).toEqual([null, false]);
  });

  it("takes typed numbers into the picture, and opens again as it was left", () => {
    studio.gallery.press("a");
    walk.start();
    walk.editing!.type("width", 99_999);
    walk.editing!.type("height", 300);
    walk.editing!.type("y", 700);
    walk.editing!.type("x", Number.NaN);
    walk.close(true);
    expect(cropOf("a")).toEqual({ x: 0, y: 500, width: 1200, height: 300 });
    walk.start();
    expect(walk.editing!.area).toEqual(cropOf("a"));
    expect(walk.editing!.isChanged).toBe(false);
  });
});

describe("cropping many", () => {
  it("crops what was not refused, as one edit", async () => {
    await crops.find();
    expect(crops.findings).toMatchObject({ none: { fits: 1, noSize: 0, notLong: 0 }, failures: [] });
    expect(crops.accepted.map(({ picture: { id } }) => id)).toEqual(["a", "b"]);
    crops.accept(["b"], false);
    crops.apply();
    expect([cropOf("a"), cropOf("b")]).toEqual([{ x: 200, y: 0, width: 800, height: 800, target: { width: 512, height: 512 } }, null]);
    expect(crops.findings).toBeUndefined();
    await studio.current!.undo();
    expect(cropOf("a")).toBeNull();
  });

  it("adds the parts of a long picture, and takes all of them back at once", async () => {
    crops.way = "split";
    await crops.find();
    expect(crops.accepted.map(({ picture: { id }, crops: parts }) => [id, parts.length])).toEqual([["b", 4]]);
    crops.apply();
    expect([...studio.current!.pictures.values()].map(({ name }) => name).sort()).toEqual(["a.png", "b-2.png", "b-3.png", "b-4.png", "b.png", "c.png"]);
    await studio.current!.undo();
    expect(studio.current!.pictures.size).toBe(3);
  });

  it("crops a picture as it is now, and none that is gone", async () => {
    await crops.find();
    const a = studio.current!.pictures.get("a")!;
    await studio.current!.edit({ code: "x", data: {} }, [
      { kind: "picture", id: "a", from: { caption: a.caption }, to: { caption: "new" } },
      { kind: "remove", picture: studio.current!.pictures.get("b")! },
    ]);
    crops.apply();
    expect(studio.current!.pictures.get("a")).toMatchObject({ caption: "new", crop: { x: 200 } });
    expect(studio.current!.pictures.has("b")).toBe(false);
  });

  it("follows the training's resolution until another size is chosen", () => {
    expect(crops.size).toEqual([512, 512]);
    crops.setSize(0, 99_999);
    crops.setSize(1, Number.NaN);
    expect(crops.size).toEqual([4096, 512]);
  });

  it("leaves pictures whose captions a mirror makes wrong out of flipped copies", () => {
    expect(crops.flippable.plain.map(({ id }) => id)).toEqual(["a", "c"]);
    expect(crops.flippable).toMatchObject({ tags: ["heterochromia"], doubtful: [{ id: "b" }] });
    crops.addFlipped(crops.flippable.plain);
    expect([...studio.current!.pictures.values()].filter(({ isMirrored }) => isMirrored).map(({ name }) => name)).toEqual(["a-flipped.png", "c-flipped.png"]);
  });
});
