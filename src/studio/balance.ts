/** Regularization of a set: sd-scripts' balance between the two kinds, and what must not be in both. */
import { balancedRepeats } from "../dataset/regularization.ts";
import { layoutOf } from "./layout.ts";
import { LikenessIndex } from "./likeness.ts";
import type { StudioPicture } from "./picture.ts";
import type { StudioSet, StudioSubset } from "./studio-set.ts";

export interface SubsetBalance {
  readonly subset: StudioSubset;
  readonly pictures: number;
  /** Showings in an epoch, after the balance. */
  readonly shown: number;
  /** Pictures that no epoch shows. */
  readonly dropped: number;
}

export type BalanceNoticeCode =
  /** Fewer regularization pictures than showings wanted: they are repeated. */
  | "repeated"
  /** More of them than are wanted: the last ones by path are never shown. */
  | "dropped"
  /** No training folder has this class. */
  | "classUnmatched"
  /** This class has no regularization pictures, others have. */
  | "classWithoutReg"
  /** The very same file in both kinds. */
  | "sameInBoth"
  /** Pictures that look alike in both kinds. */
  | "nearInBoth";

export interface BalanceNotice {
  readonly code: BalanceNoticeCode;
  readonly data: Readonly<Record<string, string | number>>;
}

export interface SetBalance {
  readonly subsets: readonly SubsetBalance[];
  /** Showings of training pictures in an epoch: what the other kind is brought to. */
  readonly wanted: number;
  /** Showings of regularization pictures, each as often as its folder says, before the balance. */
  readonly offered: number;
  /** How often an epoch shows each picture, by id; 0 for the dropped. */
  readonly showings: ReadonlyMap<string, number>;
  readonly sameInBoth: readonly (readonly [training: StudioPicture, reg: StudioPicture])[];
  readonly nearInBoth: readonly (readonly [training: StudioPicture, reg: StudioPicture])[];
  readonly notices: readonly BalanceNotice[];
}

/** In the order in which trainers find the pictures, which decides who is dropped. */
export function balanceOf(set: StudioSet, pictures: readonly StudioPicture[]): SetBalance {
  const subsets = new Map(set.subsets.map((subset) => [subset.id, subset]));
  const ordered = layoutOf(set, pictures).pictures.map(({ picture }) => picture);
  const rows = ordered.map(({ subset }) => ({ repeats: subsets.get(subset)?.repeats ?? 1, isReg: subsets.get(subset)?.isReg === true }));
  const repeats = balancedRepeats(rows);
  const showings = new Map(ordered.map(({ id }, at) => [id, repeats[at]!]));
  const sum = (isReg: boolean): number => rows.reduce((total, row) => total + (row.isReg === isReg ? row.repeats : 0), 0);
  const [wanted, offered] = [sum(false), sum(true)];
  const perSubset = set.subsets.map((subset): SubsetBalance => {
    const own = ordered.filter((picture) => picture.subset === subset.id).map(({ id }) => showings.get(id) ?? 0);
    return {
      subset, pictures: own.length,
      shown: own.reduce((total, count) => total + count, 0),
      dropped: own.filter((count) => count === 0).length,
    };
  });
  const training = ordered.filter((_, at) => !rows[at]!.isReg);
  const reg = ordered.filter((_, at) => rows[at]!.isReg);
  const sameInBoth = pairsOfSame(training, reg);
  const nearInBoth = pairsOfAlike(training, reg);
  const notices: BalanceNotice[] = [];
  if (reg.length > 0 && offered < wanted) notices.push({ code: "repeated", data: { offered, wanted } });
  const dropped = perSubset.reduce((total, row) => total + row.dropped, 0);
  if (dropped > 0) notices.push({ code: "dropped", data: { count: dropped, offered, wanted } });
  notices.push(...classNotices(perSubset));
  if (sameInBoth.length > 0) notices.push({ code: "sameInBoth", data: { count: sameInBoth.length, name: sameInBoth[0]![1].name } });
  if (nearInBoth.length > 0) notices.push({ code: "nearInBoth", data: { count: nearInBoth.length, name: nearInBoth[0]![1].name } });
  return { subsets: perSubset, wanted, offered, showings, sameInBoth, nearInBoth, notices };
}

/** The guide's rule: the class of regularization pictures is that of the training pictures. */
function classNotices(rows: readonly SubsetBalance[]): BalanceNotice[] {
  const filled = rows.filter(({ pictures }) => pictures > 0).map(({ subset }) => subset);
  const classesOf = (isReg: boolean): Set<string> =>
    new Set(filled.filter((subset) => subset.isReg === isReg).map(({ className }) => className.trim().toLowerCase()));
  const [training, reg] = [classesOf(false), classesOf(true)];
  if (reg.size === 0) return [];
  const classes = [...training].filter((name) => name !== "").join(", ");
  return [
    ...[...reg].filter((name) => !training.has(name)).map((className): BalanceNotice => ({ code: "classUnmatched", data: { className, classes } })),
    ...[...training].filter((name) => !reg.has(name)).map((className): BalanceNotice => ({ code: "classWithoutReg", data: { className } })),
  ];
}

type Pair = readonly [training: StudioPicture, reg: StudioPicture];

function pairsOfSame(training: readonly StudioPicture[], reg: readonly StudioPicture[]): Pair[] {
  const byFile = new Map(training.map((picture) => [picture.original, picture]));
  return reg.flatMap((picture): Pair[] => {
    const same = byFile.get(picture.original);
    return same === undefined ? [] : [[same, picture]];
  });
}

function pairsOfAlike(training: readonly StudioPicture[], reg: readonly StudioPicture[]): Pair[] {
  if (reg.length === 0) return [];
  const index = new LikenessIndex<StudioPicture>();
  for (const picture of training) index.add(picture.likeness, picture);
  return reg.flatMap((picture): Pair[] => {
    const near = index.near(picture.likeness).find(({ item }) => item.original !== picture.original);
    return near === undefined ? [] : [[near.item, picture]];
  });
}
