/**
 * Trained tensors as PyTorch has them, inside the padded and stacked buffers of the GPU. Most optimizers treat every
 * number alike and need none of this; blocks of 8-bit state, Adafactor's rows and columns and Prodigy's slices are
 * rules about one tensor.
 */
import { invariant } from "../../errors.ts";
import { elementCount } from "../graph/tensor.ts";
import type { ResidentPlan } from "../program/residents.ts";

/** A tensor of PyTorch's inside a resident parameter. */
export interface TrainedTensor {
  /** Resident name of the parameter that holds it. */
  readonly param: string;
  /** PyTorch's shape, one to four dimensions. */
  readonly shape: readonly number[];
  /** Elements from the start of the parameter. */
  readonly offset: number;
  /** Distance in elements between neighbours along each dimension. */
  readonly strides: readonly number[];
}

export interface PlacedTensor {
  readonly count: number;
  /** Elements from the start of the buffer. */
  readonly offset: number;
  /** Four dimensions; a matrix is [1, 1, rows, columns], a vector [n, 1, 1, 1]. */
  readonly shape: readonly [number, number, number, number];
  readonly strides: readonly [number, number, number, number];
}

/** The tensors in buffer `chunk` of a pool, in order. */
export function placeTensors(tensors: readonly TrainedTensor[], plan: ResidentPlan, pool: string, chunk: number): PlacedTensor[] {
  return tensors.flatMap(({ param, shape, offset, strides }) => {
    const slot = plan.slots.get(param);
    if (slot?.pool !== pool || slot.chunk !== chunk) return [];
    invariant(shape.length >= 1 && shape.length <= 4 && strides.length === shape.length, `${param}: shape [${shape.join()}]`);
    // The last two dimensions are the ones that a rule about matrices means; a vector has none.
    const padded = (values: readonly number[], filler: number): [number, number, number, number] => {
      const rows = values.length === 1 ? values : [filler, filler, filler, ...values].slice(-4);
      return [rows[0] ?? filler, rows[1] ?? filler, rows[2] ?? filler, rows[3] ?? filler];
    };
    return [{ count: elementCount(shape), offset: slot.offset / 4 + offset, shape: padded(shape, 1), strides: padded(strides, 0) }];
  });
}

/** Numbers per row of a table. */
export const tableWidth = 12;
/** Elements that one workgroup walks at a time. */
export const blockSize = 256;

/** A tensor in a table: where its blocks begin among all, and where its own state begins. */
export interface TableRow {
  readonly tensor: PlacedTensor;
  readonly state: number;
}

/**
 * The table that walk.wgsl reads, a row per tensor: [first block, count, offset, n1, n2, n3, s0, s1, s2, s3, state, n0].
 * @returns the table and the number of blocks in all
 */
export function tensorTable(rows: readonly TableRow[], block = blockSize): { table: Uint32Array<ArrayBuffer>; blocks: number } {
  const table = new Uint32Array(rows.length * tableWidth);
  let blocks = 0;
  rows.forEach(({ tensor: { count, offset, shape, strides }, state }, i) => {
    const [n0, n1, n2, n3] = shape;
    table.set([blocks, count, offset, n1, n2, n3, ...strides, state, n0], i * tableWidth);
    blocks += Math.ceil(count / block);
  });
  return { table, blocks };
}

/** Place of element `index` (PyTorch's flat order) in the buffer, as walk.wgsl finds it. */
export function placeOf({ offset, shape: [, n1, n2, n3], strides: [s0, s1, s2, s3] }: PlacedTensor, index: number): number {
  const j = index % n3;
  const i = Math.floor(index / n3) % n2;
  const b = Math.floor(index / (n3 * n2)) % n1;
  const a = Math.floor(index / (n3 * n2 * n1));
  return offset + a * s0 + b * s1 + i * s2 + j * s3;
}
