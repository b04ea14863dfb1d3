/** A rule of keyword merging while it is being made, step by step, and what it would do. */
import { tagsOf, typedTags } from "../../../studio/caption-tags.ts";
import { mergeOutliers, suggestAbsorbed, suggestSynonyms } from "../../../studio/merge-advice.ts";
import type { AbsorbSuggestion, MergeOutliers, SynonymSuggestion } from "../../../studio/merge-advice.ts";
import { mergeEdit, mergeChanges, merger, picturesUnder, rerunChanges } from "../../../studio/merge-rule.ts";
import type { MergeRule } from "../../../studio/merge-rule.ts";
import type { StudioPicture } from "../../../studio/picture.ts";
import { sameTag } from "../../../studio/same-tag.ts";
import type { OpenSet } from "./open-set.svelte.ts";
import type { TagWords } from "./tag-words.svelte.ts";

export const mergeSteps = ["trigger", "absorb", "synonyms", "review"] as const;
type MergeStep = (typeof mergeSteps)[number];

interface SynonymLine {
  readonly from: string;
  readonly to: string;
}

export class MergeDraft {
  readonly #open: OpenSet;
  readonly #words: TagWords;
  step: MergeStep = $state("trigger");
  trigger = $state("");
  when: MergeRule["when"] = $state("always");
  /** "" stands for all that are no regularization pictures. */
  subset = $state("");
  minShare = $state(0.5);
  #absorbed: ReadonlySet<string> = $state.raw(new Set());
  lines: readonly SynonymLine[] = $state.raw([]);
  #example = $state(0);

  constructor(open: OpenSet, words: TagWords) {
    this.#open = open;
    this.#words = words;
    const rule = open.set.mergeRules.at(-1);
    const identifier = open.subsets.find(({ isReg, identifier }) => !isReg && identifier !== "")?.identifier;
    this.trigger = rule?.trigger ?? identifier ?? "";
    if (rule !== undefined) this.use(rule);
  }

  /** Goes on from a rule that was made before. */
  use(rule: MergeRule): void {
    this.trigger = rule.trigger;
    this.when = rule.when;
    this.subset = rule.subsets?.[0] ?? "";
    this.#absorbed = new Set(rule.absorbed.map(sameTag));
    this.lines = rule.synonyms.map(({ from, to }) => ({ from: from.join(", "), to }));
  }

  readonly #subsets: readonly string[] | null = $derived.by(() => (this.subset === "" ? null : [this.subset]));
  readonly pictures: readonly StudioPicture[] = $derived.by(() => picturesUnder({ subsets: this.#subsets }, this.#open));
  readonly suggestions: readonly AbsorbSuggestion[] = $derived.by(() => {
    const triggers = new Set(typedTags(this.trigger).map(sameTag));
    return suggestAbsorbed(this.pictures, this.minShare).filter(({ key }) => !triggers.has(key));
  });
  readonly synonymSuggestions: readonly SynonymSuggestion[] = $derived.by(() => {
    const names = this.#words.usualNames;
    const known = new Set(this.lines.flatMap(({ from }) => typedTags(from).map(sameTag)));
    return suggestSynonyms(this.pictures, (key) => names.get(key) ?? key).filter(({ from }) => !from.every((tag) => known.has(sameTag(tag))));
  });

  readonly rule: MergeRule = $derived.by(() => {
    // Tags of the rule that no caption has any more stay in it, for captions that come later.
    const spellings = new Map(this.suggestions.map(({ key, tag }) => [key, tag]));
    return {
      trigger: typedTags(this.trigger).join(", "),
      absorbed: [...this.#absorbed].map((key) => spellings.get(key) ?? key),
      synonyms: this.lines.flatMap(({ from, to }) => {
        const [word] = typedTags(to);
        const tags = typedTags(from);
        return word === undefined || tags.length === 0 ? [] : [{ from: tags, to: word }];
      }),
      when: this.when,
      subsets: this.#subsets,
    };
  });

  readonly changes = $derived.by(() => (this.rule.trigger === "" ? [] : mergeChanges(this.rule, this.#open)));
  readonly outliers: MergeOutliers = $derived.by(() => mergeOutliers(this.rule, this.pictures));
  readonly isKept: boolean = $derived.by(() => this.#open.set.mergeRules.some((kept) => JSON.stringify(kept) === JSON.stringify(this.rule)));

  /** The caption that shows what the rule does; rather one that it changes. */
  readonly example: { readonly name: string; readonly before: string | null; readonly after: string | null } | undefined = $derived.by(() => {
    const changed = this.changes.map(({ id }) => this.#open.pictures.get(id)).filter((picture) => picture !== undefined);
    const tagged = this.pictures.filter(({ caption }) => tagsOf(caption).length > 0);
    const choice = changed.length > 0 ? changed : tagged.length > 0 ? tagged : this.pictures;
    const picture = choice[this.#example % Math.max(1, choice.length)];
    if (picture === undefined) return undefined;
    const after = this.rule.trigger === "" ? picture.caption : merger(this.rule)(picture.caption);
    return { name: picture.name, before: picture.caption, after };
  });

  /** What running all kept rules again would change. */
  readonly rerun = $derived.by(() => rerunChanges(this.#open.set.mergeRules, this.#open));

  isAbsorbed(key: string): boolean {
    return this.#absorbed.has(key);
  }

  toggle(key: string): void {
    const absorbed = new Set(this.#absorbed);
    if (!absorbed.delete(key)) absorbed.add(key);
    this.#absorbed = absorbed;
  }

  tickSuggested(): void {
    this.#absorbed = new Set([...this.#absorbed, ...this.suggestions.filter(({ isSuggested }) => isSuggested).map(({ key }) => key)]);
  }

  untickAll(): void {
    this.#absorbed = new Set();
  }

  addLine(line: SynonymLine = { from: "", to: "" }): void {
    this.lines = [...this.lines, line];
  }

  setLine(index: number, line: SynonymLine): void {
    this.lines = this.lines.with(index, line);
  }

  removeLine(index: number): void {
    this.lines = this.lines.toSpliced(index, 1);
  }

  showNextExample(): void {
    this.#example += 1;
  }

  /** Changes the captions and keeps the rule, as one edit. */
  apply(): void {
    const n = this.changes.length;
    void this.#open.edit({ code: "merge", data: { trigger: this.rule.trigger, n } }, mergeEdit(this.rule, this.#open));
  }

  runAgain(): void {
    void this.#open.edit({ code: "merge.rerun", data: { n: this.rerun.length } }, this.rerun);
  }
}
