import { readFile } from "node:fs/promises";
import * as ort from "onnxruntime-web";
import { describe, expect, it, test } from "vitest";
import { defaultCaptionRules, finishCaption, parseRemovals, wordRemovals } from "../../src/tagging/caption/caption-text.ts";
import { catalogue, clInput, deepDanbooruInput, mlDanbooruInput } from "../../src/tagging/catalogue.ts";
import { readLabels, type TagLabel } from "../../src/tagging/labels.ts";
import { bytesOf as sizeOf, filesOf, readManifest, type LabelFormat } from "../../src/tagging/manifest.ts";
import { OnnxTagger } from "../../src/tagging/onnx-tagger.ts";
import { recognize } from "../../src/tagging/recognize.ts";
import { keepScores, scoreFloor } from "../../src/tagging/scores.ts";
import { chooseTags, defaultTagRules, type TagRules } from "../../src/tagging/tag-rules.ts";
// From the projects' own steps, with Pillow, scikit-image and ONNX Runtime: tests/reference/make_tagger_kinds.py.
import expected from "../reference/data/tagger-kinds/expected.json" with { type: "json" };
import { dataFile } from "./run-bin.ts";

ort.env.logLevel = "fatal";

const read = async (name: string) => new Uint8Array(await readFile(dataFile(`tagger-kinds/${name}`)));
const encode = (text: string) => new TextEncoder().encode(text);
const listOf = async (name: string, format: LabelFormat) => readLabels(await read(name), name, format);

test.each([
  ["DeepDanbooru", "deepdanbooru", "deepdanbooru.onnx", "tags.txt", "lines", deepDanbooruInput, "none"],
  ["CL tagger", "cl", "cl.onnx", "tag_mapping.json", "cl-json", clInput, "sigmoid"],
  ["ML-Danbooru", "ml", "ml.onnx", "classes.json", "json-array", mlDanbooruInput, "sigmoid"],
] as const)("%s scores pictures of any size, transparent and tiny ones too, as its own project does", async (_, kind, file, list, format, input, activation) => {
  const labels = await listOf(list, format);
  const source = { manifest: { input, activation }, model: { name: file, bytes: await read(file) }, labels };
  const tagger = await OnnxTagger.open(ort, source, ["wasm"]);
  for (const { width, height, rgba, scores: python } of expected.pictures) {
    const image = { width, height, data: Uint8Array.from(Buffer.from(rgba, "base64")) };
    const { indices, values } = await tagger.tag(image, "picture");
    const found = new Map([...indices].map((label, i) => [label, values[i]!]));
    for (const [label, score] of python[kind].entries()) {
      expect(Math.abs((found.get(label) ?? 0) - score)).toBeLessThan(found.has(label) ? 1e-3 : scoreFloor + 1e-3);
    }
  }
  await tagger.release();
});

describe("readLabels", () => {
  it("takes a line for a tag, and ratings for what they are", async () => {
    const labels = await listOf("tags.txt", "lines");
    expect(labels.slice(-2)).toEqual([{ name: "rating:questionable", kind: "rating" }, { name: "rating:explicit", kind: "rating" }]);
    expect(labels[3]).toEqual({ name: "^_^", kind: "general" });
  });

  it("reads CL's mapping in both forms", async () => {
    const labels = await listOf("tag_mapping.json", "cl-json");
    expect(labels.map(({ kind }) => kind)).toEqual([
      "rating", "rating", "general", "general", "general", "character", "copyright", "quality", "quality", "meta", "model", "artist",
    ]);
    const other = {
      idx_to_tag: Object.fromEntries(labels.map(({ name }, i) => [i, name])),
      tag_to_category: Object.fromEntries(labels.map(({ name, kind }) => [name, kind[0]!.toUpperCase() + kind.slice(1)])),
    };
    expect(readLabels(encode(JSON.stringify(other)), "x.json", "cl-json")).toEqual(labels);
  });

  test.each<[string, LabelFormat, string, string]>([
    ["a page", "lines", "<!doctype html>\n<p>not found</p>", "it is a page instead of a list"],
    ["a table", "lines", "tag_id,name,category\n1,solo,0", "it is a table instead of a list"],
    ["nothing", "lines", "\n\n", "there are no tags in it"],
    ["no JSON", "cl-json", "{", "it is no JSON"],
    ["a list", "cl-json", "[]", "it is no mapping of numbers to tags"],
    ["a gap", "cl-json", '{"0":{"tag":"a","category":"General"},"2":{"tag":"b","category":"General"}}', "output 1 has no tag"],
    ["no category", "cl-json", '{"0":{"tag":"a"}}', "“a” has no category"],
    ["a mapping", "json-array", "{}", "it is no list"],
    ["numbers", "json-array", "[1]", "entry 0 is no tag"],
  ])("tells %s where %s is wanted", (_, format, text, reason) => {
    expect(() => readLabels(encode(text), "list", format)).toThrow(expect.objectContaining({ code: "tagger.labels", data: expect.objectContaining({ reason }) }) as Error);
  });
});

describe("chooseTags, with the kinds of tags that CL knows", () => {
  const labels: TagLabel[] = [
    { name: "general", kind: "rating" }, { name: "explicit", kind: "rating" }, { name: "best_quality", kind: "quality" },
    { name: "worst_quality", kind: "quality" }, { name: "solo", kind: "general" }, { name: "1girl", kind: "general" },
    { name: "artoria_pendragon_(lancer)_(fate)", kind: "character" }, { name: "fate", kind: "copyright" }, { name: "somebody", kind: "artist" },
  ];
  const scores = keepScores(Float32Array.of(0.2, 0.1, 0.02, 0.3, 0.6, 0.9, 0.88, 0.5, 0.4));
  const choose = (changes: Partial<TagRules>) => chooseTags(labels, scores, { ...defaultTagRules, ...changes });

  it("writes the likeliest rating and quality only where they are asked for, whatever their scores", () => {
    expect(choose({ rating: "first", quality: "last", generalThreshold: 0.7 })).toEqual(["general", "1girl", "artoria pendragon (lancer) (fate)", "worst quality"]);
    expect(choose({ generalThreshold: 0.7 })).toEqual(["1girl", "artoria pendragon (lancer) (fate)"]);
  });

  it("takes the series out of a character's name, from its last brackets, and writes it once", () => {
    expect(choose({ expandsCharacters: true })).toEqual(["1girl", "artoria pendragon (lancer)", "fate", "solo", "somebody"]);
  });

  it("has thresholds for kinds, the general one where there is none", () => {
    expect(choose({ kindThresholds: { copyright: 0.51, artist: 0.4 } })).toEqual(["1girl", "artoria pendragon (lancer) (fate)", "solo", "somebody"]);
  });

  it("orders by alphabet, and puts characters first on request", () => {
    expect(choose({ order: "name", charactersFirst: true })).toEqual(["artoria pendragon (lancer) (fate)", "1girl", "fate", "solo", "somebody"]);
  });

  it("finds thresholds in the widest gap of general tags and of characters", () => {
    const many: TagLabel[] = [0.9, 0.85, 0.8, 0.3, 0.25].map((_, i) => ({ name: `g${i}`, kind: "general" }));
    const characters: TagLabel[] = [{ name: "c0", kind: "character" }, { name: "c1", kind: "character" }];
    const kept = keepScores(Float32Array.of(0.9, 0.85, 0.8, 0.3, 0.25, 0.14, 0.01));
    // Characters would have 0.075, which is below what counts as sure.
    expect(chooseTags([...many, ...characters], kept, { ...defaultTagRules, isMcut: true })).toEqual(["g0", "g1", "g2"]);
    const surer = keepScores(Float32Array.of(0.9, 0.85, 0.8, 0.3, 0.25, 0.3, 0.01));
    expect(chooseTags([...many, ...characters], surer, { ...defaultTagRules, isMcut: true })).toEqual(["g0", "g1", "g2", "c0"]);
  });
});

describe("finishCaption", () => {
  it("cuts off what the prompt says, and puts words around", () => {
    expect(finishCaption("a picture of a man with a hammer", "a picture of", { ...defaultCaptionRules, prefix: "smith,", suffix: ", anime" }))
      .toBe("smith, a man with a hammer, anime");
  });

  test.each([
    ["a man with the word hello on his shirt", "a man shirt"],
    ['a book that says "no man" on it', "a book"],
    ["a woman with a sign that says 'hi there'", "a woman"],
    ["a car with the number 7 on it.", "a car."],
    ["a cat and the letters abc", "a cat"],
    ["a drawing of a blacksmith with a hammer.", "a drawing of a blacksmith with a hammer."],
  ])("takes out of “%s” what is said to be written there", (text, result) => {
    expect(finishCaption(text, "", { ...defaultCaptionRules, removals: wordRemovals })).toBe(result);
  });

  it("reads patterns of the user's and refuses what is none", () => {
    expect(parseRemovals(" a+ \n\n b\\d\r\n")).toEqual(["a+", "b\\d"]);
    expect(() => parseRemovals("a(")).toThrow(expect.objectContaining({ code: "captioner.removal" }) as Error);
  });
});

describe("manifests", () => {
  it("of the catalogue are valid, with ids of their own, and addresses by https", () => {
    for (const entry of catalogue) expect(readManifest(JSON.stringify(entry), "x")).toEqual(entry);
    expect(new Set(catalogue.map(({ id }) => id)).size).toBe(catalogue.length);
    for (const entry of catalogue.filter(({ kind }) => kind === "tagger")) {
      for (const [, { url, name }] of filesOf(entry)) expect(url).toMatch(new RegExp(`^https://huggingface\\.co/[^?]+/${name.replaceAll(".", "\\.")}$`));
    }
  });

  it("know their whole size only where all files' sizes are known", () => {
    const [first] = catalogue;
    expect(sizeOf(first!)).toBeUndefined();
    if (first?.kind !== "tagger") throw new Error("the first is a tagger");
    const files = { model: { ...first.files.model, bytes: 5 }, labels: { ...first.files.labels, bytes: 6 } };
    expect(sizeOf({ ...first, files })).toBe(11);
  });

  const valid = JSON.parse(JSON.stringify(catalogue[0])) as Record<string, unknown>;
  test.each<[string, object | string, RegExp]>([
    ["no JSON", "{", /no JSON/],
    ["another kind", { kind: "dog" }, /kind/],
    ["another version", { format: "lorasmith-tagger-2" }, /format/],
    ["a field that is not known", { surprise: 1 }, /surprise/],
    ["a path for a name", { files: { model: { name: "../x.onnx" }, labels: { name: "b" } } }, /files\.model\.name/],
    ["an address without encryption", { files: { model: { name: "a", url: "http://x.org/a" }, labels: { name: "b" } } }, /files\.model\.url/],
    ["a hash that is none", { files: { model: { name: "a", sha256: "12" }, labels: { name: "b" } } }, /sha256/],
    ["a file that is missing", { files: { model: { name: "a" } } }, /labels/],
    ["a threshold above 1", { thresholds: { general: 35, character: 1 } }, /thresholds\.general/],
    ["a division by zero", { input: { ...(valid["input"] as object), std: [1, 0, 1] } }, /input\.std/],
    ["repeated edges by another kernel", { input: { ...(valid["input"] as object), fit: "pad-edge", kernel: "bicubic" } }, /pad-edge/],
  ])("with %s are refused with the place", (_, change, reason) => {
    const text = typeof change === "string" ? change : JSON.stringify({ ...valid, ...change });
    expect(() => readManifest(text, "tagger.json")).toThrow(
      expect.objectContaining({ code: "tagger.manifest", message: expect.stringMatching(reason) as string }) as Error,
    );
  });
});

describe("recognize", () => {
  const offered = (names: Record<string, string>) =>
    Object.entries(names).map(([name, content]) => ({ name, size: content.length, text: async () => content }));

  test.each([
    [["model.onnx", "selected_tags.csv"], "wd-csv", "none", "NHWC"],
    [["x.onnx", "tags.txt"], "lines", "none", "NHWC"],
    [["x.onnx", "tag_mapping.json"], "cl-json", "sigmoid", "NCHW"],
    [["x.onnx", "classes.json"], "json-array", "sigmoid", "NCHW"],
  ])("knows %s", async (names, labelFormat, activation, layout) => {
    const found = await recognize(offered(Object.fromEntries(names.map((name) => [name, name]))));
    expect(found).toMatchObject({ kind: "known", manifest: { labelFormat, activation, input: { layout } } });
    expect([...found.files.values()].map(({ name }) => name)).toEqual(names);
    const manifest = "manifest" in found ? found.manifest : undefined;
    expect(readManifest(JSON.stringify(manifest), "x")).toEqual(manifest);
  });

  it("asks which captioner it is where nothing says so, and believes what the conversion wrote", async () => {
    const files = { "encoder.onnx": "1", "decoder.onnx": "22", "vocab.txt": "3" };
    const asked = await recognize(offered(files));
    expect(asked).toMatchObject({ kind: "ask" });
    expect("candidates" in asked ? asked.candidates.map(({ id }) => id) : []).toContain("blip-large");
    const described = { ...files, "captioner.json": await readFile(dataFile("captioner-blip/captioner.json"), "utf8") };
    expect(await recognize(offered(described))).toMatchObject({ kind: "known", manifest: { kind: "captioner", promptText: "a picture of" } });
  });

  it("gives other files another name, under which other scores are kept", async () => {
    const ids = await Promise.all(["1", "22"].map(async (content) => {
      const found = await recognize(offered({ "model.onnx": content, "selected_tags.csv": "" }));
      return found.kind === "known" ? found.manifest.id : "";
    }));
    expect(new Set(ids).size).toBe(2);
  });

  test.each([[["model.onnx"]], [["selected_tags.csv"]], [["encoder.onnx", "vocab.txt"]], [["holiday.jpg"]]])("says what is missing beside %s", async (names) => {
    const files = offered(Object.fromEntries(names.map((name) => [name, ""])));
    await expect(recognize(files)).rejects.toMatchObject({ code: "tagger.files" });
  });

  it("says which file of a manifest is missing", async () => {
    const files = offered({ "encoder.onnx": "", "captioner.json": await readFile(dataFile("captioner-git/captioner.json"), "utf8") });
    await expect(recognize(files)).rejects.toMatchObject({ code: "tagger.files", data: { wanted: "decoder.onnx" } });
  });
});
