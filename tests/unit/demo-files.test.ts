/** What lies below public/demo/, read as the page reads it. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { understandFolder } from "../../src/dataset/folders.ts";

const root = new URL("../../public/demo/", import.meta.url);
const base = "http://localhost/demo/";
const manifest = JSON.parse(readFileSync(new URL("manifest.json", root), "utf8")) as Record<string, unknown>;
const labels = "tag_id,name,category,count\n0,smile,0,1\n1,glasses,0,1\n";
const tagger = { model: { path: "tagger/model.onnx", bytes: 7 }, tags: "tagger/selected_tags.csv" };

/** Files that are served in the place of those in the folder, by path; null is not there. */
let served: Record<string, string | null>;

beforeEach(() => {
  served = {};
  vi.resetModules();
  vi.stubGlobal("document", { baseURI: "http://localhost/" });
  vi.stubGlobal("fetch", async (address: string) => {
    const path = decodeURIComponent(address.slice(base.length));
    const text = served[path] ?? (served[path] === undefined && existsSync(new URL(path, root)) ? readFileSync(new URL(path, root)) : null);
    const type = path.endsWith(".json") ? "application/json" : "application/octet-stream";
    return text === null ? new Response("", { status: 404 }) : new Response(text, { headers: { "content-type": type } });
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
});

const loadDemo = async () => (await import("../../src/ui/state/demo.ts")).loadDemo();
const findDemoTagger = async () => (await import("../../src/ui/state/demo-tagger.ts")).findDemoTagger();

describe("the demo's manifest", () => {
  it("can be read, and names files that lie beside it in their sizes", async () => {
    const demo = await loadDemo();
    const { model, datasets, tagger: own } = demo!.manifest;
    for (const { path, bytes } of [model, ...(own === undefined ? [] : [own.model])]) expect(statSync(new URL(path, root)).size).toBe(bytes);
    const paths = [...datasets.flatMap(({ files, regularization }) => [...files, ...regularization]), ...(own === undefined ? [] : [own.tags])];
    expect(paths.filter((path) => !existsSync(new URL(path, root)))).toEqual([]);
    expect(existsSync(new URL("tagger/model.onnx", root))).toBe(own !== undefined);
  });

  it("brings a dataset's regularization pictures along, and offers them again once they were taken out", async () => {
    const demo = (await loadDemo())!;
    const subsets = (paths: readonly string[]) =>
      understandFolder(paths.map((path) => ({ path, size: 1 })), ".txt").subsets.map(({ dir, isReg, images }) => [dir, isReg, images.length]);
    const { files } = await demo.open("smith");
    expect(subsets(files.map(({ path }) => path))).toEqual([["smith/img/8_smith 1boy", false, 16], ["smith/reg/1_1boy", true, 24]]);
    expect([demo.hasRegularization("smith"), demo.hasRegularization("pixel-art"), demo.hasRegularization("mine")]).toEqual([true, false, false]);
    const offered = (await demo.regularization("smith")).map(({ path }) => path);
    expect(files.map(({ path }) => path)).toEqual(expect.arrayContaining(offered));
  });
});

describe("the demo's tagger", () => {
  const name = (value: unknown) => {
    served["manifest.json"] = JSON.stringify({ ...manifest, tagger: value });
  };

  it("is offered where the manifest names it, and fetched when it is used", async () => {
    name(tagger);
    served["tagger/selected_tags.csv"] = labels;
    const found = await findDemoTagger();
    expect(found).toMatchObject({ tagCount: 2, bytes: 7 });
    served["tagger/model.onnx"] = null;
    await expect(found!.files()).rejects.toMatchObject({ code: "demo.unavailable", data: { path: "tagger/model.onnx" } });
    served["tagger/model.onnx"] = "network";
    const { files } = await found!.files();
    expect([await files.get("model")!.file.text(), ...[...files.values()].map(({ name: file }) => file)]).toEqual(["network", "model.onnx", "selected_tags.csv"]);
  });

  it("is not offered where the manifest names none, or its list of tags is missing or something else", async () => {
    served["tagger/selected_tags.csv"] = labels;
    name(undefined);
    expect(await findDemoTagger()).toBeUndefined();
    for (const text of [null, "<!doctype html><title>Lorasmith</title>"]) {
      vi.resetModules();
      name(tagger);
      served["tagger/selected_tags.csv"] = text;
      expect(await findDemoTagger()).toBeUndefined();
    }
  });
});
