import { readFile } from "node:fs/promises";
import * as ort from "onnxruntime-web";
import { expect, it, test, vi } from "vitest";
import { ByteBpe } from "../../src/tagging/caption/byte-bpe.ts";
import { FlorenceCaptioner } from "../../src/tagging/caption/florence-captioner.ts";
import { catalogue } from "../../src/tagging/catalogue.ts";
import { captionSettings, filesOf, type FileRole, type FlorenceManifest } from "../../src/tagging/manifest.ts";
import type { LoadedFile } from "../../src/tagging/onnx-runtime.ts";
import { recognize } from "../../src/tagging/recognize.ts";
// From transformers and tokenizers: tests/reference/make_florence.py.
import expected from "../reference/data/captioner-florence/expected.json" with { type: "json" };
import { dataFile } from "./run-bin.ts";

ort.env.logLevel = "fatal";
vi.setConfig({ testTimeout: 60_000 });

interface Settings {
  readonly num_beams?: number;
  readonly length_penalty?: number;
  readonly early_stopping?: boolean;
  readonly no_repeat_ngram_size?: number;
  readonly min_length?: number;
  readonly max_length: number;
}

const published = catalogue.find((entry) => entry.format === "lorasmith-florence-1") as FlorenceManifest;
const manifest: FlorenceManifest = { ...published, input: { ...published.input, size: expected.size } };
const files = new Map<FileRole, LoadedFile>();
for (const [role, { name }] of filesOf(manifest)) {
  files.set(role, { name, bytes: new Uint8Array(await readFile(dataFile(`captioner-florence/${name}`))) });
}
const open = (changes: Partial<Record<FileRole, FileRole>> = {}) =>
  FlorenceCaptioner.open(ort, { manifest, file: (role) => files.get(changes[role] ?? role)! }, ["wasm"]);

it("writes the same words as transformers' generate: greedy and beams, with sequences that may not come again", async () => {
  const captioner = await open();
  const ends = [];
  for (const { width, height, rgba, runs } of expected.pictures) {
    const image = { width, height, data: Uint8Array.from(Buffer.from(rgba, "base64")) };
    for (const run of runs) {
      const named: Settings = run.settings;
      const settings = captionSettings(published.settings, {
        mode: (named.num_beams ?? 1) > 1 ? "beam" : "greedy", beams: named.num_beams ?? 1, lengthPenalty: named.length_penalty ?? 1,
        earlyStopping: named.early_stopping ?? false, noRepeat: named.no_repeat_ngram_size ?? 0, minLength: named.min_length ?? 0,
        maxLength: named.max_length, instruction: expected.text,
      });
      const { tokens, text } = await captioner.caption(image, "picture", settings, () => 0);
      expect({ settings: named, tokens }).toEqual({ settings: named, tokens: run.tokens });
      expect(text).toBe(run.text.trim());
      ends.push(tokens.at(-1) === 2);
    }
  }
  // Captions that end by themselves, and such that are cut off.
  expect([...new Set(ends)].toSorted()).toEqual([false, true]);
  await captioner.release();
});

it("writes something else when it is asked something else", async () => {
  const captioner = await open();
  const [{ width, height, rgba }] = expected.pictures as [(typeof expected.pictures)[number]];
  const image = { width, height, data: Uint8Array.from(Buffer.from(rgba, "base64")) };
  const ask = (instruction: string) => captioner.caption(image, "picture", captionSettings(published.settings, { instruction, maxLength: 12 }), () => 0);
  expect((await ask("a man")).tokens).not.toEqual((await ask("two cats; a red hat!")).tokens);
  await captioner.release();
});

test.each(expected.encoded)("byte pairs of “$text” are the tokenizer's", ({ text, tokens }) => {
  const bpe = ByteBpe.read(files.get("tokenizer")!.bytes, "tokenizer.json");
  expect(bpe.encode(text)).toEqual(tokens);
  expect(bpe.decode(tokens)).toBe(text);
});

it("refuses files that are others than they are said to be", async () => {
  await expect(open({ vision: "embed" })).rejects.toMatchObject({ code: "captioner.graph", data: { file: "embed_tokens.onnx" } });
  await expect(open({ decoder: "tokenizer" })).rejects.toMatchObject({ code: "tagger.model" });
  await expect(open({ tokenizer: "embed" })).rejects.toMatchObject({ code: "captioner.vocabulary" });
});

it("is recognized by its files, in whatever precision they are", async () => {
  const names = ["vision_encoder_fp16.onnx", "embed_tokens.onnx", "encoder_model.onnx", "decoder_model_merged_q4.onnx", "tokenizer.json"];
  const offered = names.map((name) => ({ name, size: 1, text: async () => "" }));
  const found = await recognize(offered);
  expect(found).toMatchObject({ kind: "known", manifest: { format: "lorasmith-florence-1", files: { decoder: { name: "decoder_model_merged_q4.onnx" } } } });
  await expect(recognize(offered.slice(0, 3))).rejects.toMatchObject({ code: "tagger.files" });
});
