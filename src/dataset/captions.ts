import { InputError } from "../errors.ts";
import type { Subset } from "./report.ts";
import { baseName } from "./paths.ts";

export type CaptionProblem = "empty" | "notUtf8";

/** Caption of a file: its first line, stripped. A file without a single byte is a problem, as in sd-scripts. */
export function decodeCaption(bytes: Uint8Array): { caption: string } | { problem: CaptionProblem } {
  if (bytes.byteLength === 0) return { problem: "empty" };
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return { problem: "notUtf8" };
  }
  const [line = ""] = text.split(/\r\n|\r|\n/, 1);
  return { caption: line.trim() };
}

export interface CaptionedImage {
  readonly path: string;
  readonly caption: string;
}

export interface CaptionedSubset extends Omit<Subset, "images"> {
  readonly images: readonly CaptionedImage[];
}

export interface CaptionFault {
  readonly path: string;
  readonly problem: CaptionProblem;
}

/**
 * Reads every caption; pictures without a file get the class tokens. Faults are collected, so that all of them can be
 * shown at once; `captionError` makes the error that stops a run.
 * @param read whole contents of a file by its path
 */
export async function readCaptions(
  subsets: readonly Subset[], read: (path: string) => Promise<Uint8Array>,
): Promise<{ readonly subsets: readonly CaptionedSubset[]; readonly faults: readonly CaptionFault[] }> {
  const faults: CaptionFault[] = [];
  const captioned: CaptionedSubset[] = [];
  for (const subset of subsets) {
    const images: CaptionedImage[] = [];
    for (const { path, captionPath } of subset.images) {
      const result = captionPath === null ? { caption: subset.classTokens } : decodeCaption(await read(captionPath));
      if ("caption" in result) images.push({ path, caption: result.caption });
      else if (captionPath !== null) faults.push({ path: captionPath, problem: result.problem });
    }
    captioned.push({ ...subset, images });
  }
  return { subsets: captioned, faults };
}

/** At most this many file names in a message; all are in its data. */
const NAMED_FILES = 5;

/** `caption.empty` or `caption.notUtf8`, whichever comes first, naming the files that have it. */
export function captionError(faults: readonly CaptionFault[]): InputError {
  const problem = faults[0]?.problem ?? "empty";
  const files = faults.filter((fault) => fault.problem === problem).map((fault) => fault.path);
  const rest = files.length > NAMED_FILES ? ` and ${files.length - NAMED_FILES} more` : "";
  const named = files.slice(0, NAMED_FILES).join(", ") + rest;
  const message = problem === "empty"
    ? `Empty caption file: ${named}. Write a caption into it, or delete the file to use the folder's name.`
    : `Caption file not in UTF-8: ${named}. Save it again as UTF-8 text.`;
  return new InputError(`caption.${problem}`, message, { files });
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
