/**
 * The factors of LyCORIS modules whose weight is rebuilt in every step: names, shapes and starting values of its
 * `lycoris.kohya` 3.2. Nothing is padded here; what PyTorch has in one row is one row on the GPU, too, except that kernels
 * of four dimensions lie as [out][kh][kw][in].
 */
import { channelsLastStrides, denseStrides, kaiming, type Factor, type FactorStart } from "./factors.ts";
import { elementCount } from "../gpu/graph/tensor.ts";
import type { LoraTarget } from "../models/names.ts";

export interface LycorisSettings {
  readonly algorithm: "locon" | "loha" | "lokr";
  /** Kernels of convolutions as a core between small factors. */
  readonly tucker: boolean;
  /** A trained number, 0 at first, that multiplies what a module adds. */
  readonly scalar: boolean;
  /** alpha / √rank instead of alpha / rank. */
  readonly rankStabilized: boolean;
  /** DoRA: magnitudes of the weight's rows ("out") or input channels ("in") are trained besides. */
  readonly decompose?: "out" | "in" | undefined;
  /** What rank dropout leaves is scaled up to the whole's sum. */
  readonly scalesDropout: boolean;
  /** LoKr: what its small matrix measures, −1 for about the square root. */
  readonly factor: number;
  /** LoKr: its small matrix is a product, too. */
  readonly decomposeBoth: boolean;
  /** LoKr: nothing is a product. */
  readonly fullMatrix: boolean;
  /** LoKr: on the output side the large divisor belongs to the small matrix. */
  readonly unbalanced: boolean;
}

export const scalarKey = "scalar";
export const magnitudeKey = "dora_scale";

const zeros: FactorStart = { kind: "zeros" };

/** Factors of a module, in LyCORIS's order. */
export function lycorisFactors(target: LoraTarget, rank: number, settings: LycorisSettings): Factor[] {
  const { scalar, decompose } = settings;
  const factors = { locon: loconFactors, loha: lohaFactors, lokr: lokrFactors }[settings.algorithm](target, rank, settings);
  if (scalar) factors.push(dense(scalarKey, [1], zeros));
  const ones = target.fileRank === 4 ? [1, 1] : [];
  const sizes = { out: [target.out, 1], in: [1, target.in] };
  if (decompose !== undefined) factors.push(dense(magnitudeKey, [...sizes[decompose], ...ones], { kind: "norms", of: decompose }));
  return factors;
}

/** The factor that takes in the trained number when a file is written. */
export function absorbsScalar(key: string): boolean {
  return ["lora_up.weight", "hada_w1_a", "lokr_w1", "lokr_w1_a"].includes(key);
}

export function usesTucker({ kernel }: LoraTarget, { tucker }: LycorisSettings): boolean {
  return tucker && kernel > 1;
}

function dense(key: string, shape: readonly number[], start: FactorStart): Factor {
  return { key, shape, strides: denseStrides(shape), size: elementCount(shape), start };
}

function kernel(key: string, shape: readonly number[], start: FactorStart): Factor {
  return { key, shape, strides: channelsLastStrides(shape), size: elementCount(shape), start };
}

function loconFactors(target: LoraTarget, rank: number, settings: LycorisSettings): Factor[] {
  const { in: width, out, kernel: side, fileRank } = target;
  const isTucker = usesTucker(target, settings);
  const ones = fileRank === 4 ? [1, 1] : [];
  const downShape = [rank, width, ...(fileRank === 4 && !isTucker ? [side, side] : ones)];
  const upShape = [out, rank, ...ones];
  const make = fileRank === 4 ? kernel : dense;
  return [
    make("lora_down.weight", downShape, kaiming(downShape)),
    ...(isTucker ? [core("lora_mid.weight", rank, side)] : []),
    dense("lora_up.weight", upShape, settings.scalar ? kaiming(upShape) : zeros),
  ];
}

function core(key: string, rank: number, side: number, start?: FactorStart): Factor {
  const shape = [rank, rank, side, side];
  // It multiplies as a matrix [rank kh kw, rank].
  return { ...kernel(key, shape, start ?? kaiming(shape)), rows: rank * side ** 2 };
}

function lohaFactors(target: LoraTarget, rank: number, settings: LycorisSettings): Factor[] {
  const { in: width, out, kernel: side } = target;
  const isTucker = usesTucker(target, settings);
  const normal = (deviation: number): FactorStart => ({ kind: "normal", deviation });
  const left = isTucker ? [rank, out] : [out, rank];
  const right = [rank, isTucker ? width : width * side ** 2];
  const half = (n: 1 | 2, start: FactorStart): Factor[] => [
    ...(isTucker ? [core(`hada_t${n}`, rank, side, normal(0.1))] : []),
    dense(`hada_w${n}_a`, left, start),
    dense(`hada_w${n}_b`, right, normal(1)),
  ];
  return [...half(1, normal(0.1)), ...half(2, settings.scalar ? normal(0.1) : zeros)];
}

/** How LoKr cuts a weight [out, in] = [a b, c d] into w1 [a, c] ⊗ w2 [b, d], and which of them are products. */
export interface KroneckerCut {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
  readonly splitsLeft: boolean;
  readonly splitsRight: boolean;
}

export function kroneckerCut({ in: width, out }: Pick<LoraTarget, "in" | "out">, rank: number, settings: LycorisSettings): KroneckerCut {
  const [small, large] = factorization(out, settings.factor);
  const [a, b] = settings.unbalanced ? [large, small] : [small, large];
  const [c, d] = factorization(width, settings.factor);
  const splits = (rows: number, columns: number): boolean => !settings.fullMatrix && rank < Math.max(rows, columns) / 2;
  return { a, b, c, d, splitsLeft: settings.decomposeBoth && splits(a, c), splitsRight: splits(b, d) };
}

function lokrFactors(target: LoraTarget, rank: number, settings: LycorisSettings): Factor[] {
  const { kernel: side, fileRank } = target;
  const { a, b, c, d, splitsLeft, splitsRight } = kroneckerCut(target, rank, settings);
  const random = (key: string, shape: readonly number[]): Factor => dense(key, shape, kaiming(shape));
  const last = (shape: readonly number[]): FactorStart => (settings.scalar ? kaiming(shape) : zeros);
  const left = splitsLeft ? [random("lokr_w1_a", [a, rank]), random("lokr_w1_b", [rank, c])] : [random("lokr_w1", [a, c])];
  if (!splitsRight) {
    const shape = [b, d, ...(fileRank === 4 ? [side, side] : [])];
    return [...left, (fileRank === 4 ? kernel : dense)("lokr_w2", shape, last(shape))];
  }
  if (usesTucker(target, settings)) {
    const shape = [rank, d];
    return [...left, core("lokr_t2", rank, side), random("lokr_w2_a", [rank, b]), dense("lokr_w2_b", shape, last(shape))];
  }
  const shape = [rank, d * side ** 2];
  return [...left, random("lokr_w2_a", [b, rank]), dense("lokr_w2_b", shape, last(shape))];
}

/**
 * Two divisors of a size, the smaller first: `factor` and its counterpart where it divides, otherwise the pair of the
 * smallest sum whose smaller one is not above it. −1: no bound.
 */
export function factorization(size: number, factor: number): readonly [number, number] {
  if (factor > 0 && size % factor === 0) return [Math.min(factor, size / factor), Math.max(factor, size / factor)];
  const bound = factor < 0 ? size : factor;
  let best: readonly [number, number] = [1, size];
  for (let small = 2; small <= bound && small * small <= size; small++) if (size % small === 0) best = [small, size / small];
  return best;
}
