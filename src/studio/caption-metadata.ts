/** Captions in one file: sd-scripts' metadata (`{path: {caption, tags}}`, or one object a line), in and out. */
import { baseName, parentOf, stemOf } from "../dataset/paths.ts";

/** Captions by path as written; paths may be another computer's, with or without an ending. */
export type CaptionMetadata = ReadonlyMap<string, string>;

/** What a picture's file is called in the different kinds of lines. */
const PATH_KEYS = ["image_path", "file_name", "image", "path"];
/** … and its text, apart from sd-scripts' `caption` and `tags`. */
const TEXT_KEYS = ["text", "prompt"];

/** Reads metadata. @returns undefined where the text is something else, or nothing that can be read */
export function readCaptionMetadata(text: string): CaptionMetadata | undefined {
  const rows = rowsOf(text.replace(/^\uFEFF/, "").trim());
  if (rows === undefined) return undefined;
  const found = new Map<string, string>();
  for (const [path, row] of rows) {
    const caption = captionOf(row);
    if (caption !== undefined) found.set(path, caption);
  }
  return found.size === 0 ? undefined : found;
}

type Row = Readonly<Record<string, unknown>>;

function rowsOf(text: string): [path: string, row: Row][] | undefined {
  const whole = parse(text);
  if (Array.isArray(whole)) return whole.flatMap(withPath);
  if (!isRow(whole)) {
    const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "").map(parse);
    return lines.length === 0 || !lines.every(isRow) ? undefined : lines.flatMap(withPath);
  }
  // A single line of the other form is an object as well.
  if (PATH_KEYS.some((key) => typeof whole[key] === "string")) return withPath(whole);
  return Object.entries(whole).flatMap(([path, row]): [string, Row][] => {
    if (typeof row === "string") return [[path, { caption: row }]];
    return isRow(row) ? [[path, row]] : [];
  });
}

function withPath(row: unknown): [path: string, row: Row][] {
  if (!isRow(row)) return [];
  const path = PATH_KEYS.map((key) => row[key]).find((value) => typeof value === "string");
  return path === undefined ? [] : [[path, row]];
}

/** As sd-scripts joins them: the sentence, then the tags. */
function captionOf(row: Row): string | undefined {
  const parts = [row["caption"], row["tags"]].filter((part): part is string => typeof part === "string" && part !== "");
  if (parts.length > 0) return parts.join(", ");
  return TEXT_KEYS.map((key) => row[key]).find((value): value is string => typeof value === "string");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isRow(value: unknown): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Which of the metadata's captions belongs to which picture. Where folders are other ones, the path that ends alike
 * decides; where several do, none gets the caption.
 * @param pictures paths with "/"
 * @returns captions by picture
 */
export function matchMetadata(metadata: CaptionMetadata, pictures: readonly string[]): Map<string, string> {
  const byStem = new Map<string, string[]>();
  for (const path of pictures) {
    for (const name of new Set([baseName(path), baseName(stemOf(path))])) {
      const list = byStem.get(name);
      if (list === undefined) byStem.set(name, [path]);
      else list.push(path);
    }
  }
  const found = new Map<string, string>();
  for (const [key, caption] of metadata) {
    const path = key.replaceAll("\\", "/");
    const candidates = byStem.get(baseName(path)) ?? byStem.get(baseName(stemOf(path))) ?? [];
    const shared = candidates.map((picture) => sharedFolders(parentOf(picture), parentOf(path)));
    const best = candidates.filter((_, at) => shared[at] === Math.max(...shared));
    if (best.length === 1) found.set(best[0]!, caption);
  }
  return found;
}

function sharedFolders(a: string, b: string): number {
  const [one, other] = [a.split("/").reverse(), b.split("/").reverse()];
  let count = 0;
  while (count < one.length && one[count] === other[count]) count++;
  return count;
}

/** Metadata as sd-scripts reads it, by path. Pictures without a caption are left out. */
export function writeCaptionMetadata(pictures: Iterable<{ readonly path: string; readonly caption: string | null }>): string {
  const rows: [string, { caption: string }][] = [];
  for (const { path, caption } of pictures) if (caption !== null) rows.push([path, { caption }]);
  return `${JSON.stringify(Object.fromEntries(rows), null, 2)}\n`;
}
