/** A set as the guide's folders: `train_girls/10_sls 1girl/…` and `reg_girls/1_1girl/…`, in names that every system takes. */
import { isPicture } from "../dataset/paths.ts";
import { byCodePoint } from "../dataset/sort.ts";
import { caseKey, freeStem, safeName } from "./safe-names.ts";
import type { StudioPicture } from "./picture.ts";
import { stemOf } from "./picture.ts";
import { folderNameOf } from "./studio-set.ts";
import type { StudioSet, StudioSubset } from "./studio-set.ts";

export interface PlacedPicture {
  readonly picture: StudioPicture;
  /** Path of its files without their endings. No two pictures share one. */
  readonly stem: string;
  /** Of the file as it came. */
  readonly ending: string;
  /** null: no caption file, so that the folder's name is the caption. A file without a character would stop trainers. */
  readonly captionPath: string | null;
}

export type LayoutNoticeCode =
  /** A folder's name had characters that Windows does not take, so training reads other class words. */
  | "folderRenamed"
  /** Folders whose names differ by letter case only are one. */
  | "foldersJoined"
  | "pictureRenamed";

export interface LayoutNotice {
  readonly code: LayoutNoticeCode;
  readonly data: Readonly<Record<string, string | number>>;
}

export interface Layout {
  /** In the order in which trainers read them: training folders first, and by path. */
  readonly pictures: readonly PlacedPicture[];
  readonly notices: readonly LayoutNotice[];
}

/** Pictures of unknown subsets are passed over. */
export function layoutOf(set: StudioSet, pictures: Iterable<StudioPicture>): Layout {
  const notices: LayoutNotice[] = [];
  const folders = foldersOf(set, notices);
  const taken = new Set<string>();
  const placed: (PlacedPicture & { readonly isReg: boolean })[] = [];
  for (const picture of pictures) {
    const folder = folders.get(picture.subset);
    if (folder === undefined) continue;
    const ending = endingOf(picture.name);
    const wanted = safeStem(picture.name.slice(0, picture.name.length - ending.length));
    const free = freeStem(wanted, (stem) => !taken.has(caseKey(`${folder.path}/${stem}`)));
    taken.add(caseKey(`${folder.path}/${free}`));
    if (`${free}${ending}` !== picture.name) {
      notices.push({ code: "pictureRenamed", data: { folder: folder.path, name: picture.name, to: `${free}${ending}` } });
    }
    const stem = `${folder.path}/${free}`;
    const hasCaption = picture.caption !== null && picture.caption !== "";
    placed.push({ picture, stem, ending, captionPath: hasCaption ? `${stem}${set.captionExtension}` : null, isReg: folder.isReg });
  }
  placed.sort((a, b) => Number(a.isReg) - Number(b.isReg) || byCodePoint(a.stem + a.ending, b.stem + b.ending));
  return { pictures: placed.map(({ picture, stem, ending, captionPath }) => ({ picture, stem, ending, captionPath })), notices };
}

interface Folder {
  readonly path: string;
  readonly isReg: boolean;
}

function foldersOf(set: StudioSet, notices: LayoutNotice[]): Map<string, Folder> {
  const name = set.name.trim() === "" ? "set" : set.name.trim();
  /** By kind and the name that is meant: the path. */
  const known = new Map<string, { readonly path: string; readonly name: string }>();
  const taken = new Set<string>();
  return new Map(set.subsets.map((subset) => {
    const root = safeName(`${subset.isReg ? "reg" : "train"}_${name}`);
    const wanted = folderNameOf(subset);
    const key = caseKey(`${root}/${wanted}`);
    const joined = known.get(key);
    if (joined !== undefined) {
      if (joined.name !== wanted) notices.push({ code: "foldersJoined", data: { name: wanted, to: joined.path } });
      return [subset.id, { path: joined.path, isReg: subset.isReg }];
    }
    const free = freeStem(safeName(wanted), (candidate) => !taken.has(caseKey(`${root}/${candidate}`)));
    const path = `${root}/${free}`;
    taken.add(caseKey(path));
    known.set(key, { path, name: wanted });
    if (free !== wanted) notices.push({ code: "folderRenamed", data: { name: wanted, to: path } });
    return [subset.id, { path, isReg: subset.isReg }];
  }));
}

/** What stands before an ending may end in a dot or a space. */
function safeStem(stem: string): string {
  const mark = ".x";
  const safe = safeName(`${stem}${mark}`);
  return safe.endsWith(mark) ? safe.slice(0, -mark.length) : safe;
}

function endingOf(name: string): string {
  return name.slice(stemOf(name).length);
}

/** Whether a picture goes to trainers in another form than it came: what is decided about it is not in its file. */
export function isRendered({ picture, ending }: PlacedPicture): boolean {
  return picture.crop !== null || picture.isMirrored || !isPicture(`x${ending}`);
}

/** The folder of a subset in the layout, as it is called; without a set, only its own name. */
export function subsetPath(set: StudioSet, subset: StudioSubset): string {
  return foldersOf(set, []).get(subset.id)?.path ?? safeName(folderNameOf(subset));
}
