import "fake-indexeddb/auto";
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { IDBFactory } from "fake-indexeddb";
import { afterEach, beforeEach, describe, expect, it, test, vi } from "vitest";
import { CancelledError } from "../../src/errors.ts";
import type { ReadingRecord, TaggerRecord } from "../../src/storage/database.ts";
import { copyFile, fetchFile, type WantedFile } from "../../src/storage/fetch-file.ts";
import { catalogue } from "../../src/tagging/catalogue.ts";
import { keepScores } from "../../src/tagging/scores.ts";
import { ModelStoreSession } from "../../src/workers/model-store-session.ts";
import { MemoryFolder } from "./memory-folder.ts";

const content = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7 + (i >> 8)) & 255));
const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

let server: Server;
let address: string;
/** Ranges that were asked for, in order. */
let asked: (string | undefined)[];
let answer: (request: IncomingMessage, response: ServerResponse) => void;

/** Answers as Hugging Face does: whole, or what a range wants. */
function serve(bytes: Buffer, tag = "v1") {
  return (request: IncomingMessage, response: ServerResponse): void => {
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    if (from >= bytes.length && from > 0) {
      response.writeHead(416, { "Content-Range": `bytes */${bytes.length}`, ETag: tag }).end();
      return;
    }
    const part = bytes.subarray(from);
    const headers = { "Content-Length": part.length, "Content-Type": "application/octet-stream", ETag: tag };
    response.writeHead(from > 0 ? 206 : 200, headers).end(part);
  };
}

/** Says how much there is, and hangs up in the middle. */
function cut(bytes: Buffer, at: number, tag = "v1") {
  return (_: IncomingMessage, response: ServerResponse): void => {
    response.writeHead(200, { "Content-Length": bytes.length, ETag: tag });
    response.write(bytes.subarray(0, at), () => setTimeout(() => response.destroy(), 30));
  };
}

beforeEach(async () => {
  globalThis.indexedDB = new IDBFactory();
  vi.resetModules();
  asked = [];
  answer = serve(content);
  server = createServer((request, response) => {
    asked.push(request.headers.range);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/model.onnx`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const signal = new AbortController().signal;
const get = (folder: MemoryFolder, changes: Partial<WantedFile> = {}, onprogress: (done: number) => void = () => undefined, abort = signal) =>
  fetchFile(folder, { name: "model.onnx", url: address, ...changes }, fetch, onprogress, abort);

describe("fetchFile", () => {
  it("stores the file as it came, and says its size and hash", async () => {
    const folder = new MemoryFolder();
    const steps: number[] = [];
    expect(await get(folder, {}, (done) => steps.push(done))).toEqual({ bytes: content.length, sha256: hash(content) });
    expect(Buffer.from(folder.files.get("model.onnx")!)).toEqual(content);
    expect([steps[0], steps.at(-1)]).toEqual([0, content.length]);
    expect(steps).toEqual(steps.toSorted((a, b) => a - b));
  });

  it("keeps what came before the connection ended, and asks only for the rest", async () => {
    const folder = new MemoryFolder();
    answer = cut(content, 120_000);
    await expect(get(folder)).rejects.toMatchObject({ code: "download.interrupted" });
    const kept = folder.files.get("model.onnx")!.length;
    expect(kept).toBeGreaterThan(0);
    answer = serve(content);
    expect((await get(folder)).sha256).toBe(hash(content));
    expect(asked).toEqual([undefined, `bytes=${kept}-`]);
  });

  it("begins again where the server has another file by now", async () => {
    const folder = new MemoryFolder();
    answer = cut(content, 120_000);
    await get(folder).catch(() => undefined);
    const newer = Buffer.from(content.toReversed());
    answer = serve(newer, "v2");
    expect((await get(folder)).sha256).toBe(hash(newer));
    expect(asked.length).toBe(3);
  });

  it("begins again where the server knows no ranges", async () => {
    const folder = new MemoryFolder();
    folder.files.set("model.onnx", new Uint8Array(1000));
    answer = (_, response) => response.writeHead(200, { "Content-Length": content.length }).end(content);
    expect((await get(folder)).sha256).toBe(hash(content));
  });

  it("asks for nothing, or hears that nothing is left, where all is there", async () => {
    const folder = new MemoryFolder();
    await get(folder);
    expect(await get(folder, { bytes: content.length })).toEqual({ bytes: content.length, sha256: hash(content) });
    expect(asked.length).toBe(1);
    expect((await get(folder)).sha256).toBe(hash(content));
    expect(asked).toEqual([undefined, `bytes=${content.length}-`]);
  });

  it("refuses a file of another hash or size and keeps nothing of it", async () => {
    const folder = new MemoryFolder();
    await expect(get(folder, { sha256: "0".repeat(64) })).rejects.toMatchObject({ code: "download.hash" });
    expect(folder.files.get("model.onnx")!.length).toBe(0);
    await expect(get(folder, { bytes: 5 })).rejects.toMatchObject({ code: "download.size" });
    expect(folder.files.get("model.onnx")!.length).toBe(0);
  });

  test.each([
    ["is not there", (_: IncomingMessage, response: ServerResponse) => void response.writeHead(404).end(), /answered 404/],
    ["is a page", (_: IncomingMessage, response: ServerResponse) => void response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" }).end("<p>sign in</p>"), /a page came/],
    ["can't be reached", (request: IncomingMessage) => void request.destroy(), /can't be reached/],
  ])("says that the file %s", async (_, answering, reason) => {
    answer = answering;
    await expect(get(new MemoryFolder())).rejects.toMatchObject({ code: "download.failed", message: expect.stringMatching(reason) as string });
  });

  it("stops on request and keeps what came", async () => {
    const folder = new MemoryFolder();
    const abort = new AbortController();
    answer = (_, response) => {
      response.writeHead(200, { "Content-Length": content.length, ETag: "v1" });
      response.write(content.subarray(0, 50_000));
    };
    const stopping = get(folder, {}, (done) => done > 0 && abort.abort(new CancelledError()), abort.signal);
    await expect(stopping).rejects.toMatchObject({ code: "cancelled" });
    expect(folder.files.get("model.onnx")!.length).toBeGreaterThan(0);
  });

  it("says that there is no room left, and keeps what fitted", async () => {
    const folder = new MemoryFolder(100_000);
    await expect(get(folder)).rejects.toMatchObject({ code: "storage.full", data: { what: "model.onnx" } });
    expect(folder.files.get("model.onnx")!.length).toBe(100_000);
  });
});

describe("copyFile", () => {
  it("copies and hashes, and leaves no part where there is no room or it is stopped", async () => {
    const folder = new MemoryFolder();
    const file = new Blob([content]);
    expect(await copyFile(folder, "a", file, () => undefined, signal)).toEqual({ bytes: content.length, sha256: hash(content) });
    const full = new MemoryFolder(10);
    await expect(copyFile(full, "a", file, () => undefined, signal)).rejects.toMatchObject({ code: "storage.full" });
    const stopped = AbortSignal.abort(new CancelledError());
    await expect(copyFile(full, "b", file, () => undefined, stopped)).rejects.toMatchObject({ code: "cancelled" });
    expect([...full.files.keys()]).toEqual([]);
  });
});

describe("ModelStoreSession", () => {
  const wd = catalogue.find(({ id }) => id === "wd-vit-tagger-v3")!;
  const list = Buffer.from("name,category\nsolo,0\n");
  const session = (folder: MemoryFolder, records: TaggerRecord[]) =>
    new ModelStoreSession({
      folder: () => folder,
      // The catalogue's addresses, answered here.
      fetch: (url, options) => fetch(String(url).endsWith(".csv") ? address.replace("model.onnx", "list.csv") : address, options),
      record: async (record) => void records.push(record),
    });
  beforeEach(() => {
    answer = (request, response) => serve(request.url === "/list.csv" ? list : content)(request, response);
  });

  it("downloads all files of a model and records it when they are whole", async () => {
    const [folder, records, steps] = [new MemoryFolder(), [] as TaggerRecord[], [] as number[]];
    const record = await session(folder, records).download(wd, (done) => steps.push(done));
    expect(records).toEqual([record]);
    expect(record).toMatchObject({
      id: wd.id,
      files: [
        { role: "model", name: "model.onnx", bytes: content.length, sha256: hash(content) },
        { role: "labels", name: "selected_tags.csv", bytes: list.length, sha256: hash(list) },
      ],
    });
    expect(steps.at(-1)).toBe(content.length + list.length);
    expect(folder.text("selected_tags.csv")).toBe(list.toString());
  });

  it("records nothing where a file fails, and goes on from there", async () => {
    const [folder, records] = [new MemoryFolder(), [] as TaggerRecord[]];
    answer = (request, response) => (request.url === "/list.csv" ? void response.writeHead(503).end() : serve(content)(request, response));
    await expect(session(folder, records).download(wd, () => undefined)).rejects.toMatchObject({ code: "download.failed" });
    expect(records).toEqual([]);
    answer = (request, response) => serve(request.url === "/list.csv" ? list : content)(request, response);
    await session(folder, records).download(wd, () => undefined);
    expect(records.length).toBe(1);
    expect(asked).toEqual([undefined, undefined, `bytes=${content.length}-`, undefined]);
  });

  it("keeps files of the user's under the manifest's names", async () => {
    const [folder, records] = [new MemoryFolder(), [] as TaggerRecord[]];
    const files = new Map([["model", new Blob([content])], ["labels", new Blob([list])]] as const);
    await session(folder, records).keep(wd, files, () => undefined);
    expect(records[0]!.files.map(({ sha256 }) => sha256)).toEqual([hash(content), hash(list)]);
    expect([...folder.files.keys()]).toEqual(["model.onnx", "selected_tags.csv"]);
  });
});

describe("what is stored", () => {
  const reading = (model: string, picture: string, variant = ""): ReadingRecord => ({
    model, picture, variant, reading: { kind: "scores", scores: keepScores(Float32Array.of(0.5, 0, 0.2)) }, milliseconds: 3,
  });

  it("of readings is found by model, settings and picture, over visits", async () => {
    const store = await import("../../src/storage/reading-store.ts");
    await store.storeReadings([reading("a", "1"), reading("a", "2", "beam"), reading("b", "1")]);
    vi.resetModules();
    const again = await import("../../src/storage/reading-store.ts");
    expect([...(await again.readingsOf("a", "", ["1", "2", "3"])).keys()]).toEqual(["1"]);
    expect((await again.readingsOf("a", "beam", ["2"])).get("2")).toEqual(reading("a", "2", "beam"));
    await again.deleteReadings("a");
    expect((await again.readingsOf("a", "", ["1"])).size).toBe(0);
    expect((await again.readingsOf("b", "", ["1"])).size).toBe(1);
  });

  it("of models is listed, the newest first", async () => {
    const store = await import("../../src/storage/tagger-store.ts");
    const record = (id: string, addedAt: number): TaggerRecord => ({ id, manifest: catalogue[0]!, files: [], addedAt });
    await store.recordTagger(record("old", 1));
    await store.recordTagger(record("new", 2));
    expect((await store.storedTaggers()).map(({ id }) => id)).toEqual(["new", "old"]);
  });
});
