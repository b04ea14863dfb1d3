/**
 * A checkpoint with adapters in its weights, as sd-scripts' `base_weights` has it: merged in f32 and rounded to f16, one
 * adapter after the other. Weights are merged when they are read, so nothing but the one at hand is in memory twice.
 */
import { elementCount } from "../formats/dtypes.ts";
import { floatsFromHalves, halvesFromFloats } from "../formats/half.ts";
import { TensorFile, type TensorEntry } from "../formats/tensor-file.ts";
import type { Checkpoint } from "../models/checkpoint-types.ts";
import { addDifference } from "./add-difference.ts";
import type { MatchedModule, NetworkMatch } from "./network-match.ts";

/** An adapter and how strongly it acts. */
export interface Merge {
  readonly match: NetworkMatch;
  readonly multiplier: number;
}

interface Addition {
  readonly module: MatchedModule;
  readonly file: TensorFile;
  readonly multiplier: number;
}

/**
 * The checkpoint with these adapters in it; itself where there are none. Whatever reads it gets the merged weights; its
 * file's name and bytes (and so its hash) stay the base's.
 */
export function mergedCheckpoint<C extends Checkpoint>(checkpoint: C, merges: readonly Merge[]): C {
  if (merges.length === 0) return checkpoint;
  const additions = new Map<string, Addition[]>();
  for (const { match: { network, modules }, multiplier } of merges) {
    for (const module of modules) {
      const key = checkpoint.keys.get(module.target.weightKey);
      if (key === undefined) continue;
      const known = additions.get(key) ?? [];
      additions.set(key, [...known, { module, file: network.file, multiplier }]);
    }
  }
  return { ...checkpoint, file: new MergedFile(checkpoint.file, additions) };
}

class MergedFile extends TensorFile {
  readonly #base: TensorFile;
  readonly #additions: ReadonlyMap<string, readonly Addition[]>;
  /** The weight that was read last. */
  #latest: { readonly name: string; readonly bytes: Promise<Uint8Array<ArrayBuffer>> } | undefined;

  constructor(base: TensorFile, additions: ReadonlyMap<string, readonly Addition[]>) {
    const entries = [...base.tensors].map(([name, entry]): [string, TensorEntry] =>
      [name, additions.has(name) ? { name, shape: entry.shape, dtype: "F16", byteLength: 2 * elementCount(entry.shape) } : entry]);
    super(base.source, base.metadata, new Map(entries));
    this.#base = base;
    this.#additions = additions;
  }

  async readBytes(entry: TensorEntry, at: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    const { name } = entry;
    const additions = this.#additions.get(name);
    if (additions === undefined) return this.#base.readBytes(entry, at, length);
    if (this.#latest?.name !== name) this.#latest = { name, bytes: this.#merged(name, additions) };
    return (await this.#latest.bytes).slice(at, at + length);
  }

  async #merged(name: string, additions: readonly Addition[]): Promise<Uint8Array<ArrayBuffer>> {
    const weights = await this.#base.readF32(name);
    const [rows = 1] = this.#base.entry(name).shape;
    const width = weights.length / rows;
    for (const { module, file, multiplier } of additions) {
      const { rowStart, out } = module.target;
      const part = weights.subarray(rowStart * width, (rowStart + out) * width);
      await addDifference(part, module, file, multiplier);
      floatsFromHalves(halvesFromFloats(part), part);
    }
    return new Uint8Array(halvesFromFloats(weights).buffer);
  }
}
