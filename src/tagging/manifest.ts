/**
 * What a tagger or captioner is: its files, what becomes of a picture before it goes in, and what comes out. Plain data, so
 * that a model which the catalogue does not know can bring its own (`captioner.json`, `tagger.json`).
 */
import * as v from "valibot";
import { InputError } from "../errors.ts";
import type { ImageInput } from "./image-input.ts";

const positive = v.pipe(v.number(), v.integer(), v.minValue(1));
const threshold = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
const tokenId = v.pipe(v.number(), v.integer(), v.minValue(0));
const three = v.tuple([v.number(), v.number(), v.number()]);
const nonZero = v.pipe(v.number(), v.check((value) => value !== 0));

const modelFile = v.strictObject({
  /** Its name in the model's own folder, without one. */
  name: v.pipe(v.string(), v.regex(/^[^/\\:]{1,120}$/)),
  url: v.optional(v.pipe(v.string(), v.url(), v.startsWith("https://"))),
  /** Size as the publisher gives it; undefined where it is not known for sure. */
  bytes: v.optional(positive),
  /** SHA-256 in hexadecimal; undefined where it is not known for sure. */
  sha256: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/))),
});

const imageInput: v.GenericSchema<unknown, ImageInput> = v.pipe(
  v.strictObject({
    size: v.pipe(positive, v.maxValue(2048)),
    alpha: v.picklist(["white", "drop"]),
    fit: v.picklist(["pad-white", "pad-edge", "squash", "crop"]),
    kernel: v.picklist(["area", "lanczos", "bicubic", "bilinear"]),
    layout: v.picklist(["NHWC", "NCHW"]),
    channels: v.picklist(["RGB", "BGR"]),
    scale: v.pipe(v.number(), v.minValue(0)),
    mean: three,
    std: v.tuple([nonZero, nonZero, nonZero]),
  }),
  // Repeated edges are what DeepDanbooru does, and it knows no other kernel.
  v.check(({ fit, kernel }) => fit !== "pad-edge" || kernel === "area", "“pad-edge” goes with the kernel “area” only"),
);

const common = {
  id: v.pipe(v.string(), v.regex(/^[\w.-]{1,80}$/)),
  title: v.pipe(v.string(), v.minLength(1), v.maxLength(120)),
  /** The page that the files come from. */
  page: v.optional(v.pipe(v.string(), v.url(), v.startsWith("https://"))),
  licence: v.optional(v.string()),
  input: imageInput,
};

const tagger = v.strictObject({
  format: v.literal("lorasmith-tagger-1"),
  kind: v.literal("tagger"),
  ...common,
  files: v.strictObject({ model: modelFile, labels: modelFile }),
  labelFormat: v.picklist(["wd-csv", "lines", "cl-json", "json-array"]),
  /** Whether the outputs are probabilities already, or get a sigmoid. */
  activation: v.picklist(["none", "sigmoid"]),
  thresholds: v.strictObject({ general: threshold, character: threshold }),
});

const settings = v.strictObject({
  mode: v.picklist(["greedy", "beam", "nucleus"]),
  beams: v.pipe(positive, v.maxValue(32)),
  lengthPenalty: v.pipe(v.number(), v.minValue(-5), v.maxValue(5)),
  earlyStopping: v.optional(v.union([v.boolean(), v.literal("never")]), false),
  topP: v.pipe(v.number(), v.gtValue(0), v.maxValue(1)),
  temperature: v.pipe(v.number(), v.gtValue(0), v.maxValue(100)),
  seed: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 32 - 1)),
  repetitionPenalty: v.pipe(v.number(), v.gtValue(0), v.maxValue(10)),
  /** No sequence of so many words comes twice; 0: may be. */
  noRepeat: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(10)), 0),
  minLength: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(500)),
  maxLength: v.pipe(positive, v.maxValue(500)),
  /** What a model that takes instructions is asked; "" for others. */
  instruction: v.optional(v.pipe(v.string(), v.maxLength(300)), ""),
});

const writing = {
  /** Numbers of the words that every caption begins with. */
  prompt: v.pipe(v.array(tokenId), v.minLength(1)),
  /** The word that ends a caption. */
  end: tokenId,
  /** What the prompt says; it is cut off in front of captions. */
  promptText: v.string(),
  settings,
  /** Whether captions lose words that the picture is said to show in writing, unless the user wants otherwise. */
  removesWords: v.boolean(),
};

/** Of the contract that `tools/captioners` writes. */
const converted = v.strictObject({
  format: v.literal("lorasmith-captioner-1"),
  kind: v.literal("captioner"),
  ...common,
  files: v.strictObject({ encoder: modelFile, decoder: modelFile, vocabulary: modelFile }),
  ...writing,
});

/** Florence-2 in the files in which it is published for ONNX Runtime. */
const florence = v.strictObject({
  format: v.literal("lorasmith-florence-1"),
  kind: v.literal("captioner"),
  ...common,
  files: v.strictObject({ vision: modelFile, embed: modelFile, encoder: modelFile, decoder: modelFile, tokenizer: modelFile }),
  ...writing,
});

const schema = v.variant("format", [tagger, converted, florence]);

export type TaggerManifest = v.InferOutput<typeof tagger>;
export type ConvertedManifest = v.InferOutput<typeof converted>;
export type FlorenceManifest = v.InferOutput<typeof florence>;
export type CaptionerManifest = ConvertedManifest | FlorenceManifest;
export type ModelManifest = TaggerManifest | CaptionerManifest;
export type ModelFile = v.InferOutput<typeof modelFile>;
export type LabelFormat = TaggerManifest["labelFormat"];
export type CaptionSettings = v.InferOutput<typeof settings>;

/** What a file is to its model. */
export type FileRole = keyof TaggerManifest["files"] | keyof ConvertedManifest["files"] | keyof FlorenceManifest["files"];

/** The files of a model, by what they are to it, in the order in which they are fetched: small ones last. */
export function filesOf(manifest: ModelManifest): readonly (readonly [FileRole, ModelFile])[] {
  return Object.entries(manifest.files) as [FileRole, ModelFile][];
}

/** Bytes of all files; undefined where one is not known. */
export function bytesOf(manifest: ModelManifest): number | undefined {
  const sizes = filesOf(manifest).map(([, { bytes }]) => bytes);
  return sizes.every((size) => size !== undefined) ? sizes.reduce((sum, size) => sum + size, 0) : undefined;
}

/**
 * Reads a manifest strictly: a field that is not known, or a value that is not exactly one of its field, is refused.
 * @param file name for messages
 * @throws InputError `tagger.manifest`
 */
export function readManifest(text: string, file: string): ModelManifest {
  let json: unknown;
  try {
    json = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (cause) {
    throw badManifest(file, "it is no JSON", cause);
  }
  const parsed = v.safeParse(schema, json);
  if (parsed.success) return parsed.output;
  const issue = parsed.issues[0];
  const place = v.getDotPath(issue);
  throw badManifest(file, place === null ? issue.message : `${place}: ${issue.message}`);
}

function badManifest(file: string, reason: string, cause?: unknown): InputError {
  const message = `${file} does not describe a tagger or captioner: ${reason}. Take the file that the conversion wrote.`;
  return new InputError("tagger.manifest", message, { file, reason }, cause === undefined ? {} : { cause });
}

/** How captions are made where somebody chose otherwise than the model's own settings. @throws InputError `captioner.settings` */
export function captionSettings(own: CaptionSettings, changes: Partial<CaptionSettings>): CaptionSettings {
  const parsed = v.safeParse(settings, { ...own, ...changes });
  if (!parsed.success) {
    const name = v.getDotPath(parsed.issues[0]) ?? "";
    const message = `Captions can't be made with this value of ${name}: ${parsed.issues[0].message}. Change it.`;
    throw new InputError("captioner.settings", message, { name });
  }
  const { minLength, maxLength } = parsed.output;
  if (minLength <= maxLength) return parsed.output;
  const message = `Captions of at least ${minLength} and at most ${maxLength} words don't exist. Change one of the two.`;
  throw new InputError("captioner.lengths", message, { minLength, maxLength });
}
