/**
 * The trained tensors of one module: their names and shapes in files, how they lie on the GPU, and how they start.
 */
import { invariant } from "../errors.ts";
import { elementCount } from "../gpu/graph/tensor.ts";

/** uniform: in ±bound; normal: of that deviation; norms: those of the base weight's rows or input channels. */
export type FactorStart =
  | { readonly kind: "zeros" }
  | { readonly kind: "uniform"; readonly bound: number }
  | { readonly kind: "normal"; readonly deviation: number }
  | { readonly kind: "norms"; readonly of: "out" | "in" };

export interface Factor {
  /** End of the tensor's name in files, e.g. `lora_down.weight`. */
  readonly key: string;
  /** In files: PyTorch's shape. */
  readonly shape: readonly number[];
  /** Distance in elements between neighbours along each dimension on the GPU. */
  readonly strides: readonly number[];
  /** Elements on the GPU, zeros of the padding included. */
  readonly size: number;
  /** Rows of the tensor as a matrix on the GPU, where they are not its first dimension. */
  readonly rows?: number;
  readonly start: FactorStart;
}

/** A module's values by the factors' keys, as files hold them. */
export type ModuleWeights = Readonly<Record<string, Float32Array<ArrayBuffer>>>;

/** What PyTorch's kaiming_uniform with a = √5 draws from: ±1/√fan_in. */
export function kaiming(shape: readonly number[]): FactorStart {
  return { kind: "uniform", bound: 1 / Math.sqrt(elementCount(shape.slice(1))) };
}

/** Distances of a tensor without gaps, in PyTorch's order. */
export function denseStrides(shape: readonly number[]): number[] {
  return shape.map((_, i) => elementCount(shape.slice(i + 1)));
}

/** Distances of a kernel [out, in, kh, kw] that lies as [out][kh][kw][in]. */
export function channelsLastStrides([, width = 1, kernelH = 1, kernelW = 1]: readonly number[]): number[] {
  return [width * kernelH * kernelW, 1, width * kernelW, width];
}

/** A factor as it lies on the GPU, from what files hold. */
export function toGpu(factor: Factor, values: Float32Array): Float32Array<ArrayBuffer> {
  invariant(values.length === elementCount(factor.shape), `${factor.key}: ${values.length} values for [${factor.shape.join()}]`);
  const result = new Float32Array(factor.size);
  eachElement(factor, (at, place) => (result[place] = values[at]!));
  return result;
}

/** A factor as files hold it, from what lies on the GPU. */
export function fromGpu(factor: Factor, gpu: Float32Array): Float32Array<ArrayBuffer> {
  const result = new Float32Array(elementCount(factor.shape));
  eachElement(factor, (at, place) => (result[at] = gpu[place]!));
  return result;
}

function eachElement({ shape, strides }: Factor, visit: (at: number, place: number) => void): void {
  const [n0 = 1, n1 = 1, n2 = 1, n3 = 1] = shape;
  const [s0 = 0, s1 = 0, s2 = 0, s3 = 0] = strides;
  let at = 0;
  for (let a = 0; a < n0; a++) {
    for (let b = 0; b < n1; b++) {
      for (let c = 0; c < n2; c++) for (let d = 0; d < n3; d++) visit(at++, a * s0 + b * s1 + c * s2 + d * s3);
    }
  }
}
