/** Pictures from one subset to another, and half of a set into regularization. */
import { groupBy } from "../dataset/group-by.ts";
import { pythonShuffle } from "../random/python-random.ts";
import { changePicture, changeSet } from "./edit.ts";
import type { Change, SetState } from "./edit.ts";
import type { StudioPicture } from "./picture.ts";
import { caseKey, claimName } from "./safe-names.ts";
import type { StudioSubset } from "./studio-set.ts";

export interface Move {
  readonly changes: readonly Change[];
  /** Pictures that stay: the very same file is among those of the other kind, where no picture may be twice. */
  readonly refused: readonly StudioPicture[];
}

/** Moves pictures to a subset of the set. Names that are taken there get a number. */
export function movePictures(state: SetState, ids: Iterable<string>, target: string): Move {
  const goal = state.set.subsets.find(({ id }) => id === target);
  const moving = [...new Set(ids)].flatMap((id) => state.pictures.get(id) ?? []).filter(({ subset }) => subset !== target);
  if (goal === undefined) return { changes: [], refused: moving };
  return move(state, new Map(moving.map((picture) => [picture.id, goal])));
}

function move(state: SetState, goals: ReadonlyMap<string, StudioSubset>): Move {
  const reg = new Map(state.set.subsets.map(({ id, isReg }) => [id, isReg]));
  const names = new Map<string, Set<string>>();
  /** By file: whether pictures that stay where they are are of the one kind, of the other, or both. */
  const staying = new Map<string, Set<boolean>>();
  for (const picture of state.pictures.values()) {
    if (goals.has(picture.id)) continue;
    namesOf(names, picture.subset).add(caseKey(picture.name));
    const kinds = staying.get(picture.original) ?? new Set<boolean>();
    staying.set(picture.original, kinds.add(reg.get(picture.subset) === true));
  }
  const changes: Change[] = [];
  const refused: StudioPicture[] = [];
  for (const [id, goal] of goals) {
    const picture = state.pictures.get(id);
    if (picture === undefined) continue;
    if (staying.get(picture.original)?.has(!goal.isReg) === true) {
      refused.push(picture);
      continue;
    }
    const change = changePicture(picture, { subset: goal.id, name: claimName(picture.name, namesOf(names, goal.id)) });
    if (change !== undefined) changes.push(change);
  }
  return { changes, refused };
}

function namesOf(names: Map<string, Set<string>>, subset: string): Set<string> {
  const known = names.get(subset) ?? new Set<string>();
  names.set(subset, known);
  return known;
}

/**
 * Makes half of the training pictures regularization pictures, as the guide has it for styles with many pictures: half of
 * each group of each subset, by lot, and the same half for the same seed. Pictures that are the same file, or of which
 * one was made from the other, stay on one side.
 */
export function splitInHalf(state: SetState, seed: number, newId: () => string): Move {
  const subsets = [...state.set.subsets];
  const goals = new Map<string, StudioSubset>();
  let turn = 0;
  for (const subset of state.set.subsets.filter(({ isReg }) => !isReg)) {
    const own = [...state.pictures.values()].filter((picture) => picture.subset === subset.id);
    if (own.length < 2) continue;
    const reg = regSubsetFor(subsets, subset.className, newId);
    const all = groupBy(own, (picture) => rootOf(state, picture).original).values();
    for (const families of groupBy(all, ([first]) => first?.group).values()) {
      // Of odd groups, one more goes to either side in turn.
      const half = families.length % 2 === 0 ? families.length / 2 : Math.floor(families.length / 2) + (turn++ % 2);
      const lots = pythonShuffle(families, seed).slice(0, half);
      for (const picture of lots.flat()) goals.set(picture.id, reg);
    }
  }
  if (goals.size === 0) return { changes: [], refused: [] };
  const set = { ...state.set, subsets };
  const { changes, refused } = move({ set, pictures: state.pictures }, goals);
  const change = changeSet(state.set, { subsets });
  return { changes: change === undefined ? changes : [change, ...changes], refused };
}

/** The picture that this one was made from, and what that one was made from, as far as they are here. */
function rootOf(state: SetState, picture: StudioPicture): StudioPicture {
  let root = picture;
  for (const seen = new Set([root.id]); root.origin?.kind === "derived"; seen.add(root.id)) {
    const from = state.pictures.get(root.origin.from);
    if (from === undefined || seen.has(from.id)) break;
    root = from;
  }
  return root;
}

function regSubsetFor(subsets: StudioSubset[], className: string, newId: () => string): StudioSubset {
  const known = subsets.find((subset) => subset.isReg && subset.className === className);
  if (known !== undefined) return known;
  const added = { id: newId(), isReg: true, repeats: 1, identifier: "", className };
  subsets.push(added);
  return added;
}
