/** The pictures of this and earlier visits, as strips show them: newest first, deleting can be undone. */
import { serializeError } from "../../errors.ts";
import type { SerializedError } from "../../errors.ts";
import type { AdapterWeight } from "../../generation/request.ts";
import type { PictureRecord } from "../../storage/database.ts";
import { pictureLimits, pictureStore } from "../../storage/picture-store.ts";
import type { FinishedPicture } from "../../workers/generate-protocol.ts";

/** Read and shown at a time. */
const pageSize = 24;

export class History {
  #pictures: readonly PictureRecord[] = $state.raw([]);
  #hasMore = $state(false);
  #onlyFavourites = $state(false);
  #deleted: PictureRecord | undefined = $state.raw();
  #error: SerializedError | undefined = $state.raw();
  #undoTimer: ReturnType<typeof setTimeout> | undefined;
  #loading: Promise<void> | undefined;

  get pictures() {
    return this.#pictures;
  }
  get hasMore() {
    return this.#hasMore;
  }
  get onlyFavourites() {
    return this.#onlyFavourites;
  }
  /** The last one deleted, while it can be had back. */
  get deleted() {
    return this.#deleted;
  }
  /** Why the latest picture was not kept. */
  get error() {
    return this.#error;
  }

  /** Reads the first pictures; once per visit. */
  load(): Promise<void> {
    this.#loading ??= this.#guard(async () => {
      await pictureStore.sweep();
      await this.#read();
    });
    return this.#loading;
  }

  async more(): Promise<void> {
    await this.#guard(() => this.#read(this.#pictures.at(-1)?.id));
  }

  async show(onlyFavourites: boolean): Promise<void> {
    this.#onlyFavourites = onlyFavourites;
    await this.#guard(() => this.#read());
  }

  /**
   * Keeps a new picture. Where there is no room it can still be downloaded from where it is shown.
   * @param adapters as the sliders stood, without what tags of the prompt added
   */
  async add(picture: FinishedPicture, adapters: readonly AdapterWeight[], model: string): Promise<void> {
    const { request, width, height, infotext, milliseconds, png } = picture;
    await this.#guard(async () => {
      await this.load();
      const row = { request, width, height, adapters, model, infotext, milliseconds };
      const { picture: kept } = await pictureStore.add(row, png);
      if (!this.#onlyFavourites) this.#pictures = [kept, ...this.#pictures];
    });
  }

  async setFavourite(picture: PictureRecord, isFavourite: boolean): Promise<void> {
    await this.#guard(async () => {
      await pictureStore.setFavourite(picture.id, isFavourite);
      this.#pictures = this.#pictures.map((other) => (other.id === picture.id ? { ...other, isFavourite } : other));
    });
  }

  async remove(picture: PictureRecord): Promise<void> {
    await this.#guard(async () => {
      await pictureStore.remove([picture.id]);
      this.#pictures = this.#pictures.filter(({ id }) => id !== picture.id);
      this.#deleted = picture;
      clearTimeout(this.#undoTimer);
      this.#undoTimer = setTimeout(() => {
        this.#deleted = undefined;
      }, pictureLimits.undoMs);
    });
  }

  async undoRemove(): Promise<void> {
    const picture = this.#deleted;
    if (picture === undefined) return;
    this.#deleted = undefined;
    await this.#guard(async () => {
      await pictureStore.restore([picture.id]);
      this.#pictures = [...this.#pictures, picture].toSorted((a, b) => b.id - a.id);
    });
  }

  png(id: number): Promise<Blob | undefined> {
    return pictureStore.png(id).catch(() => undefined);
  }

  dismissError(): void {
    this.#error = undefined;
  }

  async #read(before?: number): Promise<void> {
    const page = await (this.#onlyFavourites ? pictureStore.favourites(pageSize, before) : pictureStore.list(pageSize, before));
    this.#pictures = before === undefined ? page : [...this.#pictures, ...page];
    this.#hasMore = page.length === pageSize;
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
