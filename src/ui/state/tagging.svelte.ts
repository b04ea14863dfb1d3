/**
 * Tagging the opened dataset: which tagger, the scores it gave, the captions that follow from them under the present
 * options, and what was written. Scores stay, so that options apply without the tagger.
 */
import { blobFolder } from "../../dataset/blob-folder.ts";
import { CancelledError, InputError, serializeError } from "../../errors.ts";
import type { SerializedError } from "../../errors.ts";
import type { DatasetChanges } from "../../storage/change-dataset.ts";
import { readLabels } from "../../tagging/labels.ts";
import type { TagLabel } from "../../tagging/labels.ts";
import { mayChange, mergeCaption } from "../../tagging/merge-caption.ts";
import { picturesToTag } from "../../tagging/pictures.ts";
import type { PictureToTag } from "../../tagging/pictures.ts";
import type { TagScores } from "../../tagging/scores.ts";
import { chooseTags } from "../../tagging/tag-rules.ts";
import { tagPictures } from "../../workers/tag-client.ts";
import type { TaggerFiles, TagProvider } from "../../workers/tag-protocol.ts";
import type { DatasetFile } from "../../workers/train-protocol.ts";
import { findDemoTagger } from "./demo-tagger.ts";
import type { DemoTagger } from "./demo-tagger.ts";
import { TagOptions } from "./tag-options.svelte.ts";

/** Every new score means choosing all tags again, so not each is shown at once beyond the first few. */
const shownAtOnce = 8;
const showEveryMs = 400;

export type TaggerChoice = "demo" | "own";

/** A picture as it is in the dataset before anything that was written here. */
interface Original extends PictureToTag {
  readonly file: Blob;
  /** Its caption file. */
  readonly caption: Blob | null;
}

export interface TaggedPicture extends Original {
  /** Absent where the caption stays as it was. */
  readonly newCaption: string | undefined;
}

/** What tagging asks of the dataset's owner. */
export interface TaggedDataset {
  changeDataset(changes: DatasetChanges): Promise<boolean>;
}

export class Tagging {
  readonly options = new TagOptions();
  readonly #owner: TaggedDataset;

  #demo: DemoTagger | undefined = $state.raw();
  #isPrepared = $state(false);
  #choice: TaggerChoice = $state("own");
  #own: { readonly model?: File; readonly labels?: File } = $state.raw({});

  #pictures: readonly Original[] = $state.raw([]);
  #labels: readonly TagLabel[] = $state.raw([]);
  #scores: ReadonlyMap<Blob, TagScores> = $state.raw(new Map());
  #failures: ReadonlyMap<Blob, SerializedError> = $state.raw(new Map());

  #progress: { readonly done: number; readonly total: number } | undefined = $state.raw();
  #provider: TagProvider | undefined = $state();
  #isApplying = $state(false);
  #error: SerializedError | undefined = $state.raw();
  #abort = new AbortController();

  /** Caption files as they are now, by path. */
  #current: ReadonlyMap<string, Blob> = $state.raw(new Map());
  /** Texts of the caption files written here, so that these are not taken for the user's. */
  readonly #written = new WeakMap<Blob, string>();
  #undo: DatasetChanges | undefined = $state.raw();
  #appliedCount: number | undefined = $state();
  #following = 0;
  /** Rises when scores are forgotten. */
  #tagging = 0;

  /** Pictures that this run of the tagger would be for. */
  readonly waiting: readonly Original[] = $derived(
    this.#pictures.filter(
      ({ existing, file }) => mayChange(existing, this.options.values.mode) && !this.#scores.has(file) && !this.#failures.has(file),
    ),
  );
  readonly tagged: readonly TaggedPicture[] = $derived.by(() =>
    this.#pictures.flatMap((picture) => {
      const scores = this.#scores.get(picture.file);
      if (scores === undefined) return [];
      const tags = chooseTags(this.#labels, scores, this.options.rules);
      return [{ ...picture, newCaption: mergeCaption(picture.existing, tags, this.options.values.mode) }];
    }),
  );
  /** Caption texts to write, by path; null brings back what was there. */
  readonly #pending: ReadonlyMap<string, string | null> = $derived.by(() => this.#findPending());

  constructor(owner: TaggedDataset) {
    this.#owner = owner;
  }

  get demo() {
    return this.#demo;
  }
  get isPrepared() {
    return this.#isPrepared;
  }
  get choice() {
    return this.#choice;
  }
  get own() {
    return this.#own;
  }
  get pictureCount() {
    return this.#pictures.length;
  }
  get pendingCount() {
    return this.#pending.size;
  }
  get failures(): readonly SerializedError[] {
    return this.#pictures.flatMap(({ file }) => this.#failures.get(file) ?? []);
  }
  get progress() {
    return this.#progress;
  }
  get provider() {
    return this.#provider;
  }
  get isApplying() {
    return this.#isApplying;
  }
  get error() {
    return this.#error;
  }
  get canUndo() {
    return this.#undo !== undefined;
  }
  /** How many captions the last "apply" wrote. */
  get appliedCount() {
    return this.#appliedCount;
  }
  get hasTagger() {
    if (this.#choice === "demo") return this.#demo !== undefined;
    return this.#own.model !== undefined && this.#own.labels !== undefined;
  }

  /** Looks for the tagger that ships with the page and brings back the options. Once, when the panel is first opened. */
  async prepare(): Promise<void> {
    if (this.#isPrepared) return;
    await this.options.load();
    this.#demo = await findDemoTagger();
    if (this.#demo !== undefined) this.#choice = "demo";
    this.#isPrepared = true;
  }

  choose(choice: TaggerChoice): void {
    this.#choice = choice;
    this.#forgetScores();
  }

  /** Takes model.onnx and selected_tags.csv, together or one after the other. */
  takeOwn(files: readonly File[]): void {
    const model = files.find(({ name }) => /\.onnx$/i.test(name)) ?? this.#own.model;
    const labels = files.find(({ name }) => /\.csv$/i.test(name)) ?? this.#own.labels;
    this.#own = { ...(model === undefined ? {} : { model }), ...(labels === undefined ? {} : { labels }) };
    this.#forgetScores();
    if (files.every(({ name }) => !/\.(onnx|csv)$/i.test(name))) {
      const names = files.map(({ name }) => name).join(", ");
      const message = `${names}: a tagger is a model.onnx and its selected_tags.csv. Choose these two files.`;
      this.#error = serializeError(new InputError("tagger.files", message, { files: names }));
    }
  }

  /** Call when the dataset or the ending of captions has changed. */
  async follow(files: readonly DatasetFile[], captionExtension: string): Promise<void> {
    this.#following += 1;
    const request = this.#following;
    const byPath = new Map(files.map(({ path, file }) => [path, file]));
    const found = await picturesToTag(blobFolder(files), captionExtension).catch(() => []);
    if (request !== this.#following) return;
    const before = new Map(this.#pictures.map((picture) => [picture.file, picture]));
    this.#current = byPath;
    this.#pictures = found.map((picture) => {
      const file = byPath.get(picture.path)!;
      const caption = byPath.get(picture.captionPath) ?? null;
      const known = before.get(file);
      // A caption that was written here is not what the picture came with.
      if (known !== undefined && caption !== null && this.#written.has(caption)) return known;
      return { ...picture, file, caption };
    });
    // Another dataset: nothing of the last one can be undone in it.
    if (before.size === 0 || this.#pictures.some(({ file }) => before.has(file))) return;
    this.#forgetScores();
    this.#undo = undefined;
    this.#appliedCount = undefined;
  }

  async run(): Promise<void> {
    const pictures = this.waiting;
    this.#error = undefined;
    this.#appliedCount = undefined;
    this.#progress = { done: 0, total: pictures.length };
    this.#abort = new AbortController();
    const files = new Map(pictures.map(({ path, file }) => [path, file]));
    const scores = new Map(this.#scores);
    const failures = new Map(this.#failures);
    let [done, shownAt] = [0, performance.now()];
    const tagging = this.#tagging;
    const show = (): void => {
      // Scores of a tagger or dataset that has been given up meanwhile.
      if (tagging !== this.#tagging) return;
      this.#scores = new Map(scores);
      this.#failures = new Map(failures);
      shownAt = performance.now();
    };
    const advance = (): void => {
      done += 1;
      this.#progress = { done, total: pictures.length };
      if (done <= shownAtOnce || performance.now() - shownAt > showEveryMs) show();
    };
    try {
      const tagger = await this.#files();
      this.#labels = readLabels(new Uint8Array(await tagger.labels.arrayBuffer()), tagger.labelsName);
      const observer = {
        opened: (provider: TagProvider) => void (this.#provider = provider),
        scored: (path: string, found: TagScores) => {
          scores.set(files.get(path)!, found);
          advance();
        },
        failed: (path: string, error: SerializedError) => {
          failures.set(files.get(path)!, error);
          advance();
        },
      };
      await tagPictures(tagger, pictures, observer, this.#abort.signal);
    } catch (error) {
      if (!(error instanceof CancelledError)) this.#error = serializeError(error);
    } finally {
      show();
      this.#progress = undefined;
    }
  }

  /** Ends the run; what was tagged by then stays. */
  cancel(): void {
    this.#abort.abort(new CancelledError());
  }

  async apply(): Promise<void> {
    const originals = new Map(this.#pictures.map(({ captionPath, caption }) => [captionPath, caption]));
    const changes = new Map<string, Blob | null>();
    for (const [path, text] of this.#pending) {
      const blob = text === null ? (originals.get(path) ?? null) : new Blob([`${text}\n`], { type: "text/plain" });
      if (blob !== null && text !== null) this.#written.set(blob, text);
      changes.set(path, blob);
    }
    const before = new Map([...changes.keys()].map((path) => [path, this.#current.get(path) ?? null]));
    if (!(await this.#change(changes))) return;
    this.#undo = before;
    this.#appliedCount = changes.size;
  }

  /** Takes back what the last "apply" wrote. */
  async undo(): Promise<void> {
    const changes = this.#undo;
    if (changes === undefined || !(await this.#change(changes))) return;
    this.#undo = undefined;
    this.#appliedCount = undefined;
  }

  async #change(changes: DatasetChanges): Promise<boolean> {
    this.#isApplying = true;
    try {
      return await this.#owner.changeDataset(changes);
    } finally {
      this.#isApplying = false;
    }
  }

  async #files(): Promise<TaggerFiles> {
    if (this.#choice === "demo" && this.#demo !== undefined) return this.#demo.files();
    const { model, labels } = this.#own;
    if (model === undefined || labels === undefined) throw new Error("invariant: no tagger is chosen");
    return { model, modelName: model.name, labels, labelsName: labels.name };
  }

  #findPending(): Map<string, string | null> {
    const pending = new Map<string, string | null>();
    for (const { captionPath, existing, newCaption } of this.tagged) {
      const current = this.#current.get(captionPath);
      const written = current === undefined ? undefined : this.#written.get(current);
      const now = written ?? (existing.kind === "text" ? existing.text.trim() : undefined);
      if (newCaption === undefined && written !== undefined) pending.set(captionPath, null);
      else if (newCaption !== undefined && newCaption !== now) pending.set(captionPath, newCaption);
    }
    return pending;
  }

  #forgetScores(): void {
    this.cancel();
    this.#tagging += 1;
    this.#scores = new Map();
    this.#failures = new Map();
    this.#provider = undefined;
    this.#error = undefined;
  }
}
