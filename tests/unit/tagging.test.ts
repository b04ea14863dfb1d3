import { readFile } from "node:fs/promises";
import * as ort from "onnxruntime-web";
import { describe, expect, it, test } from "vitest";
import { blobFolder } from "../../src/dataset/blob-folder.ts";
import type { RgbaImage } from "../../src/dataset/image.ts";
import { InputError } from "../../src/errors.ts";
import { wdInput, wdTagger } from "../../src/tagging/catalogue.ts";
import { imageInput } from "../../src/tagging/image-input.ts";
import { readLabels, type TagLabel } from "../../src/tagging/labels.ts";
import { mergeCaption, type CaptionMode, type ExistingCaption } from "../../src/tagging/merge-caption.ts";
import { OnnxTagger } from "../../src/tagging/onnx-tagger.ts";
import { picturesToTag } from "../../src/tagging/pictures.ts";
import { keepScores, scoreFloor } from "../../src/tagging/scores.ts";
import { chooseTags, defaultTagRules, parseReplacements, type TagRules } from "../../src/tagging/tag-rules.ts";
// From OpenCV, Pillow and ONNX Runtime: tests/reference/make_tagger.py.
import expected from "../reference/data/tagger/expected.json" with { type: "json" };
import { dataFile } from "./run-bin.ts";

ort.env.logLevel = "fatal";

const read = async (name: string) => new Uint8Array(await readFile(dataFile(`tagger/${name}`)));
const encode = (text: string) => new TextEncoder().encode(text);
const bytesOf = (base64: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(base64, "base64"));
const imageOf = ({ width, height, rgba }: (typeof expected.pictures)[number]): RgbaImage => ({ width, height, data: bytesOf(rgba) });

/** As WD14 taggers take a picture. */
const taggerInput = (image: RgbaImage, size: number, name: string) => imageInput(image, { ...wdInput, size }, name);

const labels = readLabels(await read("selected_tags.csv"), "selected_tags.csv");

async function failure(work: Promise<unknown> | (() => unknown)): Promise<InputError> {
  const error = await (typeof work === "function" ? Promise.resolve().then(work) : work).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof InputError) return error;
  throw new Error(`expected an InputError, not ${String(error)}`);
}

describe("the input of WD14 taggers", () => {
  it.each(expected.pictures)("gives OpenCV's and Pillow's levels for $width×$height", (example) => {
    const input = taggerInput(imageOf(example), expected.size, "picture");
    const levels = bytesOf(example.levels);
    const steps = Array.from(levels, (level, i) => Math.abs(level - input[i]!));
    expect(input.length).toBe(expected.size ** 2 * 3);
    // A level that lies on the edge between two may go either way.
    expect(Math.max(...steps)).toBeLessThanOrEqual(1);
    expect(steps.filter((step) => step > 0).length / steps.length).toBeLessThan(0.001);
  });

  it("puts blue first and white around", () => {
    const input = taggerInput({ width: 2, height: 1, data: Uint8Array.of(10, 20, 30, 255, 40, 50, 60, 0) }, 2, "picture");
    expect([...input]).toEqual([30, 20, 10, 255, 255, 255, 255, 255, 255, 255, 255, 255]);
  });

  it("refuses a picture whose square would not fit into memory", async () => {
    const strip = { width: 16_000, height: 1, data: new Uint8Array(64_000) };
    expect(await failure(() => taggerInput(strip, 64, "strip.png"))).toMatchObject({ code: "image.tooLarge" });
  });
});

describe("OnnxTagger", () => {
  const open = async (model: Uint8Array<ArrayBuffer>, list: readonly TagLabel[] = labels) =>
    OnnxTagger.open(ort, { manifest: wdTagger, model: { bytes: model, name: "model.onnx" }, labels: list }, ["wasm"]);

  it("scores pictures as ONNX Runtime for Python does", async () => {
    const tagger = await open(await read("model.onnx"));
    expect(tagger.input.size).toBe(expected.size);
    for (const example of expected.pictures) {
      const { indices, values } = await tagger.tag(imageOf(example), "picture");
      const scores = new Map([...indices].map((label, i) => [label, values[i]!]));
      for (const [label, score] of example.scores.entries()) {
        expect(Math.abs((scores.get(label) ?? 0) - score)).toBeLessThan(scores.has(label) ? 1e-3 : scoreFloor + 1e-3);
      }
      expect(indices.length).toBeGreaterThan(10);
    }
    await tagger.release();
  });

  it("refuses what is no model, a cut one, and models of another kind", async () => {
    const model = await read("model.onnx");
    expect(await failure(open(new Uint8Array(0)))).toMatchObject({ code: "tagger.model", data: { file: "model.onnx" } });
    expect(await failure(open(encode("<!doctype html>")))).toMatchObject({ code: "tagger.model" });
    const cut = await failure(open(model.slice(0, model.length / 2)));
    expect(cut.code).toBe("tagger.model");
    expect(cut.message).toMatch(/^model\.onnx can't be loaded as an ONNX model: [^\n]+\. Download it again\.$/);
    expect(await failure(open(await read("nchw.onnx")))).toMatchObject({
      code: "tagger.input",
      data: { input: "float32 [batch_size, 3, 64, 64]" },
    });
    expect(await failure(open(model, labels.slice(1)))).toMatchObject({ code: "tagger.labelCount", data: { outputs: 21, labels: 20 } });
  });

  it("says that raw logits are no probabilities", async () => {
    const tagger = await open(await read("logits.onnx"));
    expect(await failure(tagger.tag(imageOf(expected.pictures[0]!), "picture"))).toMatchObject({ code: "tagger.output" });
    await tagger.release();
  });
});

describe("readLabels", () => {
  test("kinds come from the categories, names may hold commas and quotes", () => {
    const kinds = (kind: string) => labels.filter((label) => label.kind === kind).map(({ name }) => name);
    expect(kinds("rating")).toEqual(["general", "sensitive", "questionable", "explicit"]);
    expect(kinds("character")).toEqual(["hatsune_miku", "saber_(fate)", "artoria_pendragon_(fate)"]);
    expect(kinds("general")).toContain("scared_(,_,)");
    expect(kinds("general")).toContain('say_"ah"');
    expect(labels.length).toBe(21);
  });

  test("columns may stand in any order, with Windows line ends and a byte order mark", () => {
    expect(readLabels(encode("\uFEFFcategory,name\r\n4,miku\r\n\r\n0,solo"), "x.csv")).toEqual([
      { name: "miku", kind: "character" },
      { name: "solo", kind: "general" },
    ]);
  });

  test.each([
    ["an empty file", "", 1],
    ["no header", "1,solo,0,5\n", 1],
    ["a page instead of a list", "<!doctype html>\n<html></html>", 1],
    ["a row without name", "tag_id,name,category\n1,a,0\n2,,0\n", 3],
    ["a row cut off", "tag_id,name,category\n1,a,0\n2,b", 3],
    ["a category that is no number", "name,category\na,general\n", 2],
    ["nothing but ratings", "name,category\ngeneral,9\n", 0],
    ["an open quote", 'name,category\n"a,0\n', 0],
  ])("%s is told with its line", async (_, text, line) => {
    expect(await failure(() => readLabels(encode(text), "tags.csv"))).toMatchObject({ code: "tagger.labels", data: { file: "tags.csv", line } });
  });

  test("bytes that are no text are told", async () => {
    expect(await failure(() => readLabels(Uint8Array.of(0xff, 0xfe, 0x00), "tags.csv"))).toMatchObject({ code: "tagger.labels" });
  });
});

describe("chooseTags", () => {
  const rules = (changes: Partial<TagRules>): TagRules => ({ ...defaultTagRules, ...changes });
  const scoresOf = (scores: Readonly<Record<string, number>>) =>
    keepScores(Float32Array.from(labels, ({ name }) => scores[name] ?? 0));
  const some = scoresOf({ "1girl": 0.9, solo: 0.99, long_hair: 0.6, "^_^": 0.7, "||_||": 0.5, "saber_(fate)": 0.95, explicit: 1 });

  it.each(expected.captions)("takes and orders tags as the reference at $general/$character", ({ general, character, ...example }) => {
    const scores = keepScores(Float32Array.from(example.scores));
    const thresholds = { generalThreshold: general, characterThreshold: character };
    expect(chooseTags(labels, scores, rules({ ...thresholds, order: "list" }))).toEqual(example.csv);
    expect(chooseTags(labels, scores, rules({ ...thresholds, order: "score" }))).toEqual(example.score);
  });

  it("turns underscores into spaces, but leaves all faces alone", () => {
    expect(chooseTags(labels, some, rules({}))).toEqual(["solo", "saber (fate)", "1girl", "^_^", "long hair", "||_||"]);
    expect(chooseTags(labels, some, rules({ inWords: false }))).toContain("long_hair");
    const faces = expected.kaomoji.map((name): TagLabel => ({ name, kind: "general" }));
    const sure = keepScores(new Float32Array(faces.length).fill(1));
    expect(chooseTags(faces, sure, rules({}))).toEqual(expected.kaomoji);
  });

  it("never takes ratings, and no tag above a threshold of more than 1", () => {
    expect(chooseTags(labels, some, rules({ generalThreshold: scoreFloor, characterThreshold: 2 }))).toEqual([
      "solo", "1girl", "^_^", "long hair", "||_||",
    ]);
  });

  it("puts the trigger first, then what is wanted first in the order wanted, only where it is found", () => {
    const tags = chooseTags(labels, some, rules({ added: ["sls"], first: ["1girl", "2girls", "Long_Hair"] }));
    expect(tags).toEqual(["sls", "1girl", "long hair", "solo", "saber (fate)", "^_^", "||_||"]);
  });

  it("leaves out what is undesired, whichever way it is written", () => {
    expect(chooseTags(labels, some, rules({ undesired: ["Long_hair", "^_^", "saber (fate)"] }))).toEqual(["solo", "1girl", "||_||"]);
  });

  it("replaces whole tags before it leaves out, and merges what becomes the same", () => {
    const replacements = parseReplacements("long hair,hair;1girl,woman;solo,woman;^_^,;||_||,glasses");
    expect(chooseTags(labels, some, rules({ replacements, undesired: ["glasses"] }))).toEqual(["woman", "saber (fate)", "hair"]);
  });

  it("escapes brackets only on request", () => {
    expect(chooseTags(labels, some, rules({ escapeBrackets: true }))).toContain("saber \\(fate\\)");
  });

  it("moves thresholds over kept scores without the tagger", () => {
    const counts = [0.01, 0.55, 0.65, 0.95].map((generalThreshold) => chooseTags(labels, some, rules({ generalThreshold })).length);
    expect(counts).toEqual([6, 5, 4, 2]);
  });
});

describe("parseReplacements", () => {
  it("reads sd-scripts' syntax with escapes", () => {
    expect(parseReplacements("a b, c ;scared (\\,_\\,),scared;;x\\;y,")).toEqual([["a b", "c"], ["scared (,_,)", "scared"], ["x;y", ""]]);
    expect(parseReplacements("")).toEqual([]);
  });

  it.each(["solo", ",solo", "a,b,c"])("refuses %s", async (text) => {
    expect(await failure(() => parseReplacements(text))).toMatchObject({ code: "tagger.replacement", data: { pair: text } });
  });
});

describe("mergeCaption", () => {
  const text = (value: string): ExistingCaption => ({ kind: "text", text: value });
  const tags = ["1girl", "long hair", "smile"];

  test.each<[string, CaptionMode, ExistingCaption, string | undefined]>([
    ["writes where there is none", "keep", { kind: "none" }, "1girl, long hair, smile"],
    ["writes where there is only space", "keep", text(" \n"), "1girl, long hair, smile"],
    ["keeps", "keep", text("a cat"), undefined],
    ["appends what is new", "append", text("sls, Long_Hair,\n"), "sls, Long_Hair, 1girl, smile"],
    ["puts new tags in front", "prepend", text("long hair, sls\n"), "1girl, smile, long hair, sls"],
    ["leaves a caption alone that has them all", "append", text("smile, 1girl, long hair"), undefined],
    ["overwrites", "overwrite", text("a cat"), "1girl, long hair, smile"],
    ["changes the first of several lines", "append", text("a cat\nsecond, smile\n"), "a cat, 1girl, long hair, smile\nsecond, smile"],
    ["overwrites what can't be read", "overwrite", { kind: "unreadable" }, "1girl, long hair, smile"],
    ["does not append to what can't be read", "append", { kind: "unreadable" }, undefined],
  ])("%s (%s)", (_, mode, existing, result) => {
    expect(mergeCaption(existing, tags, mode)).toBe(result);
  });

  test("a picture without tags keeps what it has", () => {
    expect(mergeCaption(text("a cat"), [], "overwrite")).toBeUndefined();
    expect(mergeCaption({ kind: "none" }, [], "keep")).toBeUndefined();
  });
});

describe("picturesToTag", () => {
  const folder = (files: Readonly<Record<string, string | Uint8Array<ArrayBuffer>>>) =>
    blobFolder(Object.entries(files).map(([path, content]) => ({ path, file: new Blob([content]) })));

  test("finds captions, and says where new ones go", async () => {
    const pictures = await picturesToTag(
      folder({
        "t/2_a/a.png": "", "t/2_a/a.caption": "old", "t/2_a/b.png": "", "t/2_a/c.png": "", "t/2_a/c.txt": Uint8Array.of(0xff),
        "t/2_a/d.png": "", "t/2_a/d.txt": "whole", "t/2_a/d_1_2_3_4.png": "", "t/other.png": "",
      }),
      "txt",
    );
    expect(pictures).toEqual([
      { path: "t/2_a/a.png", captionPath: "t/2_a/a.caption", existing: { kind: "text", text: "old" } },
      { path: "t/2_a/b.png", captionPath: "t/2_a/b.txt", existing: { kind: "none" } },
      { path: "t/2_a/c.png", captionPath: "t/2_a/c.txt", existing: { kind: "unreadable" } },
      { path: "t/2_a/d.png", captionPath: "t/2_a/d.txt", existing: { kind: "text", text: "whole" } },
      { path: "t/2_a/d_1_2_3_4.png", captionPath: "t/2_a/d_1_2_3_4.txt", existing: { kind: "text", text: "whole" } },
    ]);
  });
});
