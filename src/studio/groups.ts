/** Groups of pictures (编组) that share a keyword: `smith, fullbody` and `smith, background`. */
import { tagsOf, typedTags, withTags } from "./caption-tags.ts";
import { changePictures, changeSet } from "./edit.ts";
import type { Change, SetState } from "./edit.ts";
import { distanceOf, halvesOf } from "./likeness.ts";
import type { Halves } from "./likeness.ts";
import { leadingWords } from "./merge-rule.ts";
import type { StudioPicture } from "./picture.ts";
import { sameTag } from "./same-tag.ts";
import type { PictureGroup, StudioSet } from "./studio-set.ts";

/** Puts pictures into a group, or with null out of theirs; their captions lose the old keyword and get the new one. */
export function assignGroup(state: SetState, ids: Iterable<string>, group: string | null): Change[] {
  const keywords = keywordsOf(state.set.groups);
  const pictures = [...ids].flatMap((id) => state.pictures.get(id) ?? []);
  return changePictures(pictures, (picture) => ({
    group,
    caption: exchange(picture, state.set, keywords.get(picture.group ?? ""), keywords.get(group ?? "")),
  }));
}

/** A new group with these pictures in it, in one edit. */
export function createGroup(state: SetState, group: PictureGroup, ids: Iterable<string>): Change[] {
  const created = changeSet(state.set, { groups: [...state.set.groups, group] });
  const set = { ...state.set, groups: [...state.set.groups, group] };
  return [...(created === undefined ? [] : [created]), ...assignGroup({ set, pictures: state.pictures }, ids, group.id)];
}

/** Another name or keyword; captions of the members are written anew where the keyword is another one. */
export function changeGroup(state: SetState, id: string, to: Partial<Pick<PictureGroup, "name" | "keyword">>): Change[] {
  const before = state.set.groups.find((group) => group.id === id);
  if (before === undefined) return [];
  const after = { ...before, ...to };
  const changed = changeSet(state.set, { groups: state.set.groups.map((group) => (group.id === id ? after : group)) });
  const captions = changePictures(membersOf(state, id), (picture) => (
    before.keyword === after.keyword ? undefined : { caption: exchange(picture, state.set, before.keyword, after.keyword) }
  ));
  return [...(changed === undefined ? [] : [changed]), ...captions];
}

/** Takes a group away; its pictures stay, without its keyword. */
export function deleteGroup(state: SetState, id: string): Change[] {
  const members = assignGroup(state, membersOf(state, id).map((picture) => picture.id), null);
  const changed = changeSet(state.set, { groups: state.set.groups.filter((group) => group.id !== id) });
  return [...members, ...(changed === undefined ? [] : [changed])];
}

export function membersOf({ pictures }: SetState, id: string): StudioPicture[] {
  return [...pictures.values()].filter(({ group }) => group === id);
}

function keywordsOf(groups: readonly PictureGroup[]): ReadonlyMap<string, string> {
  return new Map(groups.map(({ id, keyword }) => [id, keyword]));
}

/** A caption with another keyword: in the old one's place, or behind the words that stand for the subject. */
function exchange(picture: StudioPicture, set: StudioSet, from = "", to = ""): string | null {
  const tags = tagsOf(picture.caption);
  const [gone, wanted] = [typedTags(from), typedTags(to)];
  const goneKeys = new Set(gone.map(sameTag));
  const wantedKeys = new Set(wanted.map(sameTag));
  if (goneKeys.size === wantedKeys.size && [...goneKeys].every((key) => wantedKeys.has(key))) {
    const isThere = tags.some((tag) => wantedKeys.has(sameTag(tag)));
    if (isThere || wanted.length === 0) return picture.caption;
  }
  const old = tags.findIndex((tag) => goneKeys.has(sameTag(tag)));
  const kept = tags.filter((tag) => !goneKeys.has(sameTag(tag)));
  const fresh = wanted.filter((tag) => !kept.some((other) => sameTag(other) === sameTag(tag)));
  const leading = new Set(leadingWords(set, picture.subset).map(sameTag));
  const behind = kept.findIndex((tag) => !leading.has(sameTag(tag)));
  const place = old >= 0 ? old : behind;
  return withTags(picture.caption, kept.toSpliced(place < 0 ? kept.length : place, 0, ...fresh));
}

/**
 * Pictures that look alike, as groups to make: each at most `limit` bits from the first one of its group. The largest
 * first; pictures that have a group are left alone.
 */
export function suggestGroups(pictures: Iterable<StudioPicture>, limit = 10): StudioPicture[][] {
  const clusters: { readonly likeness: Halves; readonly members: StudioPicture[] }[] = [];
  for (const picture of pictures) {
    if (picture.group !== null) continue;
    const likeness = halvesOf(picture.likeness);
    const near = clusters.find((cluster) => distanceOf(cluster.likeness, likeness) <= limit);
    if (near === undefined) clusters.push({ likeness, members: [picture] });
    else near.members.push(picture);
  }
  return clusters.map(({ members }) => members).filter(({ length }) => length > 1).sort((a, b) => b.length - a.length);
}
