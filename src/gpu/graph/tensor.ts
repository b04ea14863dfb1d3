/** Tensors of the step graph: names for values whose place in memory is decided later. */
import { invariant } from "../../errors.ts";

export type DType = "f32" | "f16" | "bf16" | "f8" | "u32" | "i32";

/**
 * Where a tensor lives.
 * - temp: produced inside a step, placed in the arena by the memory plan
 * - input: written by the CPU before each step
 * - weight: frozen base weights, uploaded once
 * - param / grad: adapter weights and their gradients (f32 pools that the optimizer walks)
 * - output: small results that the CPU reads back
 * - state: optimizer state, kept from step to step
 * - pool: a whole buffer of a resident pool, named `pool#index` (what the optimizer walks)
 */
export type TensorRole = "temp" | "input" | "weight" | "param" | "grad" | "output" | "state" | "pool";

export interface Tensor {
  readonly id: number;
  readonly role: TensorRole;
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** Debug label for temps; the unique key of a resident tensor (same key = same memory in every program). */
  readonly name: string;
  /** Pool of a resident tensor, e.g. `params/unet`; tensors of one pool share buffers. */
  readonly pool: string;
  /** Set on a view: the tensor whose memory it shows with another shape. */
  readonly viewOf?: Tensor;
}

/** The tensor that owns the memory. */
export function rootOf(tensor: Tensor): Tensor {
  return tensor.viewOf ?? tensor;
}

const dtypeBytes: Readonly<Record<DType, number>> = { f32: 4, f16: 2, bf16: 2, f8: 1, u32: 4, i32: 4 };

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

/** Bytes of the tensor's data, rounded up to 4 (the granularity of WebGPU copies). */
export function byteLength(tensor: Pick<Tensor, "shape" | "dtype">): number {
  return Math.ceil((elementCount(tensor.shape) * dtypeBytes[tensor.dtype]) / 4) * 4;
}

/** Size of the last dimension. */
export function lastDim(tensor: Tensor): number {
  const dim = tensor.shape.at(-1);
  invariant(dim !== undefined, `tensor ${tensor.name} has no dimensions`);
  return dim;
}

/** Product of all dimensions but the last: the rows of the tensor seen as a matrix. */
export function rowCount(tensor: Tensor): number {
  return elementCount(tensor.shape.slice(0, -1));
}

export function dim(tensor: Tensor, index: number): number {
  const value = tensor.shape.at(index);
  invariant(value !== undefined, `tensor ${tensor.name} [${tensor.shape.join(",")}] has no dimension ${index}`);
  return value;
}
