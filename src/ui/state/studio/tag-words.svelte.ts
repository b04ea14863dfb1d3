/** What tags are offered while somebody types one, and what they are called in Chinese. */
import { serializeError } from "../../../errors.ts";
import type { SerializedError } from "../../../errors.ts";
import { readSetting, writeSetting } from "../../../storage/settings-store.ts";
import { sameTag } from "../../../studio/same-tag.ts";
import { commonTags } from "../../../studio/tag-aspect.ts";
import { findInAll, TagIndex } from "../../../studio/tag-index.ts";
import type { TagMatch } from "../../../studio/tag-index.ts";
import { readTagList } from "../../../studio/tag-list.ts";
import type { ListedTag } from "../../../studio/tag-list.ts";
import { countTags } from "../../../studio/tag-statistics.ts";
import type { TagCount } from "../../../studio/tag-statistics.ts";
import type { OpenSet } from "./open-set.svelte.ts";

const settingName = "studio.tagLists";

/** A list that somebody loaded, as it is stored. */
interface StoredList {
  readonly name: string;
  readonly text: string;
}

interface LoadedList extends StoredList {
  readonly kind: "tags" | "translations";
  /** Tags or translations in it. */
  readonly size: number;
}

export class TagWords {
  readonly #open: () => OpenSet | undefined;
  #lists: readonly LoadedList[] = $state.raw([]);
  #listed: readonly ListedTag[] = $state.raw([]);
  #translations: ReadonlyMap<string, string> = $state.raw(new Map());
  #error: SerializedError | undefined = $state.raw();
  #waking: Promise<void> | undefined;

  constructor(open: () => OpenSet | undefined) {
    this.#open = open;
  }

  /** Tags of the open set, the most frequent first. */
  readonly counts: readonly TagCount[] = $derived.by(() => countTags([...(this.#open()?.pictures.values() ?? [])]));
  readonly #own = $derived(new TagIndex(this.counts.map(({ tag, count, key }) => ({ tag, count, translation: this.#translated(key) }))));
  readonly #others = $derived.by(() => {
    const common = [...commonTags()].map(([key, { tag, aliases }]) => ({ tag, aliases, translation: this.#translated(key) }));
    const listed = this.#listed.map(({ tag, count, aliases }) => ({ tag, count, aliases, translation: this.#translated(sameTag(tag)) }));
    // A loaded list knows which tags are the most used; ours comes behind it, for what it lacks.
    return listed.length === 0 ? [new TagIndex(common)] : [new TagIndex(listed), new TagIndex(common)];
  });

  get lists() {
    return this.#lists;
  }
  get error() {
    return this.#error;
  }

  /** Reads the lists of earlier visits. */
  wake(): Promise<void> {
    this.#waking ??= this.#guard(async () => {
      const stored = (await readSetting(settingName)) as readonly StoredList[] | undefined;
      for (const list of stored ?? []) this.#take(list);
    });
    return this.#waking;
  }

  find(typed: string, limit: number): TagMatch[] {
    return findInAll([this.#own, ...this.#others], typed, limit);
  }

  /** The Chinese for a tag; undefined where none is known. */
  translationOf(tag: string): string | undefined {
    return this.#translated(sameTag(tag));
  }

  /** The name that a tag usually has, by its key. */
  readonly usualNames: ReadonlyMap<string, string> = $derived.by(() => {
    const names = new Map<string, string>();
    for (const { tag, aliases } of [...commonTags().values(), ...this.#listed]) {
      for (const alias of aliases) if (!names.has(sameTag(alias))) names.set(sameTag(alias), sameTag(tag));
    }
    return names;
  });

  async load(file: File): Promise<void> {
    await this.wake();
    await this.#guard(async () => {
      this.#take({ name: file.name, text: await file.text() });
      await this.#store();
    });
  }

  async unload(name: string): Promise<void> {
    const kept = this.#lists.filter((list) => list.name !== name);
    this.#lists = [];
    this.#listed = [];
    this.#translations = new Map();
    await this.#guard(async () => {
      for (const list of kept) this.#take(list);
      await this.#store();
    });
  }

  dismissError(): void {
    this.#error = undefined;
  }

  #take({ name, text }: StoredList): void {
    const read = readTagList(text, name);
    const size = read.kind === "tags" ? read.tags.length : read.translations.size;
    this.#lists = [...this.#lists.filter((list) => list.name !== name), { name, text, kind: read.kind, size }];
    if (read.kind === "tags") this.#listed = read.tags;
    else this.#translations = new Map([...this.#translations, ...read.translations]);
  }

  #translated(key: string): string | undefined {
    return this.#translations.get(key) ?? commonTags().get(key)?.chinese;
  }

  async #store(): Promise<void> {
    await writeSetting(settingName, this.#lists.map(({ name, text }): StoredList => ({ name, text })));
  }

  async #guard(work: () => Promise<void>): Promise<void> {
    this.#error = undefined;
    try {
      await work();
    } catch (error) {
      this.#error = serializeError(error);
    }
  }
}
