/** The page's side of an import: what comes in is one edit, whatever happens in between. */
import "fake-indexeddb/auto";
import { IDBFactory } from "fake-indexeddb";
import { beforeEach, expect, test, vi } from "vitest";
import type { StudioPicture } from "../../src/studio/picture.ts";
import type { importFiles } from "../../src/workers/import-client.ts";
import { aPicture } from "./harness/studio.ts";

type Studio = InstanceType<(typeof import("../../src/ui/state/studio/studio.svelte.ts"))["Studio"]>;
type Importing = InstanceType<(typeof import("../../src/ui/state/studio/importing.svelte.ts"))["Importing"]>;
let studio: Studio;
let importing: Importing;
/** What the worker would do. */
let run: typeof importFiles;

const empty = { end: "complete", captions: [], notes: [], unreadable: [], ignored: [], left: [], milliseconds: 1 } as const;
const incoming = (picture: StudioPicture) => ({ picture, file: new Blob(["x"]), thumbnail: new Blob(["y"]) });
const files = [{ path: "girls/a.png", file: new Blob(["x"]) }, { path: "girls/b.png", file: new Blob(["x"]) }];
const names = (): string[] => [...studio.current!.pictures.values()].map(({ name }) => name);

beforeEach(async () => {
  globalThis.indexedDB = new IDBFactory();
  vi.resetModules();
  const [{ Studio }, { Importing }] = await Promise.all([
    import("../../src/ui/state/studio/studio.svelte.ts"), import("../../src/ui/state/studio/importing.svelte.ts"),
  ]);
  studio = new Studio();
  importing = new Importing({ target: (name) => studio.currentOrNew(name), resolution: () => 512, run: (...call) => run(...call) });
});

test("a new set is called after its folder; folders and pictures come and go as one edit", async () => {
  const subsets = [{ id: "new", isReg: false, repeats: 3, identifier: "sls", className: "1girl" }];
  run = async (request, observer) => {
    expect(request.known).toEqual([]);
    await observer.prepared({ subsets });
    await observer.arrived([incoming(aPicture("a", { subset: "new" }))]);
    await observer.arrived([incoming(aPicture("b", { subset: "new" }))]);
    return { ...empty, added: ["a", "b"] };
  };
  await importing.take(files);
  expect(studio.current?.set.name).toBe("girls");
  expect(studio.current?.subsets).toEqual(subsets);
  expect(names()).toEqual(["a.png", "b.png"]);
  expect(importing.report).toMatchObject({ added: ["a", "b"], isDropped: false });
  expect(importing.progress).toBeUndefined();
  await studio.current!.undo();
  expect(names()).toEqual([]);
  expect(studio.current?.subsets).not.toEqual(subsets);
  await studio.current!.redo();
  expect(names()).toEqual(["a.png", "b.png"]);
});

test("a stopped import is taken out again where that is wanted, and comes back by redo", async () => {
  run = async (_, observer, signal) => {
    await observer.arrived([incoming(aPicture("a"))]);
    importing.stop("drop");
    expect(signal.aborted).toBe(true);
    return { ...empty, end: "cancelled", added: ["a"], left: ["girls/b.png"] };
  };
  await importing.take(files);
  expect(names()).toEqual([]);
  expect(importing.report?.isDropped).toBe(true);
  await studio.current!.redo();
  expect(names()).toEqual(["a.png"]);
});

test("what was changed while pictures came in is kept, and a failure takes nothing away", async () => {
  run = async (_, observer) => {
    await observer.arrived([incoming(aPicture("a")), incoming(aPicture("b"))]);
    const a = studio.current!.pictures.get("a")!;
    await studio.current!.edit({ code: "caption", data: {} }, [{ kind: "picture", id: "a", from: { caption: a.caption }, to: { caption: "mine" } }]);
    throw new Error("the worker died");
  };
  await importing.take(files);
  expect(importing.error).toMatchObject({ message: "the worker died" });
  expect(studio.current!.pictures.get("a")?.caption).toBe("mine");
  expect(names()).toEqual(["a.png", "b.png"]);
  await studio.current!.undo();
  expect(names()).toEqual([]);
});

test("heaps come in one after the other, and captions reach the pictures that they are for", async () => {
  const order: string[] = [];
  run = async ({ files: [first], known }, observer) => {
    order.push(`${first?.path} ${known.length}`);
    if (known.length > 0) return { ...empty, added: [], captions: [{ pictureId: "a", caption: "late" }] };
    await observer.arrived([incoming(aPicture("a"))]);
    return { ...empty, added: ["a"] };
  };
  await Promise.all([importing.take(files), importing.take(Promise.resolve([{ path: "a.txt", file: new Blob(["late"]) }])), importing.take([])]);
  expect(order).toEqual(["girls/a.png 0", "a.txt 1"]);
  expect(studio.current!.pictures.get("a")?.caption).toBe("late");
});
