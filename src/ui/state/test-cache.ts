/** Pictures by what they were asked for with, so that going back to a weight is instant. The least recently used goes first. */

/** A 512² PNG is about half a megabyte. */
const capacity = 120;

export class PictureCache<T> {
  readonly #entries = new Map<string, T>();

  get(key: string): T | undefined {
    const found = this.#entries.get(key);
    if (found !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, found);
    }
    return found;
  }

  set(key: string, value: T): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > capacity && oldest !== undefined) this.#entries.delete(oldest);
  }

  clear(): void {
    this.#entries.clear();
  }
}
