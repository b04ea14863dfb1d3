/** Which model some files on the user's disk are. */
import { InputError } from "../errors.ts";
import { catalogue, wdTagger } from "./catalogue.ts";
import { filesOf, readManifest, type ConvertedManifest, type FileRole, type ModelManifest, type TaggerManifest } from "./manifest.ts";

/** A file of the user's, wherever it lies. */
export interface OfferedFile {
  readonly name: string;
  readonly size: number;
  readonly text: () => Promise<string>;
}

export type Recognized<F extends OfferedFile> =
  | { readonly kind: "known"; readonly manifest: ModelManifest; readonly files: ReadonlyMap<FileRole, F> }
  /** The files look alike for several models; `candidates` are these. */
  | { readonly kind: "ask"; readonly candidates: readonly ConvertedManifest[]; readonly files: ReadonlyMap<FileRole, F> };

/**
 * Recognizes a model by the names of its files, or by a manifest among them: an .onnx and the list of its tags, or
 * encoder, decoder and vocab.txt of a captioner.
 * @throws InputError `tagger.files` where files are missing, `tagger.manifest`
 */
export async function recognize<F extends OfferedFile>(offered: readonly F[]): Promise<Recognized<F>> {
  const find = (pattern: RegExp): F | undefined => offered.find(({ name }) => pattern.test(name));
  const described = find(/^(captioner|tagger)\.json$/i);
  if (described !== undefined) return byManifest(readManifest(await described.text(), described.name), offered);
  if (find(/vision_encoder.*\.onnx$/i) !== undefined) return florence(offered);
  const [encoder, decoder, vocabulary] = [find(/encoder.*\.onnx$/i), find(/decoder.*\.onnx$/i), find(/vocab.*\.txt$/i)];
  if (encoder !== undefined || decoder !== undefined) {
    if (encoder === undefined || decoder === undefined || vocabulary === undefined) throw missing(offered);
    const candidates = catalogue.filter((entry) => entry.format === "lorasmith-captioner-1");
    return { kind: "ask", candidates, files: new Map<FileRole, F>([["encoder", encoder], ["decoder", decoder], ["vocabulary", vocabulary]]) };
  }
  const model = find(/^model\.onnx$/i) ?? find(/\.onnx$/i);
  const [labels, like] = listAmong(offered);
  if (model === undefined || labels === undefined || like === undefined) throw missing(offered);
  return { kind: "known", manifest: ownTagger(like, model, labels), files: new Map([["model", model], ["labels", labels]]) };
}

/** A manifest for files of a model that the catalogue knows, kept under a name of their own. */
export function localManifest<M extends ModelManifest>(like: M, files: ReadonlyMap<FileRole, OfferedFile>): M {
  const main = files.get(like.kind === "tagger" ? "model" : "decoder");
  const named = Object.fromEntries([...files].map(([role, { name, size }]) => [role, { name, bytes: size }]));
  return { ...like, id: localId(like.id, main), files: { ...like.files, ...named } };
}

function byManifest<F extends OfferedFile>(manifest: ModelManifest, offered: readonly F[]): Recognized<F> {
  const files = new Map<FileRole, F>();
  for (const [role, { name }] of filesOf(manifest)) {
    const file = offered.find((one) => one.name === name);
    if (file === undefined) throw missing(offered, name);
    files.set(role, file);
  }
  return { kind: "known", manifest: localManifest(manifest, files), files };
}

/** The published files, in whatever precision: `vision_encoder_fp16.onnx` and so on. */
function florence<F extends OfferedFile>(offered: readonly F[]): Recognized<F> {
  const like = catalogue.find((entry) => entry.format === "lorasmith-florence-1");
  const patterns: readonly (readonly [FileRole, RegExp, string])[] = [
    ["decoder", /decoder_model.*\.onnx$/i, "decoder_model_merged.onnx"], ["vision", /vision_encoder.*\.onnx$/i, "vision_encoder.onnx"],
    ["encoder", /encoder_model.*\.onnx$/i, "encoder_model.onnx"], ["embed", /embed_tokens.*\.onnx$/i, "embed_tokens.onnx"],
    ["tokenizer", /^tokenizer\.json$/i, "tokenizer.json"],
  ];
  const files = new Map<FileRole, F>();
  for (const [role, pattern, usual] of patterns) {
    const file = offered.find(({ name }) => name === usual) ?? offered.find(({ name }) => pattern.test(name));
    if (file === undefined || like === undefined) throw missing(offered, usual);
    files.set(role, file);
  }
  if (like === undefined) throw missing(offered);
  return { kind: "known", manifest: localManifest(like, files), files };
}

/** Lists of tags by their names, the surest first, and a tagger that has such a one. */
const lists: readonly (readonly [RegExp, (entry: TaggerManifest) => boolean])[] = [
  [/mapping.*\.json$/i, ({ labelFormat }) => labelFormat === "cl-json"],
  [/(tags|classes).*\.json$/i, ({ labelFormat }) => labelFormat === "json-array"],
  [/\.csv$/i, ({ labelFormat }) => labelFormat === "wd-csv"],
  [/tags.*\.txt$/i, ({ labelFormat }) => labelFormat === "lines"],
];

function listAmong<F extends OfferedFile>(offered: readonly F[]): readonly [F, TaggerManifest] | readonly [] {
  for (const [pattern, fits] of lists) {
    const list = offered.find(({ name }) => pattern.test(name));
    const like = catalogue.find((entry) => entry.kind === "tagger" && fits(entry));
    if (list !== undefined && like?.kind === "tagger") return [list, like];
  }
  return [];
}

function ownTagger(like: TaggerManifest, model: OfferedFile, labels: OfferedFile): TaggerManifest {
  const isWd = like.labelFormat === "wd-csv";
  return {
    ...(isWd ? { ...wdTagger, thresholds: { general: 0.35, character: 0.85 } } : like),
    id: localId(isWd ? "wd" : like.id, model),
    title: isWd ? `WD14: ${model.name}` : like.title,
    files: { model: { name: model.name, bytes: model.size }, labels: { name: labels.name, bytes: labels.size } },
  } as TaggerManifest;
}

/** Scores are kept under it, so other files have another one. */
function localId(base: string, main: OfferedFile | undefined): string {
  const name = (main?.name ?? "").replace(/\.onnx$/i, "").replaceAll(/[^\w.-]/g, "_").slice(0, 24);
  return `${base.slice(0, 36)}-${name}-${main?.size ?? 0}`;
}

function missing(offered: readonly OfferedFile[], wanted?: string): InputError {
  const names = offered.map(({ name }) => name).join(", ") || "No files";
  const what = wanted === undefined
    ? "a tagger is an .onnx file and the list of its tags (selected_tags.csv, tags.txt, tag_mapping.json), a captioner is encoder.onnx, "
      + "decoder.onnx and vocab.txt"
    : `${wanted} is missing`;
  const message = `${names}: ${what}. Choose all files of the model together.`;
  return new InputError("tagger.files", message, { files: names, wanted: wanted ?? "" });
}
