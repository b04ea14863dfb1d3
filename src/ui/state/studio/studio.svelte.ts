/** The dataset studio: the sets that there are, and the one that is open. */
import { serializeError } from "../../../errors.ts";
import type { SerializedError } from "../../../errors.ts";
import { createSet, deleteSet, loadSet, picturesInSet, studioSets } from "../../../storage/set-store.ts";
import { readSetting, writeSetting } from "../../../storage/settings-store.ts";
import { changeSet } from "../../../studio/edit.ts";
import type { StudioSet } from "../../../studio/studio-set.ts";
import { Gallery } from "./gallery.svelte.ts";
import { OpenSet } from "./open-set.svelte.ts";
import { readAhead } from "./read-ahead.ts";
import type { TabId } from "./tab.ts";
import { TagWords } from "./tag-words.svelte.ts";

const settingName = "studio.open";

export class Studio {
  #sets: readonly StudioSet[] = $state.raw([]);
  #current: OpenSet | undefined = $state.raw();
  #error: SerializedError | undefined = $state.raw();
  #isReady = $state(false);
  #waking: Promise<void> | undefined;
  /** What the panel shows. */
  tab: TabId = $state("picture");
  readonly gallery = new Gallery(() => this.#current);
  readonly words = new TagWords(() => this.#current);

  /** The newest first. */
  get sets() {
    return this.#sets;
  }
  get current() {
    return this.#current;
  }
  /** A failure that belongs to no set. */
  get error() {
    return this.#error;
  }
  /** False until it is known which sets there are. */
  get isReady() {
    return this.#isReady;
  }

  /** Opens the set that was open last. */
  wake(): Promise<void> {
    this.#waking ??= this.#guard(async () => {
      await this.#refresh();
      const last = await readSetting(settingName).catch(() => undefined);
      const id = this.#sets.find((set) => set.id === last)?.id ?? this.#sets[0]?.id;
      if (id !== undefined) await this.#open(id);
    }).finally(() => {
      this.#isReady = true;
    });
    return this.#waking;
  }

  async open(id: string): Promise<void> {
    await this.#guard(() => this.#open(id));
  }

  /** Opens the set of this name and number of pictures, where there is one. */
  async openNamed(name: string, pictures: number): Promise<boolean> {
    for (const set of this.#sets.filter((each) => each.name === name)) {
      if ((await picturesInSet(set.id)) !== pictures) continue;
      await this.open(set.id);
      return true;
    }
    return false;
  }

  /** Makes a set without pictures and opens it; with one training folder, which its first import may replace. */
  async create(name: string): Promise<OpenSet | undefined> {
    await this.wake();
    const set: StudioSet = {
      id: crypto.randomUUID(),
      name,
      createdAt: Date.now(),
      captionExtension: ".txt",
      subsets: [{ id: crypto.randomUUID(), isReg: false, repeats: 10, identifier: "", className: "" }],
      groups: [],
      mergeRules: [],
    };
    await this.#guard(async () => {
      await createSet(set);
      await this.#refresh();
      await this.#open(set.id);
    });
    return this.#current?.id === set.id ? this.#current : undefined;
  }

  /** The open set; where there is none, a new one of this name. */
  async currentOrNew(name: string): Promise<OpenSet | undefined> {
    await this.wake();
    return this.#current ?? this.create(name);
  }

  async rename(name: string): Promise<void> {
    const set = this.#current;
    const change = set && changeSet(set.set, { name });
    if (set === undefined || change === undefined || name.trim() === "") return;
    await set.edit({ code: "rename", data: { name } }, [change]);
    await this.#guard(() => this.#refresh());
  }

  /** For good; asking is the caller's matter. */
  async delete(id: string): Promise<void> {
    await this.#guard(async () => {
      if (this.#current?.id === id) this.#current = undefined;
      await deleteSet(id);
      await this.#refresh();
      const next = this.#current?.id ?? this.#sets[0]?.id;
      if (this.#current === undefined && next !== undefined) await this.#open(next);
    });
  }

  dismissError(): void {
    this.#error = undefined;
  }

  async #open(id: string): Promise<void> {
    const loaded = await loadSet(id);
    if (loaded === undefined) return;
    this.gallery.clear();
    this.gallery.filter = "";
    this.#current = new OpenSet(loaded);
    readAhead(this.#current.pictures.values());
    await writeSetting(settingName, id).catch(() => undefined);
  }

  async #refresh(): Promise<void> {
    this.#sets = await studioSets();
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
