/** How fast a run goes: the median of the latest steps, so that one slow step (a save, a nap) moves nothing. */

const window = 50;

export class Pace {
  #recent: number[] = [];

  add(stepMs: number): void {
    this.#recent.push(stepMs);
    if (this.#recent.length > window) this.#recent.shift();
  }

  clear(): void {
    this.#recent = [];
  }

  /** Typical time of a step; undefined before two steps, because the first one also warms up. */
  get stepMs(): number | undefined {
    if (this.#recent.length < 2) return undefined;
    const sorted = this.#recent.toSorted((a, b) => a - b);
    const middle = sorted.length >> 1;
    return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  }
}
