import { halvesFromFloats } from "../formats/half.ts";
import type { TensorSpec } from "../formats/safetensors-writer.ts";

/** Distinct values of a tensor; the generator's bits pick one of them. */
const tableBits = 12;
const tableSize = 1 << tableBits;

/**
 * Random f16 weights under which signals keep their size through a network: weights are uniform with variance
 * 1 / fan-in, norms lie around one, biases and embeddings around zero. Fast enough for a billion of them.
 */
export class RandomWeights {
  readonly #table: Uint16Array;
  #state: number;

  /** The sequence depends on the seed and the tensor's name alone, not on the order in which tensors are made. */
  constructor({ name, shape }: Pick<TensorSpec, "name" | "shape">, seed: number) {
    const { center, spread } = distribution(name, shape);
    const values = Float32Array.from({ length: tableSize }, (_, i) => {
      // Uniform with standard deviation `spread`: half-width √3 · spread.
      return center + spread * Math.sqrt(3) * (((i + 0.5) / tableSize) * 2 - 1);
    });
    this.#table = halvesFromFloats(values);
    this.#state = hash(`${seed}:${name}`);
  }

  /** Fills with the next f16 bits of the sequence. */
  fill(target: Uint16Array): void {
    const table = this.#table;
    let x = this.#state;
    for (let i = 0; i < target.length; i++) {
      // xorshift32
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      target[i] = table[x >>> (32 - tableBits)]!;
    }
    this.#state = x;
  }
}

function distribution(name: string, shape: readonly number[]): { center: number; spread: number } {
  // CLIP's learned temperature, ln 100.
  if (name.endsWith(".logit_scale")) return { center: Math.log(100), spread: 0 };
  if (/embedding(\.weight)?$/.test(name)) return { center: 0, spread: 0.05 };
  if (shape.length === 1) return { center: name.endsWith(".weight") ? 1 : 0, spread: 0.02 };
  const fanIn = shape.slice(1).reduce((product, size) => product * size, 1);
  return { center: 0, spread: 1 / Math.sqrt(fanIn) };
}

/** FNV-1a, then mixed, so that neighbouring seeds start far apart; never 0, where xorshift would stay. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) | 0 || 1;
}
