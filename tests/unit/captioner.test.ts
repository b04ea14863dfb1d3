import { readFile } from "node:fs/promises";
import * as ort from "onnxruntime-web";
import { describe, expect, it, vi } from "vitest";
import type { RgbaImage } from "../../src/dataset/image.ts";
import { InputError } from "../../src/errors.ts";
import { OnnxCaptioner } from "../../src/tagging/caption/onnx-captioner.ts";
import { WordPieces } from "../../src/tagging/caption/word-pieces.ts";
import { imageInput } from "../../src/tagging/image-input.ts";
import { captionSettings, readManifest, type CaptionerManifest, type ConvertedManifest } from "../../src/tagging/manifest.ts";
// From transformers: tests/reference/make_captioners.py.
import blip from "../reference/data/captioner-blip/expected.json" with { type: "json" };
import git from "../reference/data/captioner-git/expected.json" with { type: "json" };
import { dataFile } from "./run-bin.ts";

ort.env.logLevel = "fatal";
vi.setConfig({ testTimeout: 60_000 });

interface Settings {
  readonly num_beams?: number;
  readonly top_p?: number;
  readonly temperature?: number;
  readonly repetition_penalty?: number;
  readonly length_penalty?: number;
  readonly early_stopping?: boolean | string;
  readonly min_length?: number;
  readonly max_length: number;
}

const bytesOf = (base64: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(base64, "base64"));
const imageOf = ({ width, height, rgba }: (typeof blip.pictures)[number]): RgbaImage => ({ width, height, data: bytesOf(rgba) });

async function source(name: string) {
  const read = async (file: string) => ({ name: file, bytes: new Uint8Array(await readFile(dataFile(`captioner-${name}/${file}`))) });
  const manifest = readManifest(new TextDecoder().decode((await read("captioner.json")).bytes), "captioner.json") as ConvertedManifest;
  return { manifest, encoder: await read("encoder.onnx"), decoder: await read("decoder.onnx"), vocabulary: await read("vocab.txt") };
}

/** transformers' names, and its defaults for what is not named. */
function settingsOf(manifest: CaptionerManifest, named: Settings, isDrawn: boolean) {
  const stopping = named.early_stopping;
  return captionSettings(manifest.settings, {
    mode: isDrawn ? "nucleus" : (named.num_beams ?? 1) > 1 ? "beam" : "greedy",
    beams: named.num_beams ?? 1,
    topP: named.top_p ?? 1,
    temperature: named.temperature ?? 1,
    repetitionPenalty: named.repetition_penalty ?? 1,
    lengthPenalty: named.length_penalty ?? 1,
    earlyStopping: stopping === "never" ? "never" : stopping === true,
    minLength: named.min_length ?? 0,
    maxLength: named.max_length,
  });
}

async function failure(work: Promise<unknown>): Promise<InputError> {
  const error: unknown = await work.then(() => undefined, (reason: unknown) => reason);
  if (error instanceof InputError) return error;
  throw new Error(`expected an InputError, not ${String(error)}`);
}

describe.each([["BLIP", "blip", blip], ["GIT", "git", git]] as const)("a captioner of %s's contract", (_, name, expected) => {
  it("takes pictures as transformers' processor prepares them", async () => {
    const { manifest } = await source(name);
    for (const picture of expected.pictures) {
      const pixels = imageInput(imageOf(picture), manifest.input, "picture");
      // Every seventh is stored. A level that lies between two may go either way.
      const steps = picture.pixels.map((value, i) => Math.abs(value - pixels[i * 7]!));
      expect(Math.max(...steps)).toBeLessThan(0.016);
      expect(steps.filter((step) => step > 1e-4).length / steps.length).toBeLessThan(0.002);
    }
  });

  it("writes the same words as transformers' generate: greedy, beams, and draws", async () => {
    const files = await source(name);
    const captioner = await OnnxCaptioner.open(ort, files, ["wasm"]);
    let compared = 0;
    for (const picture of expected.pictures) {
      for (const run of picture.runs) {
        const draws = "draws" in run ? [...(run.draws as number[])] : [];
        const settings = settingsOf(files.manifest, run.settings, draws.length > 0);
        const { tokens, text } = await captioner.caption(imageOf(picture), "picture", settings, () => draws.shift()!);
        expect({ settings: run.settings, tokens }).toEqual({ settings: run.settings, tokens: run.tokens });
        // Of what was drawn, the tokens are stored alone.
        expect(text).toBe("text" in run ? run.text : text);
        compared += 1;
      }
    }
    expect(compared).toBe(56);
    await captioner.release();
  });

  it("decodes pieces as BERT's tokenizer does", async () => {
    const words = WordPieces.read((await source(name)).vocabulary.bytes, "vocab.txt");
    for (const { tokens, text } of expected.decoded) expect(words.decode(tokens)).toBe(text);
  });
});

describe("OnnxCaptioner", () => {
  it("refuses files that do not belong together", async () => {
    const [one, other] = [await source("blip"), await source("git")];
    const open = (changes: object) => OnnxCaptioner.open(ort, { ...one, ...changes }, ["wasm"]);
    expect(await failure(open({ encoder: one.decoder }))).toMatchObject({ code: "captioner.encoder" });
    expect(await failure(open({ decoder: one.encoder }))).toMatchObject({ code: "captioner.decoder", data: { found: "pixel_values" } });
    expect(await failure(open({ decoder: one.vocabulary }))).toMatchObject({ code: "tagger.model" });
    expect(await failure(open({ vocabulary: other.decoder }))).toMatchObject({ code: "captioner.vocabulary" });
    const larger = { ...one.manifest, input: { ...one.manifest.input, size: 384 } };
    expect(await failure(open({ manifest: larger }))).toMatchObject({ code: "captioner.encoder", data: { size: 384 } });
  });
});
