/** The command `tag`: captions beside pictures, from a WD14 tagger on ONNX Runtime's WebAssembly build. */
import { dirname, join, resolve } from "node:path";
import { LorasmithError } from "../errors.ts";
import { captionModes, mayChange, mergeCaption, type CaptionMode } from "../tagging/merge-caption.ts";
import { readLabels } from "../tagging/labels.ts";
import { OnnxTagger } from "../tagging/onnx-tagger.ts";
import { picturesToTag } from "../tagging/pictures.ts";
import { scoreFloor } from "../tagging/scores.ts";
import { splitTags } from "../dataset/tag-names.ts";
import { chooseTags, defaultTagRules, parseReplacements, type TagRules } from "../tagging/tag-rules.ts";
import { noMore, readOptions, usageError, type Command } from "./command.ts";
import { openNodeFile } from "./node-file.ts";
import { openNodeFolder } from "./node-folder.ts";
import { decodeNodeImage } from "./node-images.ts";
import { clearLive, live, warn } from "./terminal.ts";
import { writeWhole } from "./write-file.ts";

const help = `lorasmith tag --tagger FOLDER --data FOLDER [options]

Writes tags as caption files beside pictures. The pictures are those that "train" would use. Those that have a caption
keep it, unless --append, --prepend or --overwrite says otherwise. Runs on the CPU; no GPU is needed.

  --tagger FOLDER    a WD14 tagger: model.onnx and selected_tags.csv
  --data FOLDER      pictures, or folders of pictures such as "10_sls 1girl"
  --append           add new tags behind captions that are there
  --prepend          add new tags in front of captions that are there
  --overwrite        replace captions that are there
  --dry-run          print what would be written, write nothing
  --caption-extension EXT    ending of new caption files; default .txt

Which tags
  --threshold N              score from which a tag is taken; default ${defaultTagRules.generalThreshold}
  --character-threshold N    the same for characters; default ${defaultTagRules.characterThreshold}; more than 1 takes none
  --undesired-tags LIST      tags never to write, separated by commas
  --tag-replacement PAIRS    old,new;old,new: whole tags renamed; "old," removes; \\, and \\; are part of a tag

How they are written
  --order score|list         surest first (default), or as in the tagger's list, which is what sd-scripts does
  --add-tags LIST            put in front of every caption, e.g. a trigger word
  --always-first-tags LIST   moved to the front where they are found
  --keep-underscores         long_hair instead of long hair
  --escape-brackets          saber \\(fate\\) instead of saber (fate)
`;

export const tagCommand: Command = { name: "tag", summary: "write captions with a tagger", help, run: runTag };

const optionTypes = {
  tagger: { type: "string" },
  data: { type: "string" },
  threshold: { type: "string" },
  "character-threshold": { type: "string" },
  append: { type: "boolean", default: false },
  prepend: { type: "boolean", default: false },
  overwrite: { type: "boolean", default: false },
  "caption-extension": { type: "string", default: ".txt" },
  "dry-run": { type: "boolean", default: false },
  "undesired-tags": { type: "string", default: "" },
  "tag-replacement": { type: "string", default: "" },
  order: { type: "string", default: defaultTagRules.order },
  "add-tags": { type: "string", default: "" },
  "always-first-tags": { type: "string", default: "" },
  "keep-underscores": { type: "boolean", default: false },
  "escape-brackets": { type: "boolean", default: false },
} as const;

type Options = ReturnType<typeof readTagOptions>["values"];
const readTagOptions = (argv: string[]) => readOptions("tag", argv, optionTypes);

async function runTag(argv: string[]): Promise<number> {
  const { values: options, positionals } = readTagOptions(argv);
  noMore("tag", positionals);
  if (options.tagger === undefined) throw usageError("tag", "--tagger is missing");
  if (options.data === undefined) throw usageError("tag", "--data is missing");
  const mode = chosenMode(options);
  const rules = chosenRules(options);
  const extension = options["caption-extension"];
  if (/[/\\]/.test(extension)) throw usageError("tag", `--caption-extension is "${extension}", which is no file ending`);
  const folder = await openNodeFolder(options.data);
  const pictures = await picturesToTag(folder, extension);
  const { tagger, labels } = await openTagger(options.tagger);
  const above = dirname(resolve(options.data));
  const frequencies = new Map<string, number>();
  const result = { written: 0, unchanged: 0, failed: 0 };
  for (const [i, { path, captionPath, existing }] of pictures.entries()) {
    if (process.stderr.isTTY) live(`Tagging ${i + 1} of ${pictures.length}: ${path}`);
    if (!mayChange(existing, mode)) {
      result.unchanged += 1;
      continue;
    }
    try {
      const image = await decodeNodeImage(await folder.read(path), path);
      const tags = chooseTags(labels, await tagger.tag(image, path), rules);
      for (const tag of tags) frequencies.set(tag, (frequencies.get(tag) ?? 0) + 1);
      const caption = mergeCaption(existing, tags, mode);
      result[caption === undefined ? "unchanged" : "written"] += 1;
      if (caption === undefined) continue;
      if (!options["dry-run"]) await writeWhole(join(above, captionPath), `${caption}\n`);
      else printLine(`${captionPath}: ${caption}`);
    } catch (error) {
      if (!(error instanceof LorasmithError) || !/^(image|file\.unreadable)/.test(error.code)) throw error;
      result.failed += 1;
      warn(error.message);
    }
  }
  await tagger.release();
  printLine(summary(result, options["dry-run"], frequencies));
  return result.failed === 0 ? 0 : 2;
}

function chosenMode(options: Options): CaptionMode {
  const chosen = captionModes.filter((mode) => mode !== "keep" && options[mode]);
  if (chosen.length > 1) throw usageError("tag", `--${chosen.join(" and --")} contradict each other`);
  return chosen[0] ?? "keep";
}

/** @throws InputError `cli.usage`, `tagger.replacement` */
function chosenRules(options: Options): TagRules {
  const { order } = options;
  if (order !== "score" && order !== "list") throw usageError("tag", `--order is "${order}"; it is score or list`);
  return {
    generalThreshold: threshold(options, "threshold", defaultTagRules.generalThreshold),
    characterThreshold: threshold(options, "character-threshold", defaultTagRules.characterThreshold),
    order,
    inWords: !options["keep-underscores"],
    escapeBrackets: options["escape-brackets"],
    added: splitTags(options["add-tags"]),
    first: splitTags(options["always-first-tags"]),
    undesired: splitTags(options["undesired-tags"]),
    replacements: parseReplacements(options["tag-replacement"]),
  };
}

function threshold(options: Options, name: "threshold" | "character-threshold", usual: number): number {
  const text = options[name];
  if (text === undefined) return usual;
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (value >= scoreFloor && value < Infinity) return value;
  throw usageError("tag", `--${name} is "${text}"; it is a number from ${scoreFloor}`);
}

async function openTagger(folder: string) {
  const labels = readLabels(await readWhole(join(folder, "selected_tags.csv")), join(folder, "selected_tags.csv"));
  const modelName = join(folder, "model.onnx");
  const model = await readWhole(modelName);
  // Fourteen megabytes of WebAssembly that no other command needs.
  const ort = await import("onnxruntime-web");
  ort.env.logLevel = "fatal";
  return { tagger: await OnnxTagger.open(ort, { model, modelName, labels }, ["wasm"]), labels };
}

async function readWhole(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const file = await openNodeFile(path);
  try {
    return await file.read(0, file.size);
  } finally {
    await file.close();
  }
}

/** This many tags are named in the summary. */
const namedTags = 12;

function summary(
  { written, unchanged, failed }: Readonly<Record<"written" | "unchanged" | "failed", number>>,
  isDry: boolean,
  frequencies: ReadonlyMap<string, number>,
): string {
  const counts = [
    `${written} ${written === 1 ? "caption" : "captions"} ${isDry ? "to write" : "written"}`,
    `${unchanged} left as ${unchanged === 1 ? "it was" : "they were"}`,
    ...(failed === 0 ? [] : [`${failed} ${failed === 1 ? "picture" : "pictures"} could not be read`]),
  ];
  const frequent = [...frequencies].toSorted(([, a], [, b]) => b - a).slice(0, namedTags).map(([tag, n]) => `${tag} (${n})`);
  return counts.join(", ") + (frequent.length === 0 ? "" : `\nMost frequent: ${frequent.join(", ")}`);
}

function printLine(text: string): void {
  clearLive();
  process.stdout.write(`${text}\n`);
}
