/** The command `tag`: captions beside pictures, from a tagger or captioner on ONNX Runtime's WebAssembly build. */
import { dirname, join, resolve } from "node:path";
import { LorasmithError } from "../errors.ts";
import { finishCaption } from "../tagging/caption/caption-text.ts";
import { readLabels } from "../tagging/labels.ts";
import type { CaptionSettings } from "../tagging/manifest.ts";
import { mayChange, mergeCaption } from "../tagging/merge-caption.ts";
import type { Reading } from "../tagging/open-model.ts";
import { picturesToTag } from "../tagging/pictures.ts";
import { chooseTags } from "../tagging/tag-rules.ts";
import { noMore, usageError, type Command } from "./command.ts";
import { openNodeFolder } from "./node-folder.ts";
import { decodeNodeImage } from "./node-images.ts";
import { findModel, openFoundModel, readWhole, type FoundModel } from "./tag-model.ts";
import { chosenCaptionRules, chosenMode, chosenRules, chosenSettings, readTagOptions, tagHelp, type TagOptionValues } from "./tag-options.ts";
import { clearLive, live, warn } from "./terminal.ts";
import { writeWhole } from "./write-file.ts";

export const tagCommand: Command = { name: "tag", summary: "write captions with a tagger or captioner", help: tagHelp, run: runTag };

async function runTag(argv: string[]): Promise<number> {
  const { values: options, positionals } = readTagOptions(argv);
  noMore("tag", positionals);
  if (options.tagger === undefined) throw usageError("tag", "--tagger is missing");
  if (options.data === undefined) throw usageError("tag", "--data is missing");
  const mode = chosenMode(options);
  const extension = options["caption-extension"];
  if (/[/\\]/.test(extension)) throw usageError("tag", `--caption-extension is "${extension}", which is no file ending`);
  const found = await findModel(options.tagger, options.kind);
  const { settings, write } = await rulesFor(found, options);
  const folder = await openNodeFolder(options.data);
  const pictures = await picturesToTag(folder, extension);
  const model = await openFoundModel(found);
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
      const bytes = await folder.read(path);
      const image = await decodeNodeImage(bytes, path);
      const tags = write(await model.read(image, path, bytes, settings));
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
  await model.release();
  const isTagger = found.manifest.kind === "tagger";
  printLine(summary(result, options["dry-run"], isTagger ? frequencies : new Map()));
  return result.failed === 0 ? 0 : 2;
}

interface ModelRules {
  readonly settings: Partial<CaptionSettings>;
  /** What is written of a reading: tags, or one caption; nothing where the model said nothing. */
  readonly write: (reading: Reading) => string[];
}

/** @throws InputError `cli.usage`, `tagger.*`, `captioner.*`, `file.unreadable` */
async function rulesFor({ manifest, paths }: FoundModel, options: TagOptionValues): Promise<ModelRules> {
  if (manifest.kind === "captioner") {
    const rules = chosenCaptionRules(options, manifest);
    const write = (reading: Reading): string[] => {
      const caption = reading.kind === "text" ? finishCaption(reading.text, manifest.promptText, rules) : "";
      return caption === "" ? [] : [caption];
    };
    return { settings: chosenSettings(options, manifest), write };
  }
  const rules = chosenRules(options, manifest);
  const list = paths.get("labels") ?? "";
  const labels = readLabels(await readWhole(list), list, manifest.labelFormat);
  return { settings: {}, write: (reading) => (reading.kind === "scores" ? chooseTags(labels, reading.scores, rules) : []) };
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
