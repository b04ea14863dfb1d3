/** Captions of many pictures by a tagger or captioner: which, by which rules, what they would become, and the one edit that writes them. */
import { LorasmithError, serializeError } from "../../../errors.ts";
import type { SerializedError } from "../../../errors.ts";
import type { ReadingRecord } from "../../../storage/database.ts";
import { changePictures } from "../../../studio/edit.ts";
import type { Change } from "../../../studio/edit.ts";
import type { StudioPicture } from "../../../studio/picture.ts";
import { finishCaption } from "../../../tagging/caption/caption-text.ts";
import { readLabels } from "../../../tagging/labels.ts";
import type { TagLabel } from "../../../tagging/labels.ts";
import type { ModelManifest } from "../../../tagging/manifest.ts";
import { mayChange, mergeCaption } from "../../../tagging/merge-caption.ts";
import type { ExistingCaption } from "../../../tagging/merge-caption.ts";
import type { Reading } from "../../../tagging/open-model.ts";
import { chooseTags } from "../../../tagging/tag-rules.ts";
import type { ModelFiles, TagProvider } from "../../../workers/tag-protocol.ts";
import type { Scope } from "./gallery.svelte.ts";
import { knownReadings, readingKey, readPictures, variantOf } from "./read-pictures.ts";
import type { Studio } from "./studio.svelte.ts";
import { TagChoices } from "./tag-choices.svelte.ts";
import { Taggers } from "./taggers.svelte.ts";

/** Every new reading means choosing all tags again, so not each is shown at once. */
const showEveryMs = 300;

export class AutoTags {
  readonly choices = new TagChoices();
  readonly taggers = new Taggers();
  readonly #studio: Studio;
  #scope: Scope | undefined = $state();
  #modelId: string | undefined = $state();
  #labels: { readonly id: string; readonly list: readonly TagLabel[] } | undefined = $state.raw();
  /** Of the present model and its settings, by `readingKey`. */
  #readings: ReadonlyMap<string, ReadingRecord> = $state.raw(new Map());
  #failures: ReadonlyMap<string, SerializedError> = $state.raw(new Map());
  #progress: { readonly done: number; readonly total: number } | undefined = $state.raw();
  #provider: TagProvider | undefined = $state();
  #error: SerializedError | undefined = $state.raw();
  #abort = new AbortController();
  #asked = 0;
  #waking: Promise<void> | undefined;

  constructor(studio: Studio) {
    this.#studio = studio;
  }

  get scope(): Scope {
    return this.#scope ?? this.#studio.gallery.likelyScope;
  }
  set scope(scope: Scope) {
    this.#scope = scope;
  }
  get modelId() {
    return this.#modelId;
  }
  readonly model: ModelManifest | undefined = $derived.by(() => this.taggers.entry(this.#modelId)?.manifest);
  get progress() {
    return this.#progress;
  }
  get provider() {
    return this.#provider;
  }
  get error() {
    return this.#error;
  }
  readonly pictures: readonly StudioPicture[] = $derived.by(() => this.#studio.gallery.inScope(this.scope));
  /** Those whose captions the mode allows to change. */
  readonly changeable: readonly StudioPicture[] = $derived.by(() =>
    this.pictures.filter(({ caption }) => mayChange(existing(caption), this.choices.values.mode)));
  /** Those of them that the model has still to see. */
  readonly waiting: readonly StudioPicture[] = $derived.by(() =>
    this.changeable.filter((picture) => !this.#readings.has(readingKey(picture)) && !this.#failures.has(readingKey(picture))));
  readonly failed: readonly { readonly picture: StudioPicture; readonly error: SerializedError }[] = $derived.by(() =>
    this.pictures.flatMap((picture) => {
      const error = this.#failures.get(readingKey(picture));
      return error === undefined ? [] : [{ picture, error }];
    }));
  readonly changes: readonly Change[] = $derived.by(() =>
    changePictures(this.changeable, (picture) => {
      const caption = this.captionFor(picture);
      return caption === undefined ? undefined : { caption };
    }));

  /** Finds the models that are here and brings back what was chosen. Once. */
  wake(): Promise<void> {
    this.#waking ??= (async () => {
      await Promise.all([this.choices.load(), this.taggers.wake()]);
      const first = this.taggers.entries.find(({ manifest }) => this.taggers.isHere(manifest.id));
      const last = this.choices.values.model;
      this.choose(this.taggers.entry(last) === undefined ? (first?.manifest.id ?? this.taggers.entries[0]?.manifest.id) : last);
    })();
    return this.#waking;
  }

  choose(id: string | undefined): void {
    if (id === undefined || this.#progress !== undefined) return;
    this.#modelId = id;
    this.choices.set({ model: id });
    this.#forget();
  }

  /** Call when the model, its settings or the pictures have changed: looks up what the model said before. */
  async follow(): Promise<void> {
    const manifest = this.model;
    this.#asked += 1;
    const asked = this.#asked;
    if (manifest === undefined || !this.taggers.isHere(manifest.id) || this.#progress !== undefined) return;
    try {
      const variant = variantOf(manifest, manifest.kind === "captioner" ? this.choices.writingFor(manifest) : {});
      const known = await knownReadings(manifest, variant, this.pictures);
      if (known.size > 0) await this.#readLabels(await this.taggers.files(manifest.id));
      if (asked !== this.#asked) return;
      this.#readings = known;
    } catch (error) {
      if (asked !== this.#asked) return;
      this.#readings = new Map();
      // Settings that make no sense are told where they are set.
      if (!(error instanceof LorasmithError && error.code.startsWith("captioner."))) this.#error = serializeError(error);
    }
  }

  /** What the model says of a picture, in words: tags, or one sentence. undefined where it has not seen it. */
  wordsFor(picture: StudioPicture): readonly string[] | undefined {
    const record = this.#readings.get(readingKey(picture));
    return record === undefined ? undefined : this.#words(record.reading);
  }

  /** The caption that a picture gets; undefined where it stays as it is. */
  captionFor(picture: StudioPicture): string | undefined {
    const words = this.wordsFor(picture);
    return words === undefined ? undefined : mergeCaption(existing(picture.caption), words, this.choices.values.mode);
  }

  /** Has the model read the pictures that it has not seen; `picture`: that one alone, whatever the mode. */
  async run(picture?: StudioPicture): Promise<void> {
    const manifest = this.model;
    if (manifest === undefined || this.#progress !== undefined) return;
    const pictures = picture === undefined ? this.waiting : [picture];
    this.#error = undefined;
    this.#provider = undefined;
    this.#progress = { done: 0, total: pictures.length };
    this.#abort = new AbortController();
    const readings = new Map(this.#readings);
    const failures = new Map(this.#failures);
    let [done, shownAt] = [0, -Infinity];
    const show = (): void => {
      this.#readings = new Map(readings);
      this.#failures = new Map(failures);
      shownAt = performance.now();
    };
    const advance = (): void => {
      done += 1;
      this.#progress = { done, total: pictures.length };
      if (performance.now() - shownAt > showEveryMs) show();
    };
    try {
      const files = await this.taggers.files(manifest.id);
      await this.#readLabels(files);
      await readPictures(files, pictures, manifest.kind === "captioner" ? this.choices.writingFor(manifest) : {}, {
        opened: (provider) => {
          this.#provider = provider;
        },
        read: (record) => {
          readings.set(record.picture, record);
          advance();
        },
        failed: (key, error) => {
          failures.set(key, error);
          advance();
        },
      }, this.#abort.signal);
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#error = serializeError(error);
    } finally {
      show();
      this.#progress = undefined;
    }
  }

  /** Ends the run; what was read by then stays. */
  cancel(): void {
    this.#abort.abort();
  }

  /** Writes the captions: one edit. */
  apply(): void {
    const { changes, model } = this;
    if (changes.length === 0 || model === undefined) return;
    void this.#studio.current?.edit({ code: "autoTag", data: { n: changes.length, model: model.title } }, changes);
  }

  dismissError(): void {
    this.#error = undefined;
  }

  #words(reading: Reading): readonly string[] {
    const { model } = this;
    if (reading.kind === "scores") {
      if (model?.kind !== "tagger" || this.#labels?.id !== model.id) return [];
      return chooseTags(this.#labels.list, reading.scores, this.choices.rulesFor(model));
    }
    if (model?.kind !== "captioner") return [];
    const caption = finishCaption(reading.text, model.promptText, this.choices.captionRulesFor(model));
    return caption === "" ? [] : [caption];
  }

  async #readLabels({ manifest, files }: ModelFiles): Promise<void> {
    const list = files.get("labels");
    if (manifest.kind !== "tagger" || list === undefined || this.#labels?.id === manifest.id) return;
    const bytes = new Uint8Array(await list.file.arrayBuffer());
    this.#labels = { id: manifest.id, list: readLabels(bytes, list.name, manifest.labelFormat) };
  }

  #forget(): void {
    this.#readings = new Map();
    this.#failures = new Map();
    this.#provider = undefined;
    this.#error = undefined;
  }
}

function existing(caption: string | null): ExistingCaption {
  return caption === null ? { kind: "none" } : { kind: "text", text: caption };
}
