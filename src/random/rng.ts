/**
 * The run's random numbers. Each belongs to (seed, stream, index), for example (42, "noise", micro-batch 17), and does
 * not depend on what was drawn before: a resumed run, or a single step of it, sees the same numbers.
 */
import { philox4x32 } from "./philox.ts";

/** What numbers are for. The values are part of a run's identity: renumbering would change every result. */
const STREAMS = {
  noise: 1,
  timesteps: 2,
  noiseOffset: 3,
  vaeSample: 4,
  loraInit: 5,
  shuffleImages: 6,
  shuffleBatches: 7,
  noiseOffsetStrength: 8,
  multiresSizes: 9,
  multiresNoise: 10,
  inputNoise: 11,
  inputNoiseStrength: 12,
  captions: 20,
  flips: 21,
  vaeSampleFlipped: 22,
  augmentations: 23,
  vaeSampleEach: 24,
  networkDropout: 30,
  rankDropout: 31,
  moduleDropout: 32,
  wordInit: 40,
  captionWords: 50,
} as const;
export type Stream = keyof typeof STREAMS;

/** Streams whose numbers are drawn on the GPU, too. */
export const streamNumbers = {
  networkDropout: STREAMS.networkDropout,
  rankDropout: STREAMS.rankDropout,
  moduleDropout: STREAMS.moduleDropout,
} as const;

/** Numbers of one (seed, stream, index), in order. */
export class RandomSequence {
  private readonly key: Uint32Array;
  private readonly counter: Uint32Array;
  private readonly block = new Uint32Array(4);
  private used = 4;

  /** @param seed, index integers from 0 to 2^53 − 1 */
  constructor(seed: number, stream: Stream, index: number) {
    this.key = words(seed);
    this.counter = new Uint32Array([0, ...words(index), STREAMS[stream]]);
  }

  /** The next whole number from 0 to 2^32 − 1. */
  uint32(): number {
    if (this.used === 4) {
      philox4x32(this.counter, this.key, this.block);
      this.counter[0]!++;
      this.used = 0;
    }
    return this.block[this.used++]!;
  }

  /** The next number of U[0, 1). */
  uniform(): number {
    return this.uint32() / 0x1_0000_0000;
  }

  /** The next whole number from 0 to `limit` − 1, each equally likely. */
  below(limit: number): number {
    // Numbers past the last full multiple of `limit` would favour the small ones, so they are drawn again.
    const fair = 0x1_0000_0000 - (0x1_0000_0000 % limit);
    for (;;) {
      const word = this.uint32();
      if (word < fair) return word % limit;
    }
  }
}

function words(value: number): Uint32Array {
  return new Uint32Array([value % 0x1_0000_0000, Math.floor(value / 0x1_0000_0000)]);
}

/**
 * `count` samples of N(0, 1), by Box and Muller's method. Computed in float64; the largest magnitude is 6.8.
 * The last bit can depend on the JavaScript engine's `log` and `sin`.
 */
export function gaussian(seed: number, stream: Stream, index: number, count: number): Float32Array<ArrayBuffer> {
  const sequence = new RandomSequence(seed, stream, index);
  const samples = new Float32Array(count);
  for (let i = 0; i < count; i += 2) {
    // Half a step away from 0, whose logarithm is infinite.
    const radius = Math.sqrt(-2 * Math.log((sequence.uint32() + 0.5) / 0x1_0000_0000));
    const angle = (2 * Math.PI * sequence.uint32()) / 0x1_0000_0000;
    samples[i] = radius * Math.cos(angle);
    if (i + 1 < count) samples[i + 1] = radius * Math.sin(angle);
  }
  return samples;
}

/** `count` samples of U[0, 1), multiples of 2^-24, which float32 holds exactly (so 1 is never reached by rounding). */
export function uniform(seed: number, stream: Stream, index: number, count: number): Float32Array<ArrayBuffer> {
  const sequence = new RandomSequence(seed, stream, index);
  return Float32Array.from({ length: count }, () => (sequence.uint32() >>> 8) / 0x100_0000);
}

/** `count` whole numbers from `min` to `max` − 1. */
export function integers(
  seed: number, stream: Stream, index: number, count: number, min: number, max: number,
): Int32Array<ArrayBuffer> {
  const sequence = new RandomSequence(seed, stream, index);
  return Int32Array.from({ length: count }, () => min + sequence.below(max - min));
}

/** The numbers 0 to `count` − 1 in random order (Fisher and Yates). */
export function permutation(seed: number, stream: Stream, index: number, count: number): Uint32Array<ArrayBuffer> {
  const sequence = new RandomSequence(seed, stream, index);
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = sequence.below(i + 1);
    const kept = order[i]!;
    order[i] = order[j]!;
    order[j] = kept;
  }
  return order;
}

/** A seed for a run or picture whose owner set none; 32 bits, as in sd-scripts and the webui. */
export function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!;
}
