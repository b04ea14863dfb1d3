/** Which pictures of the open set are shown, in which order, and which of them are meant by what is done next. */
import type { StudioPicture } from "../../../studio/picture.ts";
import type { OpenSet } from "./open-set.svelte.ts";
import { PictureFilter } from "./picture-filter.svelte.ts";

export const orders = ["name", "caption", "pixels", "ratio", "likeness"] as const;
export type Order = (typeof orders)[number];

export const scopes = ["selection", "filter", "all"] as const;
/** What an operation acts on: the chosen pictures, those that the filter shows, or all of the set. */
export type Scope = (typeof scopes)[number];

const collator = new Intl.Collator("en", { numeric: true });

const comparisons: Record<Order, (a: StudioPicture, b: StudioPicture) => number> = {
  name: byName,
  caption: (a, b) => collator.compare(a.caption ?? "", b.caption ?? "") || byName(a, b),
  pixels: (a, b) => a.width * a.height - b.width * b.height || byName(a, b),
  ratio: (a, b) => a.width / a.height - b.width / b.height || byName(a, b),
  likeness: (a, b) => (a.likeness < b.likeness ? -1 : a.likeness > b.likeness ? 1 : byName(a, b)),
};

export class Gallery {
  readonly #open: () => OpenSet | undefined;
  readonly #filter: PictureFilter;
  #order: Order = $state("name");
  #isDescending = $state(false);
  #selected: ReadonlySet<string> = $state.raw(new Set());
  #focused: string | undefined = $state();
  #anchor: string | undefined;

  constructor(open: () => OpenSet | undefined) {
    this.#open = open;
    this.#filter = new PictureFilter(open);
  }

  readonly #sorted: readonly StudioPicture[] = $derived.by(() => {
    const set = this.#open();
    if (set === undefined) return [];
    const place = new Map(set.subsets.map(({ id }, index) => [id, index]));
    const compare = comparisons[this.#order];
    const bySubset = (a: StudioPicture, b: StudioPicture): number => (place.get(a.subset) ?? 0) - (place.get(b.subset) ?? 0);
    const sorted = [...set.pictures.values()].sort((a, b) => bySubset(a, b) || compare(a, b));
    return this.#isDescending ? sorted.reverse() : sorted;
  });

  /** In the order in which they are shown. */
  readonly visible: readonly StudioPicture[] = $derived.by(() => {
    const { predicate } = this.#filter;
    return predicate === undefined ? this.#sorted : this.#sorted.filter(predicate);
  });

  readonly #places: ReadonlyMap<string, number> = $derived(new Map(this.visible.map(({ id }, index) => [id, index])));

  /** An expression; see `studio/filter`. */
  get filter() {
    return this.#filter.text;
  }
  set filter(text: string) {
    this.#filter.text = text;
  }
  /** What is wrong with it; what is shown is as before it was. */
  get filterError() {
    return this.#filter.error;
  }
  get order() {
    return this.#order;
  }
  set order(order: Order) {
    this.#order = order;
  }
  get isDescending() {
    return this.#isDescending;
  }
  set isDescending(isDescending: boolean) {
    this.#isDescending = isDescending;
  }

  /** The picture that keys act on and that the panel shows. */
  get focused(): StudioPicture | undefined {
    return this.#focused === undefined ? undefined : this.#open()?.pictures.get(this.#focused);
  }
  /** The chosen pictures that still exist, shown or not, in the order of the set. */
  readonly selected: readonly StudioPicture[] = $derived(this.#sorted.filter(({ id }) => this.#selected.has(id)));

  isSelected(id: string): boolean {
    return this.#selected.has(id);
  }

  /** Where a picture stands among the shown ones; undefined where it is not shown. */
  placeOf(id: string): number | undefined {
    return this.#places.get(id);
  }

  inScope(scope: Scope): readonly StudioPicture[] {
    if (scope === "selection") return this.selected;
    return scope === "filter" ? this.visible : this.#sorted;
  }

  /** What a person most likely means: the chosen pictures if there are several, else what is shown. */
  get likelyScope(): Scope {
    if (this.selected.length > 1) return "selection";
    return this.filter.trim() === "" ? "all" : "filter";
  }

  /** A press on a picture: alone, toggled (`isAdding`), or all from the last one pressed to this one. */
  press(id: string, { isAdding = false, isRange = false } = {}): void {
    this.#focused = id;
    if (isRange && this.#anchor !== undefined) {
      this.#selectRange(this.#anchor, id, isAdding);
      return;
    }
    this.#anchor = id;
    if (!isAdding) this.#selected = new Set([id]);
    else this.toggle(id);
  }

  toggle(id: string): void {
    const selected = new Set(this.#selected);
    if (!selected.delete(id)) selected.add(id);
    this.#selected = selected;
    this.#anchor = id;
  }

  /** Moves the focus among the shown pictures; `isRange` takes along what is passed. */
  move(step: number, isRange = false): void {
    const at = this.#focused === undefined ? undefined : this.placeOf(this.#focused);
    this.focusPlace(at === undefined ? 0 : at + step, isRange);
  }

  focusPlace(place: number, isRange = false): void {
    const to = this.visible[Math.min(Math.max(place, 0), this.visible.length - 1)];
    if (to === undefined) return;
    this.#anchor ??= to.id;
    this.#focused = to.id;
    if (isRange) this.#selectRange(this.#anchor, to.id, false);
    else this.press(to.id);
  }

  /** The next shown picture that `isWanted`, from the focus on and round the end. */
  focusNext(direction: 1 | -1, isWanted: (picture: StudioPicture) => boolean): void {
    const { visible } = this;
    const from = this.#focused === undefined ? -direction : (this.placeOf(this.#focused) ?? -direction);
    for (let i = 1; i <= visible.length; i++) {
      const place = (from + direction * i + visible.length * 2) % visible.length;
      const picture = visible[place];
      if (picture !== undefined && isWanted(picture)) {
        this.focusPlace(place);
        return;
      }
    }
  }

  select(ids: Iterable<string>): void {
    this.#selected = new Set(ids);
  }

  selectShown(): void {
    this.select(this.visible.map(({ id }) => id));
  }

  clear(): void {
    this.#selected = new Set();
    this.#anchor = undefined;
  }

  #selectRange(from: string, to: string, isAdding: boolean): void {
    const [a, b] = [this.placeOf(from) ?? 0, this.placeOf(to) ?? 0];
    const range = this.visible.slice(Math.min(a, b), Math.max(a, b) + 1).map(({ id }) => id);
    this.#selected = new Set(isAdding ? [...this.#selected, ...range] : range);
  }
}

function byName(a: StudioPicture, b: StudioPicture): number {
  return collator.compare(a.name, b.name);
}
