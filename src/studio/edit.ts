/** A change to a set that can be taken back: what was and what is, record by record. */
import type { StudioPicture } from "./picture.ts";
import type { StudioSet } from "./studio-set.ts";

export type PictureFields = Partial<Omit<StudioPicture, "id">>;
export type SetFields = Partial<Omit<StudioSet, "id" | "createdAt">>;

export type Change =
  | { readonly kind: "picture"; readonly id: string; readonly from: PictureFields; readonly to: PictureFields }
  | { readonly kind: "add"; readonly picture: StudioPicture }
  | { readonly kind: "remove"; readonly picture: StudioPicture }
  | { readonly kind: "set"; readonly from: SetFields; readonly to: SetFields };

/** What was done, as the page names it: the key of a text and what stands in it. */
export interface EditLabel {
  readonly code: string;
  readonly data: Readonly<Record<string, string | number>>;
}

export interface Edit {
  readonly label: EditLabel;
  readonly changes: readonly Change[];
}

/** A set with its pictures by id. Never changed in place, so that whoever holds one keeps what it saw. */
export interface SetState {
  readonly set: StudioSet;
  readonly pictures: ReadonlyMap<string, StudioPicture>;
}

/** The state after an edit. Changes to pictures that are not there are passed over. */
export function applyEdit(state: SetState, changes: readonly Change[]): SetState {
  let { set } = state;
  const pictures = new Map(state.pictures);
  for (const change of changes) {
    if (change.kind === "add") pictures.set(change.picture.id, change.picture);
    else if (change.kind === "remove") pictures.delete(change.picture.id);
    else if (change.kind === "set") set = { ...set, ...change.to };
    else {
      const picture = pictures.get(change.id);
      if (picture !== undefined) pictures.set(change.id, { ...picture, ...change.to });
    }
  }
  return { set, pictures };
}

/** The changes that take these back. */
export function invert(changes: readonly Change[]): Change[] {
  return changes.map(inverse).reverse();
}

function inverse(change: Change): Change {
  if (change.kind === "add") return { kind: "remove", picture: change.picture };
  if (change.kind === "remove") return { kind: "add", picture: change.picture };
  return { ...change, from: change.to, to: change.from };
}

/**
 * The change that gives a picture other values; undefined where it has them already.
 * Values are compared as JSON, so an equal crop is no change.
 */
export function changePicture(picture: StudioPicture, to: PictureFields): Change | undefined {
  const keys = changedKeys<PictureFields>(picture, to);
  if (keys.length === 0) return undefined;
  return { kind: "picture", id: picture.id, from: pick<PictureFields>(picture, keys), to: pick(to, keys) };
}

/** The same for the set itself. */
export function changeSet(set: StudioSet, to: SetFields): Change | undefined {
  const keys = changedKeys<SetFields>(set, to);
  if (keys.length === 0) return undefined;
  return { kind: "set", from: pick<SetFields>(set, keys), to: pick(to, keys) };
}

/** Changes of many pictures at once: `to` says what each gets, undefined leaves it alone. */
export function changePictures(
  pictures: Iterable<StudioPicture>, to: (picture: StudioPicture) => PictureFields | undefined,
): Change[] {
  const changes: Change[] = [];
  for (const picture of pictures) {
    const fields = to(picture);
    const change = fields === undefined ? undefined : changePicture(picture, fields);
    if (change !== undefined) changes.push(change);
  }
  return changes;
}

/** The same changes on top of another state: what they take back is what is there. Those of pictures that are gone fall away. */
export function rebase(state: SetState, changes: readonly Change[]): Change[] {
  return changes.flatMap((change): Change[] => {
    if (change.kind === "add") return [change];
    if (change.kind === "set") return listed(changeSet(state.set, change.to));
    const picture = state.pictures.get(change.kind === "remove" ? change.picture.id : change.id);
    if (picture === undefined) return [];
    return change.kind === "remove" ? [{ kind: "remove", picture }] : listed(changePicture(picture, change.to));
  });
}

function listed(change: Change | undefined): Change[] {
  return change === undefined ? [] : [change];
}

function changedKeys<T extends object>(now: T, to: T): (keyof T)[] {
  return (Object.keys(to) as (keyof T)[]).filter((key) => JSON.stringify(now[key]) !== JSON.stringify(to[key]));
}

function pick<T extends object>(from: T, keys: readonly (keyof T)[]): Partial<T> {
  const picked: Partial<T> = {};
  for (const key of keys) picked[key] = from[key];
  return picked;
}
