import { readFile } from "node:fs/promises";
import * as ort from "onnxruntime-web";
import sharp from "sharp";
import { expect, test } from "vitest";
import { decodeNodeImage } from "../../src/cli/node-images.ts";
import type { SerializedError } from "../../src/errors.ts";
import type { TagScores } from "../../src/tagging/scores.ts";
import type { TaggerFiles, TagObserver, TagProvider } from "../../src/workers/tag-protocol.ts";
import { TagSession, type TagServices } from "../../src/workers/tag-session.ts";
// From OpenCV, Pillow and ONNX Runtime: tests/reference/make_tagger.py.
import expected from "../reference/data/tagger/expected.json" with { type: "json" };
import { dataFile } from "./run-bin.ts";

ort.env.logLevel = "fatal";

const blob = async (name: string) => new Blob([await readFile(dataFile(`tagger/${name}`))]);
const files = async (model = "model.onnx"): Promise<TaggerFiles> => ({
  model: await blob(model),
  modelName: model,
  labels: await blob("selected_tags.csv"),
  labelsName: "selected_tags.csv",
});
const pictures = await Promise.all(
  expected.pictures.map(async ({ width, height, rgba }, i) => {
    const png = await sharp(Buffer.from(rgba, "base64"), { raw: { width, height, channels: 4 } }).png().toBuffer();
    return { path: `${i}.png`, file: new Blob([new Uint8Array(png)]) };
  }),
);

class Notes implements TagObserver {
  readonly providers: TagProvider[] = [];
  readonly scores: [path: string, scores: TagScores][] = [];
  readonly failures: [path: string, error: SerializedError][] = [];
  opened = (provider: TagProvider) => void this.providers.push(provider);
  scored = (path: string, scores: TagScores) => void this.scores.push([path, scores]);
  failed = (path: string, error: SerializedError) => void this.failures.push([path, error]);
}

function session(changes: Partial<TagServices> = {}): TagSession {
  return new TagSession({
    providers: async () => ["wasm"],
    loadRuntime: async () => ort,
    decode: (bytes, name) => decodeNodeImage(bytes, name),
    ...changes,
  });
}

test("pictures are scored in order, with Python's numbers", async () => {
  const notes = new Notes();
  await session().tag(await files(), pictures, notes);
  expect(notes.providers).toEqual(["wasm"]);
  expect(notes.scores.map(([path]) => path)).toEqual(pictures.map(({ path }) => path));
  for (const [i, [, { indices, values }]] of notes.scores.entries()) {
    for (const [at, label] of indices.entries()) {
      expect(Math.abs(values[at]! - expected.pictures[i]!.scores[label]!)).toBeLessThan(1e-3);
    }
  }
});

test("a picture that can't be read is told, and the next ones are tagged", async () => {
  const notes = new Notes();
  const broken = { path: "broken.png", file: new Blob(["no picture"]) };
  await session().tag(await files(), [broken, pictures[0]!], notes);
  expect(notes.failures).toMatchObject([["broken.png", { code: "image.undecodable" }]]);
  expect(notes.scores.map(([path]) => path)).toEqual(["0.png"]);
});

test("where the GPU does not take the model, the CPU does", async () => {
  const notes = new Notes();
  const tried: TagProvider[] = [];
  const loadRuntime = async (provider: TagProvider) => {
    tried.push(provider);
    if (provider === "webgpu") throw new Error("no device");
    return ort;
  };
  await session({ providers: async () => ["webgpu", "wasm"], loadRuntime }).tag(await files(), pictures.slice(0, 1), notes);
  expect(tried).toEqual(["webgpu", "wasm"]);
  expect(notes.providers).toEqual(["wasm"]);
  expect(notes.scores.length).toBe(1);
});

test("models that are none are refused before any picture", async () => {
  const notes = new Notes();
  const bad = { ...(await files()), model: new Blob(["no model"]) };
  await expect(session().tag(bad, pictures, notes)).rejects.toMatchObject({ code: "tagger.model" });
  await expect(session().tag(await files("nchw.onnx"), pictures, notes)).rejects.toMatchObject({ code: "tagger.input" });
  const list = { ...(await files()), labels: new Blob(["no list"]) };
  await expect(session().tag(list, pictures, notes)).rejects.toMatchObject({ code: "tagger.labels" });
  expect([notes.providers, notes.scores, notes.failures]).toEqual([[], [], []]);
});

test("a model that gives no probabilities stops at the first picture", async () => {
  const notes = new Notes();
  await expect(session().tag(await files("logits.onnx"), pictures, notes)).rejects.toMatchObject({ code: "tagger.output" });
  expect(notes.scores).toEqual([]);
});
