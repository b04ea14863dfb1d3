import { readFile } from "node:fs/promises";
import * as ort from "onnxruntime-web";
import sharp from "sharp";
import { expect, test, vi } from "vitest";
import { decodeNodeImage } from "../../src/cli/node-images.ts";
import type { SerializedError } from "../../src/errors.ts";
import { wdTagger } from "../../src/tagging/catalogue.ts";
import { readManifest, type FileRole, type ModelManifest } from "../../src/tagging/manifest.ts";
import { readAll, type TagObserver } from "../../src/workers/tag-client.ts";
import type { ModelFiles, TagProvider, TimedReading } from "../../src/workers/tag-protocol.ts";
import { TagSession, type TagServices } from "../../src/workers/tag-session.ts";
// From transformers: tests/reference/make_captioners.py.
import captions from "../reference/data/captioner-git/expected.json" with { type: "json" };
// From OpenCV, Pillow and ONNX Runtime: tests/reference/make_tagger.py.
import expected from "../reference/data/tagger/expected.json" with { type: "json" };
import { dataFile } from "./run-bin.ts";

ort.env.logLevel = "fatal";

const blob = async (name: string) => ({ name: name.split("/").at(-1)!, file: new Blob([await readFile(dataFile(name))]) });
const tagger: ModelManifest = {
  ...wdTagger, id: "tiny", title: "Tiny", thresholds: { general: 0.35, character: 0.85 },
  files: { model: { name: "model.onnx" }, labels: { name: "selected_tags.csv" } },
};
const files = async (model = "model.onnx"): Promise<ModelFiles> => ({
  manifest: tagger,
  files: new Map<FileRole, { name: string; file: Blob }>([
    ["model", await blob(`tagger/${model}`)], ["labels", await blob("tagger/selected_tags.csv")],
  ]),
});
const png = async ({ width, height, rgba }: { width: number; height: number; rgba: string }) =>
  new Blob([new Uint8Array(await sharp(Buffer.from(rgba, "base64"), { raw: { width, height, channels: 4 } }).png().toBuffer())]);
const pictures = await Promise.all(
  expected.pictures.map(async (picture, i) => {
    const file = await png(picture);
    return { id: `${i}`, name: `${i}.png`, file: () => file };
  }),
);

class Notes implements TagObserver {
  readonly providers: TagProvider[] = [];
  readonly readings: [id: string, reading: TimedReading][] = [];
  readonly failures: [id: string, error: SerializedError][] = [];
  opened = (provider: TagProvider) => void this.providers.push(provider);
  read = (id: string, reading: TimedReading) => void this.readings.push([id, reading]);
  failed = (id: string, error: SerializedError) => void this.failures.push([id, error]);
}

function session(changes: Partial<TagServices> = {}): TagSession {
  return new TagSession({
    hasGpu: async () => false,
    takeGpu: async () => undefined,
    loadRuntime: async () => ort,
    decode: (bytes, name) => decodeNodeImage(bytes, name),
    ...changes,
  });
}

const signal = new AbortController().signal;

test("pictures are scored in order, with Python's numbers", async () => {
  const notes = new Notes();
  await readAll(session(), await files(), pictures, {}, notes, signal);
  expect(notes.providers).toEqual(["wasm"]);
  expect(notes.readings.map(([id]) => id)).toEqual(pictures.map(({ id }) => id));
  for (const [i, [, { reading, provider }]] of notes.readings.entries()) {
    expect(provider).toBe("wasm");
    if (reading.kind !== "scores") throw new Error("a tagger gives scores");
    for (const [at, label] of reading.scores.indices.entries()) {
      expect(Math.abs(reading.scores.values[at]! - expected.pictures[i]!.scores[label]!)).toBeLessThan(1e-3);
    }
  }
});

test("a captioner writes by the settings it is given, and draws the same for the same picture", async () => {
  const folder = "captioner-git";
  const manifest = readManifest(await readFile(dataFile(`${folder}/captioner.json`), "utf8"), "captioner.json");
  const model: ModelFiles = {
    manifest,
    files: new Map<FileRole, { name: string; file: Blob }>([
      ["encoder", await blob(`${folder}/encoder.onnx`)], ["decoder", await blob(`${folder}/decoder.onnx`)],
      ["vocabulary", await blob(`${folder}/vocab.txt`)],
    ]),
  };
  const [first] = captions.pictures;
  const file = await png(first!);
  const read = async (settings: object) => {
    const notes = new Notes();
    await readAll(session(), model, [{ id: "a", name: "a.png", file: () => file }], settings, notes, signal);
    return notes.readings[0]![1].reading;
  };
  expect(await read({ maxLength: 12 })).toEqual({ kind: "text", text: first!.runs[0]!.text });
  const drawn = { mode: "nucleus", topP: 0.95, temperature: 3, maxLength: 20 };
  expect(await read(drawn)).toEqual(await read(drawn));
  expect(await read(drawn)).not.toEqual(await read({ ...drawn, seed: 43 }));
  await expect(read({ maxLength: 0 })).rejects.toMatchObject({ code: "captioner.settings", data: { name: "maxLength" } });
  await expect(read({ minLength: 9, maxLength: 8 })).rejects.toMatchObject({ code: "captioner.lengths" });
});

test("a picture that can't be read is told, and the next ones are tagged", async () => {
  const notes = new Notes();
  const broken = { id: "broken", name: "broken.png", file: () => new Blob(["no picture"]) };
  await readAll(session(), await files(), [broken, pictures[0]!], {}, notes, signal);
  expect(notes.failures).toMatchObject([["broken", { code: "image.undecodable" }]]);
  expect(notes.readings.map(([id]) => id)).toEqual(["0"]);
});

test("of a picture that is cropped, the crop is read", async () => {
  const [whole] = expected.pictures;
  const { width, height } = whole!;
  const framed = await sharp(Buffer.from(whole!.rgba, "base64"), { raw: { width, height, channels: 4 } })
    .extend({ top: 9, left: 5, right: 40, bottom: 2, background: "#f00" }).png().toBuffer();
  const notes = new Notes();
  const file = () => new Blob([new Uint8Array(framed)]);
  await readAll(session(), await files(), [{ id: "a", name: "a.png", file, crop: { x: 5, y: 9, width, height } }, pictures[0]!], {}, notes, signal);
  expect(notes.readings[0]![1].reading).toEqual(notes.readings[1]![1].reading);
});

test("what was read by the time of cancelling was told, and nothing after it", async () => {
  const notes = new Notes();
  const abort = new AbortController();
  const read = notes.read;
  const observer: TagObserver = {
    opened: notes.opened,
    failed: notes.failed,
    read(id, reading) {
      read(id, reading);
      if (id === "1") abort.abort();
    },
  };
  await readAll(session(), await files(), pictures, {}, observer, abort.signal);
  expect(notes.readings.map(([id]) => id)).toEqual(["0", "1"]);
});

/** A GPU that is a CPU by another name, and the wish of training to have it. */
function gpu() {
  const lease = { release: vi.fn<() => void>() };
  let wanted = (): void => undefined;
  const loaded: TagProvider[] = [];
  const services: Partial<TagServices> = {
    hasGpu: async () => true,
    takeGpu: async (onwanted) => {
      wanted = onwanted;
      return lease;
    },
    loadRuntime: async (provider) => {
      loaded.push(provider);
      const create: typeof ort.InferenceSession.create = (...all: unknown[]) =>
        ort.InferenceSession.create(all[0] as Uint8Array, { executionProviders: ["wasm"] });
      return { Tensor: ort.Tensor, InferenceSession: { create } };
    },
  };
  return { lease, services, loaded, want: () => wanted() };
}

test("where the GPU does not take the model, the CPU does", async () => {
  const notes = new Notes();
  const { lease, services, loaded } = gpu();
  const loadRuntime = async (provider: TagProvider) => {
    loaded.push(provider);
    if (provider === "webgpu") throw new Error("no device");
    return ort;
  };
  await readAll(session({ ...services, loadRuntime }), await files(), pictures.slice(0, 1), {}, notes, signal);
  expect(loaded).toEqual(["webgpu", "wasm"]);
  expect([notes.providers, notes.readings.length, lease.release.mock.calls.length]).toEqual([["wasm"], 1, 1]);
});

test("somebody who trains keeps the GPU to himself", async () => {
  const notes = new Notes();
  const { services, loaded } = gpu();
  await readAll(session({ ...services, takeGpu: async () => undefined }), await files(), pictures.slice(0, 1), {}, notes, signal);
  expect([notes.providers, loaded]).toEqual([["wasm"], ["wasm"]]);
});

test("training that begins gets the GPU before the next picture, which the CPU reads", async () => {
  const notes = new Notes();
  const { lease, services, loaded, want } = gpu();
  const listed = pictures.slice(0, 3).map((picture, i) => ({
    ...picture,
    file: () => {
      if (i === 1) want();
      return picture.file();
    },
  }));
  await readAll(session(services), await files(), listed, {}, notes, signal);
  expect(notes.readings.map(([, { provider }]) => provider)).toEqual(["webgpu", "wasm", "wasm"]);
  expect([loaded, lease.release.mock.calls.length]).toEqual([["webgpu", "wasm"], 1]);
});

test("models that are none are refused before any picture", async () => {
  const notes = new Notes();
  const good = await files();
  const withFile = (role: FileRole, text: string): ModelFiles => ({
    ...good, files: new Map(good.files).set(role, { name: "x", file: new Blob([text]) }),
  });
  const opening = (model: ModelFiles) => readAll(session(), model, pictures, {}, notes, signal);
  await expect(opening(withFile("model", "no model"))).rejects.toMatchObject({ code: "tagger.model" });
  await expect(opening(await files("nchw.onnx"))).rejects.toMatchObject({ code: "tagger.input" });
  await expect(opening(withFile("labels", "no list"))).rejects.toMatchObject({ code: "tagger.labels" });
  expect([notes.providers, notes.readings, notes.failures]).toEqual([[], [], []]);
});

test("a model that gives no probabilities stops at the first picture", async () => {
  const notes = new Notes();
  const reading = readAll(session(), await files("logits.onnx"), pictures, {}, notes, signal);
  await expect(reading).rejects.toMatchObject({ code: "tagger.output" });
  expect(notes.readings).toEqual([]);
});
