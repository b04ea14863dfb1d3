/** Which subset of a set the folders of an import become, and what else of the set an import brings. */
import type { SetFields } from "../studio/edit.ts";
import type { ImportPlan, PlannedPicture, PlannedSubset } from "../studio/import-plan.ts";
import type { StudioSubset } from "../studio/studio-set.ts";
import type { ImportRequest } from "./import-protocol.ts";

export interface ImportPlaces {
  /** Id of the subset for a picture of one of the plan's subsets, given by its number. */
  readonly of: (picture: PlannedPicture, at: number) => string;
  readonly isReg: (subset: string) => boolean;
  /** What of the set changes; null: nothing. */
  readonly change: SetFields | null;
}

/**
 * Folders of the same name, number and kind are one subset, which may be in the set already. An empty set takes over
 * what the import is, so that its own empty subset does not stay behind.
 */
export function placesOf(plan: ImportPlan, { set, known: pictures, subset: target }: ImportRequest): ImportPlaces {
  const { sidecar } = plan;
  const isEmpty = pictures.length === 0;
  const kept = sidecar?.subsets ?? [];
  const fresh: StudioSubset[] = isEmpty && sidecar !== null ? [] : [...set.subsets];
  for (const subset of kept) if (!fresh.some(({ id }) => id === subset.id)) fresh.push(subset);
  const known = new Set(fresh.map(({ id }) => id));
  const keptOf = ({ kept }: PlannedPicture): string | undefined => (kept !== null && known.has(kept.subset) ? kept.subset : undefined);
  const keptFor = ({ pictures }: PlannedSubset): string | undefined => pictures.map(keptOf).find((id) => id !== undefined);
  const subsets = plan.subsets.map((planned) => {
    const own = keptFor(planned);
    if (own !== undefined) return own;
    const { subset } = planned;
    if (subset === null && fresh.some(({ id }) => id === target)) return target;
    const wanted = subset ?? { isReg: false, repeats: 1, identifier: "", className: "" };
    const same = fresh.find((other) => isSame(other, wanted));
    if (same !== undefined) return same.id;
    const added = { id: crypto.randomUUID(), ...wanted };
    fresh.push(added);
    return added.id;
  });
  // Of an empty set, what nothing went to was only there to begin with.
  const used = isEmpty && sidecar === null && subsets.length > 0 ? fresh.filter(({ id }) => subsets.includes(id)) : fresh;
  const regular = new Set(used.flatMap(({ id, isReg }) => (isReg ? [id] : [])));
  return {
    of: (picture, at) => keptOf(picture) ?? subsets[at]!,
    isReg: (id) => regular.has(id),
    change: changeOf(plan, set, used, isEmpty),
  };
}

function isSame(a: Omit<StudioSubset, "id">, b: Omit<StudioSubset, "id">): boolean {
  return a.isReg === b.isReg && a.repeats === b.repeats && a.identifier === b.identifier && a.className === b.className;
}

function changeOf(
  { sidecar }: ImportPlan, set: ImportRequest["set"], subsets: readonly StudioSubset[], isEmpty: boolean,
): SetFields | null {
  const groups = [...set.groups, ...(sidecar?.groups ?? []).filter(({ id }) => !set.groups.some((known) => known.id === id))];
  const rules = set.mergeRules.map((rule) => JSON.stringify(rule));
  const mergeRules = [...set.mergeRules, ...(sidecar?.mergeRules ?? []).filter((rule) => !rules.includes(JSON.stringify(rule)))];
  const whole = isEmpty && sidecar !== null ? { name: sidecar.name, captionExtension: sidecar.captionExtension } : {};
  const change: SetFields = { subsets, groups, mergeRules, ...whole };
  const keys = Object.keys(change) as (keyof SetFields)[];
  return keys.every((key) => JSON.stringify(change[key]) === JSON.stringify(set[key])) ? null : change;
}
