import { baseName } from "./paths.ts";
import type { DatasetImage, DatasetProblem, Subset } from "./report.ts";

export type CaptionProblem = "empty" | "notUtf8";

/**
 * Caption of a file: its first line, stripped. A file without a single byte is a problem, as in sd-scripts.
 * @param allLines all lines that are not blank, for `enable_wildcard` to choose from
 */
export function decodeCaption(bytes: Uint8Array, allLines = false): { caption: string } | { problem: CaptionProblem } {
  if (bytes.byteLength === 0) return { problem: "empty" };
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return { problem: "notUtf8" };
  }
  const lines = text.split(/\r\n|\r|\n/).map((line) => line.trim());
  return { caption: allLines ? lines.filter((line) => line !== "").join("\n") : (lines[0] ?? "") };
}

export interface CaptionedImage extends DatasetImage {
  readonly caption: string;
}

export interface CaptionedSubset extends Omit<Subset, "images"> {
  readonly images: readonly CaptionedImage[];
}

/**
 * Reads every caption; pictures without a file get the class tokens. Pictures whose caption can't be used are left out
 * and listed as problems (`caption.empty`, `caption.notUtf8`).
 * @param read whole contents of a file by its path
 * @param allLines as in `decodeCaption`
 */
export async function readCaptions(
  subsets: readonly Subset[], read: (path: string) => Promise<Uint8Array>, allLines = false,
): Promise<{ readonly subsets: readonly CaptionedSubset[]; readonly problems: readonly DatasetProblem[] }> {
  const problems: DatasetProblem[] = [];
  const captioned: CaptionedSubset[] = [];
  for (const subset of subsets) {
    const images: CaptionedImage[] = [];
    for (const image of subset.images) {
      const { captionPath } = image;
      const result = captionPath === null ? { caption: subset.classTokens } : decodeCaption(await read(captionPath), subset.overrides?.enable_wildcard ?? allLines);
      if ("caption" in result) images.push({ ...image, caption: result.caption });
      else if (captionPath !== null) problems.push(captionProblem(captionPath, result.problem));
    }
    captioned.push({ ...subset, images });
  }
  return { subsets: captioned, problems };
}

function captionProblem(path: string, problem: CaptionProblem): DatasetProblem {
  const text = problem === "empty"
    ? `The caption file ${path} is empty. Write a caption into it, or delete it to use the folder's name.`
    : `The caption file ${path} is not UTF-8 text. Save it again as UTF-8.`;
  return { path, code: `caption.${problem}`, data: { file: path }, text };
}

export type TagFrequency = Readonly<Record<string, Readonly<Record<string, number>>>>;

/**
 * How many pictures of each folder have each tag, for the file's metadata (`ss_tag_frequency`): captions are split at
 * commas and lower-cased; repeats do not count. Folders of the same name are added up.
 */
export function tagFrequency(subsets: readonly CaptionedSubset[]): TagFrequency {
  const folders = new Map<string, Map<string, number>>();
  for (const subset of subsets) {
    const name = baseName(subset.dir);
    const tags = folders.get(name) ?? new Map<string, number>();
    folders.set(name, tags);
    for (const { caption } of subset.images) {
      for (const part of caption.split(",")) {
        const tag = part.trim().toLowerCase();
        if (tag !== "") tags.set(tag, (tags.get(tag) ?? 0) + 1);
      }
    }
  }
  return Object.fromEntries([...folders].map(([name, tags]) => [name, Object.fromEntries(tags)]));
}
