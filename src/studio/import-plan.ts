/** What is in a heap of files: which are pictures, which folder of kohya's each belongs to, and where its caption is. */
import { understandFolder } from "../dataset/folders.ts";
import { baseName, isForRegularization, isHidden, isOtherPicture, parentOf } from "../dataset/paths.ts";
import type { FolderEntry, Ignored, Subset } from "../dataset/report.ts";
import { byCodePoint } from "../dataset/sort.ts";
import { InputError } from "../errors.ts";
import { matchMetadata, readCaptionMetadata } from "./caption-metadata.ts";
import { readSidecar, sidecarName } from "./sidecar.ts";
import type { Sidecar, SidecarPicture } from "./sidecar.ts";
import type { StudioSubset } from "./studio-set.ts";

export interface ImportEntry extends FolderEntry {
  /** Whether its bytes are those of a picture that can be shown. */
  readonly isPicture: boolean;
}

export interface PlannedPicture {
  readonly path: string;
  /** The caption file beside it, as spelled. */
  readonly captionPath: string | null;
  /** From a file of captions, where there is none beside. */
  readonly caption: string | null;
  /** What `lorasmith.json` says of it. */
  readonly kept: SidecarPicture | null;
}

export interface PlannedSubset {
  /** As its folder's name says; null: pictures without such a folder, which go where new pictures go. */
  readonly subset: Omit<StudioSubset, "id"> | null;
  readonly pictures: readonly PlannedPicture[];
}

export interface ImportPlan {
  readonly subsets: readonly PlannedSubset[];
  /** Caption files without a picture beside them; a picture of the set may be theirs. */
  readonly captionsAlone: readonly string[];
  readonly ignored: readonly Ignored[];
  /** The set's own file, where it is there and whole. */
  readonly sidecar: Sidecar | null;
  readonly problems: readonly InputError[];
}

/** Files whose text the plan wants to see: captions in one file, and the set's own. */
export function isPlanText(path: string): boolean {
  return /\.(json|jsonl)$/i.test(path) && !isHidden(path);
}

/**
 * @param entries paths with "/"
 * @param texts contents of the files that `isPlanText`
 */
export function planImport(
  entries: readonly ImportEntry[], texts: ReadonlyMap<string, string>, captionExtension: string,
): ImportPlan {
  const problems: InputError[] = [];
  const own = findSidecar(texts, problems);
  const spelled = new Map(entries.map(({ path }) => [withPlainEnding(path), path]));
  const pictures = new Set(entries.flatMap(({ path, isPicture }) => (isPicture ? [withPlainEnding(path)] : [])));
  const understood = understand([...spelled.keys()].map((path) => ({ path, size: 1 })), captionExtension, pictures);
  const metadata = new Map<string, string>();
  const used = new Set<string>();
  for (const [path, text] of [...texts].sort(([a], [b]) => byCodePoint(a, b))) {
    const captions = path === own?.path ? undefined : readCaptionMetadata(text);
    const matched = captions === undefined ? undefined : matchMetadata(captions, [...pictures]);
    if (matched === undefined || matched.size === 0) continue;
    used.add(path);
    for (const [picture, caption] of matched) metadata.set(picture, caption);
  }
  const planned = (path: string, captionPath: string | null): PlannedPicture => ({
    path: spelled.get(path) ?? path,
    captionPath: captionPath === null ? null : (spelled.get(captionPath) ?? captionPath),
    caption: captionPath === null ? (metadata.get(path) ?? null) : null,
    kept: own === undefined ? null : (own.sidecar.pictures[relativeTo(own.dir, spelled.get(path) ?? path)] ?? null),
  });
  const subsets = understood.subsets.map((subset) => ({
    subset: kohyaSubset(subset),
    pictures: subset.images.map(({ path, captionPath }) => planned(path, captionPath)),
  }));
  const ignored = understood.ignored
    .map(({ path, reason }) => ({ path: spelled.get(path) ?? path, reason }))
    .filter(({ path }) => path !== own?.path && !used.has(path));
  const isCaption = (path: string): boolean => /\.(txt|caption)$/i.test(path) || path.endsWith(captionExtension);
  const alone = ignored.filter(({ path, reason }) => reason !== "hidden" && isCaption(path));
  return {
    subsets,
    captionsAlone: alone.map(({ path }) => path),
    ignored: ignored.filter((file) => !alone.includes(file)),
    sidecar: own?.sidecar ?? null,
    problems,
  };
}

function findSidecar(
  texts: ReadonlyMap<string, string>, problems: InputError[],
): { readonly path: string; readonly dir: string; readonly sidecar: Sidecar } | undefined {
  const depth = (path: string): number => path.split("/").length;
  const paths = [...texts.keys()].filter((path) => baseName(path) === sidecarName);
  for (const path of paths.sort((a, b) => depth(a) - depth(b) || byCodePoint(a, b))) {
    try {
      const sidecar = readSidecar(texts.get(path) ?? "");
      if (sidecar !== undefined) return { path, dir: parentOf(path), sidecar };
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      problems.push(error);
    }
  }
  return undefined;
}

const relativeTo = (dir: string, path: string): string => (dir === "" ? path : path.slice(dir.length + 1));

/** Caption files are looked for by an ending in small letters. */
function withPlainEnding(path: string): string {
  return path.replace(/\.(txt|caption)$/i, (ending) => ending.toLowerCase());
}

/** As a folder of kohya's; a heap without any picture is no error here, for all of it is listed. */
function understand(
  entries: readonly FolderEntry[], captionExtension: string, pictures: ReadonlySet<string>,
): { readonly subsets: readonly Subset[]; readonly ignored: readonly Ignored[] } {
  if ([...pictures].every(isHidden)) {
    const reasonFor = (path: string): Ignored["reason"] => {
      if (isHidden(path)) return "hidden";
      return isOtherPicture(path) ? "unsupportedPicture" : "notAPicture";
    };
    return { subsets: [], ignored: entries.map(({ path }) => ({ path, reason: reasonFor(path) })).sort((x, y) => byCodePoint(x.path, y.path)) };
  }
  return understandFolder(entries, captionExtension, undefined, (path) => pictures.has(path));
}

/** The first word of training pictures' class tokens stands for the subject, the others for its kind. */
function kohyaSubset({ dir, isReg, hasRepeatsPrefix, repeats, classTokens }: Subset): Omit<StudioSubset, "id"> | null {
  const reg = isReg || isForRegularization(dir);
  if (!hasRepeatsPrefix) return reg ? { isReg: true, repeats: 1, identifier: "", className: "" } : null;
  const [, identifier, className] = (reg ? null : /^(\S+) (.+)$/su.exec(classTokens)) ?? [];
  if (identifier !== undefined && className !== undefined) return { isReg: false, repeats, identifier, className };
  return reg
    ? { isReg: true, repeats, identifier: "", className: classTokens }
    : { isReg: false, repeats, identifier: classTokens, className: "" };
}
