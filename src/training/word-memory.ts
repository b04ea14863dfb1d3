/** Moves the vectors of trained words and their optimizer state between the CPU and the run's pools on the GPU. */
import { invariant } from "../errors.ts";
import { stateName } from "../gpu/optimizers/update-graph.ts";
import { wordGroup, wordVectors, type TrainedWords } from "../lora/trained-words.ts";
import type { Residents } from "../gpu/program/residents.ts";
import type { Bank } from "./adapter-memory.ts";

export class WordMemory {
  readonly #residents: Residents;
  readonly #words: TrainedWords;

  constructor(residents: Residents, words: TrainedWords) {
    this.#residents = residents;
    this.#words = words;
  }

  /** @returns [count, width] */
  async read(bank: Bank): Promise<Float32Array<ArrayBuffer>> {
    const { name, offset } = this.#place(bank);
    return new Float32Array(await this.#residents.read(name, offset + this.#bytes), offset).slice();
  }

  /** @param values [count, width] */
  write(bank: Bank, values: Float32Array<ArrayBuffer>): void {
    invariant(values.byteLength === this.#bytes, `${values.length} numbers for ${this.#words.count} words`);
    const { name, offset } = this.#place(bank);
    this.#residents.write(name, values, offset);
  }

  get #bytes(): number {
    return this.#words.count * this.#words.width * 4;
  }

  /** State mirrors the layout of the pool's buffers. */
  #place(bank: Bank): { readonly name: string; readonly offset: number } {
    if (bank === "params") return { name: wordVectors, offset: 0 };
    if (bank === "grads") return { name: `grad/${wordVectors}`, offset: 0 };
    const slot = this.#residents.plan.slots.get(wordVectors);
    invariant(slot !== undefined, "the words have no memory");
    return { name: stateName(wordGroup, slot.chunk, bank), offset: slot.offset };
  }
}
