/** Where the elements of a tensor lie in its storage, and how to bring them into order. */
import { dtypeBits, elementCount } from "./dtypes.ts";
import type { TensorEntry } from "./tensor-file.ts";
import type { TorchTensor } from "./torch-values.ts";
import { torchError } from "./torch-values.ts";

export interface TorchEntry extends TensorEntry {
  /** Absolute byte position of the first element. */
  readonly offset: number;
  /** In elements; undefined when the elements lie in order. */
  readonly strides: readonly number[] | undefined;
}

/** A tensor that repeats elements of its storage may be larger than it, up to here. */
const maxRepeatedBytes = 64 * 2 ** 20;

/**
 * Checks a tensor against its storage.
 * @param storageAt absolute byte position of the storage
 * @throws InputError `torch.corrupt` when it reaches beyond it, `torch.limit`
 */
export function placeTensor(file: string, name: string, tensor: TorchTensor, storageAt: number): TorchEntry {
  const { dtype, shape, strides, storage, offset } = tensor;
  const size = dtypeBits[dtype] / 8;
  const count = elementCount(shape);
  const last = offset + shape.reduce((sum, length, axis) => sum + (length - 1) * strides[axis]!, 0);
  const data = { tensor: name };
  const isWithin = Number.isSafeInteger(count * size) && (count === 0 || (last + 1) * size <= storage.byteLength);
  if (!isWithin) throw torchError(file, "corrupt", `has a tensor ${name} that does not fit its data`, data);
  const byteLength = count * size;
  if (byteLength > Math.max(storage.byteLength, maxRepeatedBytes)) {
    throw torchError(file, "limit", `has a tensor ${name} of ${byteLength} bytes made from ${storage.byteLength}`, data);
  }
  const isOrdered = count === 0 || isDense(shape, strides);
  return { name, dtype, shape, byteLength, offset: storageAt + offset * size, strides: isOrdered ? undefined : strides };
}

function isDense(shape: readonly number[], strides: readonly number[]): boolean {
  let wanted = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== wanted) return false;
    wanted *= shape[axis]!;
  }
  return true;
}

/** Elements `first` to `last` (both included, in order) lie within these positions, relative to element 0. */
export function spanOf(shape: readonly number[], strides: readonly number[], first: number, last: number): { low: number; high: number } {
  const from = indicesOf(shape, first);
  const to = indicesOf(shape, last);
  let low = 0;
  let high = 0;
  let isShared = true;
  for (const [axis, stride] of strides.entries()) {
    // Behind the first axis in which both ends differ, everything may occur.
    low += isShared ? from[axis]! * stride : 0;
    high += (isShared ? to[axis]! : shape[axis]! - 1) * stride;
    isShared &&= from[axis] === to[axis];
  }
  return { low, high };
}

/**
 * Copies elements `first` to `first + count` in order.
 * @param span bytes of the elements from position `low` on, at offset 0 of their buffer
 */
export function gather(
  { shape, strides }: { readonly shape: readonly number[]; readonly strides: readonly number[] },
  { first, count, elementBytes, low }: { first: number; count: number; elementBytes: number; low: number },
  span: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  const target = new Uint8Array(count * elementBytes);
  // Types without rounding or canonical NaNs, so that every bit is kept.
  const Words = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array, 8: BigUint64Array }[elementBytes]!;
  const from = new Words(span.buffer);
  const to = new Words(target.buffer);
  const indices = indicesOf(shape, first);
  let position = indices.reduce((sum, index, axis) => sum + index * strides[axis]!, 0) - low;
  for (let i = 0; i < count; i++) {
    to[i] = from[position]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      position += strides[axis]!;
      if (++indices[axis]! < shape[axis]!) break;
      position -= shape[axis]! * strides[axis]!;
      indices[axis] = 0;
    }
  }
  return target;
}

/** The index in every axis of the element at a place in row-major order. */
function indicesOf(shape: readonly number[], place: number): number[] {
  const indices = shape.map(() => 0);
  let rest = place;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    indices[axis] = rest % shape[axis]!;
    rest = Math.floor(rest / shape[axis]!);
  }
  return indices;
}
