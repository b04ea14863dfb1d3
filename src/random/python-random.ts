/** Python's `random.shuffle` after `random.seed(n)`, where a choice must be the one that sd-scripts makes. */

const SIZE = 624;
const MIDDLE = 397;

/** The Mersenne Twister (Matsumoto and Nishimura 1998), seeded as CPython seeds it from a whole number. */
class MersenneTwister {
  readonly #state = new Uint32Array(SIZE);
  #next = SIZE;

  /** @param seed integer from 0 to 2^53 − 1 */
  constructor(seed: number) {
    const high = Math.floor(seed / 2 ** 32);
    const key = high === 0 ? [seed >>> 0] : [seed % 2 ** 32, high];
    const state = this.#state;
    state[0] = 19_650_218;
    for (let i = 1; i < SIZE; i++) state[i] = Math.imul(1_812_433_253, this.#mixed(i - 1)) + i;
    let i = 1;
    const advance = (): void => {
      i++;
      if (i < SIZE) return;
      state[0] = state[SIZE - 1]!;
      i = 1;
    };
    for (let k = 0; k < Math.max(SIZE, key.length); k++) {
      const j = k % key.length;
      state[i] = (state[i]! ^ Math.imul(this.#mixed(i - 1), 1_664_525)) + key[j]! + j;
      advance();
    }
    for (let k = 1; k < SIZE; k++) {
      state[i] = (state[i]! ^ Math.imul(this.#mixed(i - 1), 1_566_083_941)) - i;
      advance();
    }
    state[0] = 0x8000_0000;
  }

  #mixed(i: number): number {
    const value = this.#state[i]!;
    return value ^ (value >>> 30);
  }

  /** The highest `count` bits of the next word, 1 to 32. */
  bits(count: number): number {
    if (this.#next === SIZE) this.#twist();
    let word = this.#state[this.#next++]!;
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c_5680;
    word ^= (word << 15) & 0xefc6_0000;
    word ^= word >>> 18;
    return (word >>> 0) >>> (32 - count);
  }

  #twist(): void {
    const state = this.#state;
    for (let i = 0; i < SIZE; i++) {
      const word = (state[i]! & 0x8000_0000) | (state[(i + 1) % SIZE]! & 0x7fff_ffff);
      state[i] = state[(i + MIDDLE) % SIZE]! ^ (word >>> 1) ^ ((word & 1) === 0 ? 0 : 0x9908_b0df);
    }
    this.#next = 0;
  }
}

/** `items` as `random.shuffle` leaves them. */
export function pythonShuffle<T>(items: readonly T[], seed: number): T[] {
  const random = new MersenneTwister(seed);
  const shuffled = [...items];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const bits = 32 - Math.clz32(i + 1);
    let j = random.bits(bits);
    while (j > i) j = random.bits(bits);
    [shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!];
  }
  return shuffled;
}
