/** Keyword merging (关键词合并): which words of captions become the trigger, and what that makes of a caption. */
import { tagsOf, typedTags, withTags } from "./caption-tags.ts";
import { changePictures, changeSet } from "./edit.ts";
import type { Change, SetState } from "./edit.ts";
import type { StudioPicture } from "./picture.ts";
import { distinctTags, sameTag } from "./same-tag.ts";
import type { StudioSet } from "./studio-set.ts";

export interface MergeRule {
  /** The word that stands for the subject; it is put first. */
  readonly trigger: string;
  /** Tags that describe the subject itself, and so disappear into the trigger. */
  readonly absorbed: readonly string[];
  /** Tags that mean the same: each of `from` becomes `to`. */
  readonly synonyms: readonly { readonly from: readonly string[]; readonly to: string }[];
  /** Which captions the rule acts on: all, or those that hold any or all of the absorbed tags. */
  readonly when: "always" | "any" | "all";
  /** Subsets that it acts on; null: all that are no regularization pictures. */
  readonly subsets: readonly string[] | null;
}

/** What a rule does to a caption. Doing it again changes nothing. */
export function merger(rule: MergeRule): (caption: string | null) => string | null {
  const triggers = distinctTags(typedTags(rule.trigger));
  const triggerKeys = new Set(triggers.map(sameTag));
  const unify = unifier(rule.synonyms, triggerKeys);
  // Of a synonym that is absorbed, the word that it becomes is absorbed.
  const absorbed = new Set(unify(rule.absorbed).map(sameTag).filter((key) => !triggerKeys.has(key)));
  const actsOn = (keys: ReadonlySet<string>): boolean => {
    if (rule.when === "always") return true;
    const wanted = [...absorbed];
    return rule.when === "all" ? wanted.every((key) => keys.has(key)) : wanted.some((key) => keys.has(key));
  };
  return (caption) => {
    const unified = unify(tagsOf(caption));
    if (!actsOn(new Set(unified.map(sameTag)))) return caption;
    // A trigger that is there already keeps how it is written, its weight for instance.
    const first = triggers.map((trigger) => unified.find((tag) => sameTag(tag) === sameTag(trigger)) ?? trigger);
    const kept = unified.filter((tag) => !absorbed.has(sameTag(tag)) && !triggerKeys.has(sameTag(tag)));
    return withTags(caption, [...first, ...kept]);
  };
}

/**
 * Synonyms of synonyms lead to one word, and circles to the last one that a line of the rule named.
 * @param kept keys of words that stay themselves
 */
function unifier(synonyms: MergeRule["synonyms"], kept: ReadonlySet<string>): (tags: readonly string[]) => string[] {
  const parents = new Map<string, string>();
  const spellings = new Map<string, string>();
  const rootOf = (key: string): string => {
    const parent = parents.get(key);
    return parent === undefined ? key : rootOf(parent);
  };
  for (const { from, to } of synonyms) {
    spellings.set(sameTag(to), to);
    for (const tag of from) {
      const [root, target] = [rootOf(sameTag(tag)), rootOf(sameTag(to))];
      if (root !== target && !kept.has(root)) parents.set(root, target);
    }
  }
  if (parents.size === 0) return (tags) => [...tags];
  const targets = new Set(parents.values());
  return (tags) => {
    const seen = new Set<string>();
    return tags.flatMap((tag) => {
      const key = sameTag(tag);
      const root = rootOf(key);
      if (targets.has(root)) {
        if (seen.has(root)) return [];
        seen.add(root);
      }
      return [root === key ? tag : (spellings.get(root) ?? root)];
    });
  };
}

/** Pictures that a rule may act on. */
export function picturesUnder(rule: Pick<MergeRule, "subsets">, { set, pictures }: SetState): StudioPicture[] {
  const regular = set.subsets.filter(({ isReg }) => !isReg).map(({ id }) => id);
  const subsets = new Set(rule.subsets ?? regular);
  return [...pictures.values()].filter(({ subset }) => subsets.has(subset));
}

/** The changes of captions that a rule makes, in the order of the pictures. */
export function mergeChanges(rule: MergeRule, state: SetState): (Change & { readonly kind: "picture" })[] {
  const merge = merger(rule);
  const changes = changePictures(picturesUnder(rule, state), ({ caption }) => ({ caption: merge(caption) }));
  return changes.filter((change) => change.kind === "picture");
}

/** The same, with the rule kept in the set: in the place of the one for the same trigger, or behind the others. */
export function mergeEdit(rule: MergeRule, state: SetState): Change[] {
  const kept = changeSet(state.set, { mergeRules: withRule(state.set.mergeRules, rule) });
  return kept === undefined ? mergeChanges(rule, state) : [...mergeChanges(rule, state), kept];
}

/** All rules of a set again, one after the other, for captions that came later. */
export function rerunChanges(rules: readonly MergeRule[], state: SetState): Change[] {
  const known = new Set(state.set.subsets.map(({ id }) => id));
  const running = rules.map((rule) => ({
    merge: merger(rule),
    ids: new Set(picturesUnder({ subsets: rule.subsets?.filter((id) => known.has(id)) ?? null }, state).map(({ id }) => id)),
  }));
  return changePictures(state.pictures.values(), ({ id, caption }) => ({
    caption: running.reduce((text, { merge, ids }) => (ids.has(id) ? merge(text) : text), caption),
  }));
}

function withRule(rules: readonly MergeRule[], rule: MergeRule): MergeRule[] {
  const key = sameTag(rule.trigger);
  const at = rules.findIndex(({ trigger }) => sameTag(trigger) === key);
  return at < 0 ? [...rules, rule] : rules.with(at, rule);
}

/** The words that stand first in captions of a subset: triggers of its rules, and its identifier. */
export function leadingWords(set: StudioSet, subset: string): string[] {
  const own = set.subsets.find(({ id }) => id === subset);
  const rules = set.mergeRules.filter(({ subsets }) => (subsets === null ? own?.isReg === false : subsets.includes(subset)));
  return [...rules.flatMap(({ trigger }) => typedTags(trigger)), ...typedTags(own?.identifier ?? "")];
}
