/** What a tagger's outputs are called, in the forms in which taggers bring it. */
import { InputError } from "../errors.ts";
import { csvRows } from "../formats/csv.ts";
import type { LabelFormat } from "./manifest.ts";

export type LabelKind = "rating" | "quality" | "general" | "character" | "copyright" | "artist" | "meta" | "model";

export interface TagLabel {
  /** As Danbooru writes it, with underscores. */
  readonly name: string;
  readonly kind: LabelKind;
}

/** Danbooru's numbers; 9 is the taggers' own for ratings. What has another number counts as general. */
const numbered: Readonly<Record<string, LabelKind>> = {
  "1": "artist", "3": "copyright", "4": "character", "5": "meta", "9": "rating",
};
const named: readonly LabelKind[] = ["rating", "quality", "general", "character", "copyright", "artist", "meta", "model"];

/**
 * Reads labels in output order.
 *
 * - `wd-csv`: `selected_tags.csv`. The columns `name` and `category` are found by the header; a row's kind is that of its
 *   category, wherever it stands.
 * - `lines`: `tags.txt`, a tag in each line. `rating:…` are ratings, all others general.
 * - `cl-json`: `tag_mapping.json` in both of its forms.
 * - `json-array`: a list of names, all general.
 * @param file name for messages
 * @throws InputError `tagger.labels`
 */
export function readLabels(bytes: Uint8Array, file: string, format: LabelFormat = "wd-csv"): TagLabel[] {
  const labels = readers[format](decode(bytes, file), file);
  if (!labels.some(({ kind }) => kind !== "rating")) throw unusable(file, 0, "there are no tags in it");
  return labels;
}

const readers: Readonly<Record<LabelFormat, (text: string, file: string) => TagLabel[]>> = {
  "wd-csv": readCsv,
  lines: readLines,
  "cl-json": readMapping,
  "json-array": readArray,
};

function readCsv(text: string, file: string): TagLabel[] {
  const rows = csvRows(text);
  if (rows === undefined) throw unusable(file, 0, "a quote is never closed");
  const [header, ...body] = rows;
  const [name, category] = ["name", "category"].map((title) => header?.fields.indexOf(title) ?? -1);
  if (name === undefined || category === undefined || name < 0 || category < 0) {
    throw unusable(file, 1, "the header has no columns “name” and “category”");
  }
  return body.map(({ line, fields }): TagLabel => {
    const [tag, number] = [fields[name] ?? "", fields[category] ?? ""];
    if (tag === "") throw unusable(file, line, "the name is missing");
    if (!/^\d+$/.test(number)) throw unusable(file, line, `the category is “${number}”, which is no number`);
    return { name: tag, kind: numbered[number] ?? "general" };
  });
}

function readLines(text: string, file: string): TagLabel[] {
  const lines = text.replace(/^\uFEFF/, "").split(/\r\n|\r|\n/);
  const tags = lines.map((line, i) => ({ tag: line.trim(), line: i + 1 })).filter(({ tag }) => tag !== "");
  return tags.map(({ tag, line }) => {
    // A page that a server sent instead, or a table: tags have neither brackets of that kind at their ends nor commas.
    if (/^<.*>$/.test(tag) && !/^<[o|]?>/.test(tag)) throw unusable(file, line, "it is a page instead of a list");
    if (/^\w+,\w+,/.test(tag)) throw unusable(file, line, "it is a table instead of a list");
    return { name: tag, kind: tag.startsWith("rating:") ? "rating" : "general" };
  });
}

/** `{"0": {"tag", "category"}}`, or `{"idx_to_tag": {"0": tag}, "tag_to_category": {tag: category}}`. */
function readMapping(text: string, file: string): TagLabel[] {
  const json = parse(text, file);
  if (!isRecord(json)) throw unusable(file, 0, "it is no mapping of numbers to tags");
  const { idx_to_tag: names, tag_to_category: categories } = json;
  const entries = isRecord(names) ? names : json;
  const numbers = Object.keys(entries).map(Number).toSorted((a, b) => a - b);
  return numbers.map((number, i) => {
    if (number !== i) throw unusable(file, 0, `output ${i} has no tag`);
    const entry = entries[String(i)];
    const tag = isRecord(entry) ? entry["tag"] : entry;
    const category = isRecord(entry) ? entry["category"] : isRecord(categories) ? categories[String(tag)] : undefined;
    if (typeof tag !== "string" || tag === "") throw unusable(file, 0, `output ${i} has no tag`);
    if (typeof category !== "string") throw unusable(file, 0, `“${tag}” has no category`);
    return { name: tag, kind: named.find((kind) => kind === category.toLowerCase()) ?? "general" };
  });
}

function readArray(text: string, file: string): TagLabel[] {
  const json = parse(text, file);
  if (!Array.isArray(json)) throw unusable(file, 0, "it is no list");
  return json.map((tag: unknown, i) => {
    if (typeof tag !== "string" || tag === "") throw unusable(file, 0, `entry ${i} is no tag`);
    return { name: tag, kind: "general" };
  });
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parse(text: string, file: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (cause) {
    throw unusable(file, 0, "it is no JSON", cause);
  }
}

function decode(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw unusable(file, 0, "it is not UTF-8 text", cause);
  }
}

/** @param line 0 where no single line is to blame */
function unusable(file: string, line: number, reason: string, cause?: unknown): InputError {
  const place = line === 0 ? file : `${file}, line ${line}`;
  const message = `${place} can't be used as a list of tags: ${reason}. Take the list that belongs to the model, such as selected_tags.csv.`;
  return new InputError("tagger.labels", message, { file, line, place, reason }, cause === undefined ? {} : { cause });
}
