import { InputError } from "../errors.ts";
import { findCaption, normalizeExtension } from "./caption-files.ts";
import { groupBy } from "./group-by.ts";
import {
  baseName, isForRegularization, isHidden, isOtherPicture, isPicture, parentOf, parseFolderName,
} from "./paths.ts";
import type { DatasetImage, DatasetReport, FolderEntry, Ignored, IgnoredReason, Notice, Subset } from "./report.ts";
import { byCodePoint } from "./sort.ts";

/**
 * Understands a folder of pictures at whatever level it was dropped: kohya's `train/10_sls 1girl/…`, one such folder,
 * a folder above, or just pictures, which count once. What lies below a folder named `reg…` are regularization pictures,
 * whose subsets come last.
 * @param captionExtension `caption_extension`; where it matches nothing, `.txt` and `.caption` are tried
 * @param regDir folder of all regularization pictures, whatever other folders are named
 * @param isOne which files are pictures, where more is known than their names
 * @throws InputError `dataset.noPictures`, also where `regDir` holds none or all
 */
export function understandFolder(
  entries: readonly FolderEntry[], captionExtension: string, regDir?: string, isOne: (path: string) => boolean = isPicture,
): DatasetReport {
  const visible = entries.filter((entry) => !isHidden(entry.path));
  const pictures = visible.map((entry) => entry.path).filter(isOne).sort(byCodePoint);
  const folders = groupBy(pictures, parentOf);
  const dirs = [...folders.keys()].sort(byCodePoint);
  const isReg = (path: string): boolean =>
    regDir === undefined ? isForRegularization(path) : path === regDir || path.startsWith(`${regDir}/`);
  const others = dirs.filter((dir) => !isReg(dir));
  if (dirs.length === 0 || (regDir !== undefined && others.length === 0)) throw noPictures(entries.filter(({ path }) => !isReg(path)));
  const regDirs = dirs.filter(isReg);
  if (regDir !== undefined && regDirs.length === 0) throw noPictures(entries.filter(({ path }) => isReg(path)));
  // Whoever drops nothing but a folder named "reg…" means its pictures.
  const own = others.length > 0 ? others : dirs;
  const regular = own.filter((dir) => !isForRegularization(dir));
  const training = chooseFolders(regular.length > 0 ? regular : own);
  const regularization = chooseFolders(others.length > 0 ? regDirs : []);

  const files = new Set(visible.map((entry) => entry.path));
  const extension = normalizeExtension(captionExtension);
  const notices: Notice[] = [];
  const subset = (dir: string, name: FolderName, isReg: boolean): Subset => {
    if (name === undefined) notices.push(countsOnce(dir));
    const images = (folders.get(dir) ?? []).map((path) => ({ path, captionPath: findCaption(path, extension, files) }));
    return { dir, repeats: 1, classTokens: "", ...name, hasRepeatsPrefix: name !== undefined, isReg, images };
  };
  const subsets = [
    ...[...training].map(([dir, name]) => subset(dir, name, false)),
    ...[...regularization].map(([dir, name]) => subset(dir, name, true)),
  ];
  const images = subsets.flatMap((subset) => subset.images);
  notices.push(...captionNotices(images, extension, subsets));
  return { subsets, ignored: listIgnored(entries, subsets, images, extension, isOne), notices };
}

type FolderName = ReturnType<typeof parseFolderName>;

/**
 * Which folders with pictures are trained on. If any has repeats in its name, only such folders are, as in kohya;
 * otherwise all.
 */
function chooseFolders(candidates: readonly string[]): Map<string, FolderName> {
  const named = candidates.filter((dir) => parseFolderName(baseName(dir)) !== undefined);
  const holdsNamed = (dir: string): boolean => named.some((other) => other.startsWith(`${dir}/`));
  // "2024_holiday/10_sls": the dropped folder is the level above, although its own name begins with a number.
  const inner = named.filter((dir) => dir.includes("/") || !holdsNamed(dir));
  const outermost = inner.filter((dir) => !inner.some((other) => dir.startsWith(`${other}/`)));
  const selected = outermost.length > 0 ? outermost : candidates;
  return new Map(selected.map((dir) => [dir, parseFolderName(baseName(dir))]));
}

function countsOnce(dir: string): Notice {
  const text = dir === ""
    ? "The pictures are not in a folder like “10_name”, so each counts once per epoch (repeats 1)."
    : `The folder “${dir}” has no repeats in its name (as “10_name” has), so each picture counts once per epoch.`;
  return { code: "dataset.repeatsOne", data: { dir }, text };
}

function captionNotices(images: readonly DatasetImage[], extension: string, subsets: readonly Subset[]): Notice[] {
  const notices: Notice[] = [];
  const captions = images.flatMap((image) => (image.captionPath === null ? [] : [image.captionPath]));
  const other = captions.filter((path) => !path.endsWith(extension)).length;
  if (other > 0) {
    const text = `${other} captions were found with another ending than caption_extension = ${extension}, and are used.`;
    notices.push({ code: "dataset.otherCaptionExtension", data: { count: other, extension }, text });
  }
  for (const { dir, classTokens, images: pictures } of subsets) {
    const count = pictures.filter((image) => image.captionPath === null).length;
    if (count === 0) continue;
    const caption = classTokens === "" ? "an empty caption" : `the caption “${classTokens}”`;
    const text = `${count} of ${pictures.length} pictures in “${dir}” have no caption file and get ${caption}.`;
    const data = { dir, count, total: pictures.length, classTokens };
    notices.push({ code: "dataset.captionsMissing", data, text });
  }
  return notices;
}

function listIgnored(
  entries: readonly FolderEntry[], subsets: readonly Subset[], images: readonly DatasetImage[], extension: string,
  isOne: (path: string) => boolean,
): Ignored[] {
  const used = new Set(images.flatMap(({ path, captionPath }) => (captionPath === null ? [path] : [path, captionPath])));
  const dirs = new Set(subsets.map((subset) => subset.dir));
  const ignored = entries.filter((entry) => !used.has(entry.path));
  return ignored
    .map(({ path }) => ({ path, reason: reasonFor(path, dirs, extension, isOne) }))
    .sort((a, b) => byCodePoint(a.path, b.path));
}

function reasonFor(
  path: string, dirs: ReadonlySet<string>, extension: string, isOne: (path: string) => boolean,
): IgnoredReason {
  if (isHidden(path)) return "hidden";
  if (isOne(path)) {
    return [...dirs].some((dir) => path.startsWith(`${dir}/`)) ? "nested" : "outsideRepeatsFolders";
  }
  if (isOtherPicture(path)) return "unsupportedPicture";
  const isCaption = [extension, ".txt", ".caption"].some((ending) => path.endsWith(ending));
  return isCaption && dirs.has(parentOf(path)) ? "captionWithoutPicture" : "notAPicture";
}

function noPictures(entries: readonly FolderEntry[]): InputError {
  const others = entries.filter((entry) => isOtherPicture(entry.path)).length;
  const found = others > 0
    ? `${others} are in a format that is not supported`
    : `it holds ${entries.length === 0 ? "no files" : `${entries.length} files of other kinds`}`;
  const message = `No pictures (.png, .jpg, .jpeg, .webp, .bmp) were found: ${found}. `
    + "Choose a folder that holds pictures, or folders of pictures like “10_name”.";
  return new InputError("dataset.noPictures", message, { files: entries.length, otherPictures: others });
}
