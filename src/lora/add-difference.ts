/** Adds what an adapter's module does to a weight, on the CPU. */
import { elementCount } from "../formats/dtypes.ts";
import type { TensorFile } from "../formats/tensor-file.ts";
import { readDelta, readMagnitudes, type FactorPair, type ModuleDelta } from "./network-delta.ts";
import { tapsOf, type MatchedModule } from "./network-match.ts";

/** As LyCORIS: keeps a zero norm from dividing. */
const epsilon = 1.1920929e-7;

/**
 * Makes `weights`, the rows [out, width] of the module, W + strength · difference, in f32. With DoRA the difference is
 * what magnitudes and direction together make of the weight.
 * @throws InputError `lora.notFinite`, `file.*`
 */
export async function addDifference(
  weights: Float32Array, { source, target }: MatchedModule, file: TensorFile, strength: number,
): Promise<void> {
  const taps = tapsOf(target);
  const width = target.in * taps;
  const delta = await readDelta(file, source, taps);
  const magnitudes = source.magnitudes === undefined ? undefined : await readMagnitudes(file, source);
  const lines = new LineMaker(delta, width, taps);
  const scale = magnitudes === undefined ? strength * source.scale : source.scale;
  const adapted = magnitudes === undefined ? weights : weights.slice();
  for (let row = 0; row < target.out; row++) {
    const line = lines.row(row);
    const at = row * width;
    for (let i = 0; i < width; i++) adapted[at + i]! += scale * line[i]!;
  }
  if (magnitudes === undefined) return;
  const lineOf = source.magnitudes === "out"
    ? (at: number): number => Math.floor(at / width)
    : (at: number): number => Math.floor((at % width) / taps);
  const squares = new Float64Array(magnitudes.length);
  for (let at = 0; at < adapted.length; at++) squares[lineOf(at)]! += adapted[at]! ** 2;
  const ratios = squares.map((sum, i) => magnitudes[i]! / (Math.sqrt(sum) + epsilon));
  for (let at = 0; at < adapted.length; at++) weights[at]! += strength * (ratios[lineOf(at)]! * adapted[at]! - weights[at]!);
}

/** Rows of a difference, one at a time, columns in PyTorch's order: (input channel, kernel position). */
class LineMaker {
  readonly #delta: ModuleDelta;
  readonly #width: number;
  readonly #taps: number;
  readonly #line: Float64Array;
  readonly #other: Float64Array;

  constructor(delta: ModuleDelta, width: number, taps: number) {
    this.#delta = delta;
    this.#width = width;
    this.#taps = taps;
    this.#line = new Float64Array(width);
    this.#other = new Float64Array(delta.form === "product" && delta.pairs.length > 1 ? width : 0);
  }

  row(row: number): Float64Array {
    const delta = this.#delta;
    if (delta.form === "kronecker") return this.#kronecker(delta, row);
    const [first, second] = delta.pairs;
    this.#product(this.#line, first, delta.rank, row);
    if (second === undefined) return this.#line;
    this.#product(this.#other, second, delta.rank, row);
    for (let i = 0; i < this.#width; i++) this.#line[i]! *= this.#other[i]!;
    return this.#line;
  }

  #product(line: Float64Array, pair: FactorPair | undefined, rank: number, row: number): void {
    line.fill(0);
    if (pair === undefined) return;
    const { up, down } = pair;
    for (let k = 0; k < rank; k++) {
      const factor = up[row * rank + k]!;
      const at = k * this.#width;
      for (let i = 0; i < this.#width; i++) line[i]! += factor * down[at + i]!;
    }
  }

  #kronecker({ kron: { b, c, d }, w1, w2 }: ModuleDelta & { readonly form: "kronecker" }, row: number): Float64Array {
    const block = elementCount([d, this.#taps]);
    const left = Math.floor(row / b) * c;
    const right = (row % b) * block;
    for (let i = 0; i < c; i++) {
      for (let j = 0; j < block; j++) this.#line[i * block + j] = w1[left + i]! * w2[right + j]!;
    }
    return this.#line;
  }
}
