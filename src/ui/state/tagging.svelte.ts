/**
 * Tagging the opened dataset: the captions that follow from a tagger's scores under the present options, what was written
 * of them, and the way back.
 */
import { blobFolder } from "../../dataset/blob-folder.ts";
import type { SerializedError } from "../../errors.ts";
import type { DatasetChanges } from "../../storage/change-dataset.ts";
import { mayChange, mergeCaption } from "../../tagging/merge-caption.ts";
import { picturesToTag } from "../../tagging/pictures.ts";
import type { PictureToTag } from "../../tagging/pictures.ts";
import { chooseTags } from "../../tagging/tag-rules.ts";
import type { DatasetFile } from "../../workers/train-protocol.ts";
import { TagOptions } from "./tag-options.svelte.ts";
import { TagScoring } from "./tag-scoring.svelte.ts";

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
  change(changes: DatasetChanges): Promise<boolean>;
}

export class Tagging {
  readonly options = new TagOptions();
  readonly scoring = new TagScoring();
  readonly #owner: TaggedDataset;

  #isPrepared = $state(false);
  #pictures: readonly Original[] = $state.raw([]);
  /** Caption files as they are now, by path. */
  #current: ReadonlyMap<string, Blob> = $state.raw(new Map());
  /** Texts of the caption files written here, so that these are not taken for the user's. */
  readonly #written = new WeakMap<Blob, string>();
  #isApplying = $state(false);
  #undo: DatasetChanges | undefined = $state.raw();
  #appliedCount: number | undefined = $state();
  #following = 0;

  /** Pictures that the tagger has still to see. */
  readonly waiting: readonly Original[] = $derived(
    this.#pictures.filter(
      ({ existing, file }) =>
        mayChange(existing, this.options.values.mode) && !this.scoring.scores.has(file) && !this.scoring.failures.has(file),
    ),
  );
  readonly tagged: readonly TaggedPicture[] = $derived.by(() =>
    this.#pictures.flatMap((picture) => {
      const scores = this.scoring.scores.get(picture.file);
      if (scores === undefined) return [];
      const tags = chooseTags(this.scoring.labels, scores, this.options.rules);
      return [{ ...picture, newCaption: mergeCaption(picture.existing, tags, this.options.values.mode) }];
    }),
  );
  /** Caption texts to write, by path; null brings back what was there. */
  readonly #pending: ReadonlyMap<string, string | null> = $derived.by(() => this.#findPending());

  constructor(owner: TaggedDataset) {
    this.#owner = owner;
  }

  get isPrepared() {
    return this.#isPrepared;
  }
  get pictureCount() {
    return this.#pictures.length;
  }
  get pendingCount() {
    return this.#pending.size;
  }
  get failures(): readonly SerializedError[] {
    return this.#pictures.flatMap(({ file }) => this.scoring.failures.get(file) ?? []);
  }
  get isApplying() {
    return this.#isApplying;
  }
  get canUndo() {
    return this.#undo !== undefined;
  }
  /** How many captions the last "apply" wrote. */
  get appliedCount() {
    return this.#appliedCount;
  }

  /** Looks for taggers and brings back the options. Once, when the panel is first opened. */
  async prepare(): Promise<void> {
    if (this.#isPrepared) return;
    await this.options.load();
    await this.scoring.prepare();
    this.#isPrepared = true;
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
    this.scoring.forget();
    this.#undo = undefined;
    this.#appliedCount = undefined;
  }

  async run(): Promise<void> {
    this.#appliedCount = undefined;
    await this.scoring.run(this.waiting);
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
      return await this.#owner.change(changes);
    } finally {
      this.#isApplying = false;
    }
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
}
