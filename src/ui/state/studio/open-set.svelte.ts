/**
 * The set that the dataset studio works on. What is done shows at once; storing follows in order, and where it fails the
 * page goes back to what is stored and says so.
 */
import { serializeError } from "../../../errors.ts";
import type { SerializedError } from "../../../errors.ts";
import type { EditHistory } from "../../../storage/database.ts";
import { loadSet, recordEdit, redoEdit, storePictures, undoEdit } from "../../../storage/set-store.ts";
import type { IncomingPicture, LoadedSet } from "../../../storage/set-store.ts";
import { applyEdit, rebase } from "../../../studio/edit.ts";
import type { Change, EditLabel, SetState } from "../../../studio/edit.ts";
import type { StudioPicture } from "../../../studio/picture.ts";
import type { StudioSubset } from "../../../studio/studio-set.ts";

interface Step {
  readonly label: EditLabel | undefined;
  readonly stored: Awaited<ReturnType<typeof undoEdit>>;
  readonly isUndone: boolean;
}

export class OpenSet {
  readonly id: string;
  #state: SetState = $state.raw({} as SetState);
  #history: EditHistory = $state.raw({ labels: [], first: 0, done: 0 });
  /** Edits that show already and are not stored yet. */
  #pending = $state(0);
  #error: SerializedError | undefined = $state.raw();
  #notice: { readonly label: EditLabel; readonly isUndone: boolean } | undefined = $state.raw();
  #revision: number;
  #queue: Promise<void> = Promise.resolve();
  #stepping: Promise<void> | undefined;

  constructor({ state, history, revision }: LoadedSet) {
    this.id = state.set.id;
    this.#state = state;
    this.#history = history;
    this.#revision = revision;
  }

  get set() {
    return this.#state.set;
  }
  get pictures(): ReadonlyMap<string, StudioPicture> {
    return this.#state.pictures;
  }
  get isStoring() {
    return this.#pending > 0;
  }
  get error() {
    return this.#error;
  }
  /** What was done last in this visit, to be said where it can be taken back. */
  get notice() {
    return this.#notice;
  }
  /** What undoing would take back; undefined where there is nothing. */
  get undoLabel(): EditLabel | undefined {
    return this.#history.labels[this.#history.done - 1];
  }
  get redoLabel(): EditLabel | undefined {
    return this.#history.labels[this.#history.done];
  }
  get subsets(): readonly StudioSubset[] {
    return this.set.subsets;
  }

  /** Does something that can be taken back as a whole. Nothing happens where nothing changes. */
  edit(label: EditLabel, changes: readonly Change[]): Promise<void> {
    if (changes.length === 0) return this.#queue;
    // What is being taken back must be gone before something else is done on top of it.
    if (this.#stepping !== undefined) return this.#stepping.then(() => this.edit(label, rebase(this.#state, changes)));
    this.#state = applyEdit(this.#state, changes);
    this.#notice = { label, isUndone: false };
    return this.#store(async () => {
      const stored = await recordEdit(this.id, this.#revision, { label, changes });
      this.#history = stored.history;
      this.#revision = stored.revision;
    });
  }

  undo(): Promise<void> {
    return this.#step(async () => {
      const label = this.undoLabel;
      return { label, stored: await undoEdit(this.id, this.#revision), isUndone: true };
    });
  }

  redo(): Promise<void> {
    return this.#step(async () => {
      const label = this.redoLabel;
      return { label, stored: await redoEdit(this.id, this.#revision), isUndone: false };
    });
  }

  /**
   * Stores pictures of an import that goes on, and shows them. `edit` with all of them as `add` changes ends it.
   * @param subsets all subsets from now on, where the pictures lie in new ones
   * @throws StorageFullError; then none of these is in the set, and those before stay
   */
  async receive(incoming: readonly IncomingPicture[], subsets?: readonly StudioSubset[]): Promise<void> {
    const storing = this.#queue.then(async () => {
      this.#revision = await storePictures(this.id, this.#revision, incoming, subsets);
      const adds = incoming.map(({ picture }): Change => ({ kind: "add", picture }));
      const folders: Change[] = subsets === undefined ? [] : [{ kind: "set", from: { subsets: this.subsets }, to: { subsets } }];
      this.#state = applyEdit(this.#state, [...folders, ...adds]);
    });
    this.#queue = storing.catch(() => undefined);
    await storing;
  }

  dismissError(): void {
    this.#error = undefined;
  }

  dismissNotice(): void {
    this.#notice = undefined;
  }

  #step(step: () => Promise<Step>): Promise<void> {
    const stepping = this.#store(async () => {
      const { label, stored, isUndone } = await step();
      if (stored === undefined || label === undefined) return;
      this.#state = applyEdit(this.#state, stored.changes);
      this.#history = stored.history;
      this.#revision = stored.revision;
      this.#notice = { label, isUndone };
    }).finally(() => {
      if (this.#stepping === stepping) this.#stepping = undefined;
    });
    this.#stepping = stepping;
    return stepping;
  }

  #store(work: () => Promise<void>): Promise<void> {
    this.#pending += 1;
    this.#queue = this.#queue.then(async () => {
      try {
        await work();
        this.#error = undefined;
      } catch (error) {
        await this.#goBack();
        this.#error = serializeError(error);
      } finally {
        this.#pending -= 1;
      }
    });
    return this.#queue;
  }

  async #goBack(): Promise<void> {
    const stored = await loadSet(this.id).catch(() => undefined);
    this.#notice = undefined;
    if (stored === undefined) return;
    this.#state = stored.state;
    this.#history = stored.history;
    this.#revision = stored.revision;
  }
}
