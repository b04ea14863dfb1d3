/** What several taggers and captioners say of one picture, side by side. */
import { CancelledError, deserializeError, serializeError } from "../../../errors.ts";
import type { SerializedError } from "../../../errors.ts";
import { tagKey, uniqueTags } from "../../../dataset/tag-names.ts";
import type { ReadingRecord } from "../../../storage/database.ts";
import { changePicture } from "../../../studio/edit.ts";
import type { StudioPicture } from "../../../studio/picture.ts";
import { finishCaption } from "../../../tagging/caption/caption-text.ts";
import { readLabels } from "../../../tagging/labels.ts";
import type { ModelManifest } from "../../../tagging/manifest.ts";
import { chooseTags } from "../../../tagging/tag-rules.ts";
import type { ModelFiles } from "../../../workers/tag-protocol.ts";
import type { AutoTags } from "./auto-tags.svelte.ts";
import { knownReadings, readPictures, variantOf } from "./read-pictures.ts";
import type { Studio } from "./studio.svelte.ts";

export interface ComparedColumn {
  readonly manifest: ModelManifest;
  /** Tags, or one sentence; undefined while it is not known. */
  readonly words: readonly string[] | undefined;
  /** That the model took for the picture, when it saw it. */
  readonly milliseconds: number | undefined;
  readonly error: SerializedError | undefined;
  readonly isRunning: boolean;
}

export class TagComparison {
  readonly #studio: Studio;
  readonly #tags: AutoTags;
  readonly picture: StudioPicture;
  #columns: readonly ComparedColumn[] = $state.raw([]);
  #abort = new AbortController();

  constructor(studio: Studio, tags: AutoTags, picture: StudioPicture) {
    this.#studio = studio;
    this.#tags = tags;
    this.picture = picture;
  }

  get columns() {
    return this.#columns;
  }
  readonly isRunning: boolean = $derived.by(() => this.#columns.some(({ isRunning }) => isRunning));
  readonly #tagLists: readonly (readonly string[])[] = $derived.by(() =>
    this.#columns.flatMap(({ manifest, words }) => (manifest.kind === "tagger" && words !== undefined ? [words] : [])));
  /** Tags that any tagger found, in the order of the columns; sentences stand by themselves and are left out. */
  readonly union: readonly string[] = $derived.by(() => uniqueTags(this.#tagLists.flat()));
  /** Tags that all taggers found. */
  readonly intersection: readonly string[] = $derived.by(() => {
    const [first = [], ...others] = this.#tagLists.map((tags) => tags);
    const keys = others.map((tags) => new Set(tags.map(tagKey)));
    return first.filter((tag) => keys.every((found) => found.has(tagKey(tag))));
  });
  /** Whether there are several taggers to unite. */
  readonly hasSeveral: boolean = $derived.by(() => this.#tagLists.length > 1);

  /** Asks these models, one after the other; what they said before is taken as it is. */
  async run(ids: readonly string[]): Promise<void> {
    this.#abort.abort();
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    const manifests = ids.flatMap((id) => this.#tags.taggers.entry(id)?.manifest ?? []);
    this.#columns = manifests.map((manifest) => ({ manifest, words: undefined, milliseconds: undefined, error: undefined, isRunning: false }));
    for (const manifest of manifests) {
      if (signal.aborted) return;
      this.#set(manifest.id, { isRunning: true });
      try {
        const files = await this.#tags.taggers.files(manifest.id);
        const record = await this.#read(files, signal);
        this.#set(manifest.id, { words: await this.#words(files, record), milliseconds: record.milliseconds });
      } catch (error) {
        if (!signal.aborted) this.#set(manifest.id, { error: serializeError(error) });
      } finally {
        this.#set(manifest.id, { isRunning: false });
      }
    }
  }

  cancel(): void {
    this.#abort.abort();
  }

  /** Makes this the picture's caption: one edit. */
  adopt(words: readonly string[]): void {
    const now = this.#studio.current?.pictures.get(this.picture.id);
    const change = now && changePicture(now, { caption: words.join(", ") });
    if (change !== undefined) void this.#studio.current?.edit({ code: "caption", data: { name: this.picture.name } }, [change]);
  }

  async #read(files: ModelFiles, signal: AbortSignal): Promise<ReadingRecord> {
    const { manifest } = files;
    const writing = manifest.kind === "captioner" ? this.#tags.choices.writingFor(manifest) : {};
    const [known] = (await knownReadings(manifest, variantOf(manifest, writing), [this.picture])).values();
    if (known !== undefined) return known;
    const found: ReadingRecord[] = [];
    const failures: SerializedError[] = [];
    await readPictures(files, [this.picture], writing, {
      opened: () => undefined,
      read: (record) => void found.push(record),
      failed: (_, error) => void failures.push(error),
    }, signal);
    const [record] = found;
    if (record !== undefined) return record;
    throw failures[0] === undefined ? new CancelledError() : deserializeError(failures[0]);
  }

  async #words({ manifest, files }: ModelFiles, { reading }: ReadingRecord): Promise<readonly string[]> {
    const { choices } = this.#tags;
    if (manifest.kind === "captioner") {
      if (reading.kind !== "text") return [];
      const caption = finishCaption(reading.text, manifest.promptText, choices.captionRulesFor(manifest));
      return caption === "" ? [] : [caption];
    }
    const list = files.get("labels");
    if (reading.kind !== "scores" || list === undefined) return [];
    const labels = readLabels(new Uint8Array(await list.file.arrayBuffer()), list.name, manifest.labelFormat);
    return chooseTags(labels, reading.scores, choices.rulesFor(manifest));
  }

  #set(id: string, change: Partial<ComparedColumn>): void {
    this.#columns = this.#columns.map((column) => (column.manifest.id === id ? { ...column, ...change } : column));
  }
}
