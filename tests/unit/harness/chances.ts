/** Random texts and choices for property tests, the same in every run (mulberry32). */
export class Chances {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** U[0, 1) */
  uniform(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** From 0 to `limit` − 1. */
  below(limit: number): number {
    return Math.floor(this.uniform() * limit);
  }

  one<T>(options: readonly T[]): T {
    return options[this.below(options.length)]!;
  }

  /** Up to `limit` items. */
  some<T>(limit: number, item: () => T): T[] {
    return Array.from({ length: this.below(limit + 1) }, item);
  }

  /** Any code point but lone surrogates, with those that captions give a meaning often among them. */
  character(): string {
    const meaningful = [",", " ", "(", ")", "[", "]", "{", "}", "\\", ":", "_", "\n", "\r\n", "\t", "\u3000", "\uFEFF", "，", "a", "B", "1", "."];
    if (this.uniform() < 0.6) return this.one(meaningful);
    const code = this.below([0x80, 0x800, 0x1_0000, 0x11_0000][this.below(4)]!);
    return code >= 0xd800 && code < 0xe000 ? "é" : String.fromCodePoint(code);
  }

  text(limit: number): string {
    return this.some(limit, () => this.character()).join("");
  }
}
