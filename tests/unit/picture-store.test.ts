import { describe, expect, it } from "vitest";
import type { PictureRecord } from "../../src/storage/database.ts";
import { createPictureStore, type NewPicture, type PictureLimits } from "../../src/storage/picture-store.ts";
import type { PictureTable } from "../../src/storage/picture-table.ts";
import { captionOfPrompt } from "../../src/text/prompt/caption.ts";

/** The table's contract in memory. */
class MemoryTable implements PictureTable {
  rows = new Map<number, PictureRecord>();
  files = new Map<number, Blob>();
  #last = 0;

  add = async (picture: Omit<PictureRecord, "id">, png: Blob): Promise<number> => {
    this.#last += 1;
    this.rows.set(this.#last, { ...picture, id: this.#last });
    this.files.set(this.#last, png);
    return this.#last;
  };
  get = async (id: number) => this.rows.get(id);
  png = async (id: number) => this.files.get(id);
  put = async (picture: PictureRecord): Promise<void> => void this.rows.set(picture.id, picture);
  newest = async (count: number, before: number, isWanted: (picture: PictureRecord) => boolean) =>
    [...this.rows.values()].filter((picture) => picture.id < before && isWanted(picture)).toReversed().slice(0, count);
  delete = async (ids: readonly number[]): Promise<void> => {
    for (const id of ids) {
      this.rows.delete(id);
      this.files.delete(id);
    }
  };
}

const made: NewPicture = {
  width: 64, height: 64, adapters: [], model: "base", infotext: "smith", milliseconds: 1,
  request: {
    prompt: "smith", negative: "", seed: 1, steps: 4, cfg: 7, sampler: "euler", schedule: "automatic",
    width: 64, height: 64, clipSkip: 1,
  },
};

function setUp(limits: Partial<PictureLimits> = {}) {
  const table = new MemoryTable();
  let time = 1000;
  const open = () => createPictureStore(table, { count: 100, bytes: 1e9, undoMs: 50, ...limits }, () => time);
  const store = open();
  const add = (bytes = 10) => store.add(made, new Blob([new Uint8Array(bytes)]));
  const ids = async (list = store.list(100)) => (await list).map(({ id }) => id);
  return { table, store, open, add, ids, wait: (ms: number) => (time += ms) };
}

describe("the history", () => {
  it("lists the newest first, in pages without gap or repetition", async () => {
    const { store, add, ids } = setUp();
    for (let i = 0; i < 7; i++) await add();
    const first = await ids(store.list(3));
    expect(first).toEqual([7, 6, 5]);
    await add();
    expect(await ids(store.list(3, first.at(-1)!))).toEqual([4, 3, 2]);
    expect(await ids(store.list(3, 2))).toEqual([1]);
    expect(await ids(store.list(3, 1))).toEqual([]);
  });

  it("keeps a picture with what it was made of", async () => {
    const { store, add, wait } = setUp();
    wait(5);
    const { picture } = await add(12);
    expect(picture).toEqual({ ...made, id: 1, createdAt: 1005, bytes: 12, isFavourite: false });
    expect(await store.picture(1)).toEqual(picture);
    expect((await store.png(1))?.size).toBe(12);
  });

  it("lets the oldest go beyond its count, never a favourite, and says how many went", async () => {
    const { store, add, ids, table } = setUp({ count: 3 });
    for (let i = 0; i < 3; i++) expect(await add()).toMatchObject({ removed: 0, isOverLimit: false });
    await store.setFavourite(1, true);
    expect(await add()).toMatchObject({ removed: 1, isOverLimit: false });
    expect(await ids()).toEqual([4, 3, 1]);
    expect([...table.files.keys()]).toEqual([1, 3, 4]);
  });

  it("lets as many go as a large picture needs", async () => {
    const { add, ids } = setUp({ bytes: 100 });
    for (let i = 0; i < 4; i++) await add(25);
    expect(await add(60)).toMatchObject({ removed: 3 });
    expect(await ids()).toEqual([5, 4]);
  });

  it("keeps the picture just made though favourites fill everything, and says so", async () => {
    const { store, add, ids } = setUp({ count: 2 });
    for (const id of [1, 2]) {
      await add();
      await store.setFavourite(id, true);
    }
    expect(await add()).toMatchObject({ removed: 0, isOverLimit: true });
    expect(await ids()).toEqual([3, 2, 1]);
    expect(await ids(store.favourites(1))).toEqual([2]);
    expect(await ids(store.favourites(5, 2))).toEqual([1]);
  });
});

describe("a deleted picture", () => {
  it("is gone from all lists and can be had back, as a favourite too", async () => {
    const { store, add, ids } = setUp();
    for (let i = 0; i < 3; i++) await add();
    await store.setFavourite(2, true);
    await store.remove([2, 3]);
    expect(await ids()).toEqual([1]);
    expect(await ids(store.favourites(5))).toEqual([]);
    expect(await store.picture(2)).toBeUndefined();
    await store.restore([2]);
    expect(await ids()).toEqual([2, 1]);
    expect(await store.picture(2)).not.toHaveProperty("deletedAt");
    expect(await ids(store.favourites(5))).toEqual([2]);
  });

  it("can be had back after a reload within the time, and is deleted for good after it", async () => {
    const { store, open, add, table, wait } = setUp();
    await add();
    await store.remove([1]);
    wait(49);
    const reloaded = open();
    await reloaded.sweep();
    expect(table.files.size).toBe(1);
    await reloaded.restore([1]);
    await reloaded.remove([1]);
    wait(50);
    await reloaded.sweep();
    expect([table.rows.size, table.files.size]).toEqual([0, 0]);
    await reloaded.restore([1]);
    expect(await reloaded.list(5)).toEqual([]);
  });

  it("does not count against the limits", async () => {
    const { store, add, ids } = setUp({ count: 2 });
    await add();
    await add();
    await store.remove([1]);
    expect(await add()).toMatchObject({ removed: 0 });
    expect(await ids()).toEqual([3, 2]);
  });
});

describe("a caption made of a prompt", () => {
  it.each([
    ["smith, (red apron:1.3), [smile]", "smith, red apron, smile"],
    ["smith <lora:smith:0.8>,  smile,, <hypernet:x:1>", "smith, smile"],
    ["1boy, smile BREAK kitchen AND smile, window :0.5", "1boy, smile, kitchen, window"],
    ["[dawn:night:0.5], smith\nsmile", "night, smith, smile"],
    ["smith \\(forge\\), ((beard)", "smith (forge), beard"],
    ["<lora:smith:1>", ""],
  ])("says what is in the picture: %s", (prompt, caption) => {
    expect(captionOfPrompt(prompt, 20)).toBe(caption);
  });
});
