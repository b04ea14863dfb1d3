/**
 * An optimizer as the engine sees it: how much state it keeps, the scalars of a step, and the ops that update all
 * parameters. Each optimizer is one file in this folder with the shaders that it needs.
 */
import type { Graph } from "../graph/graph.ts";
import type { DType, Tensor } from "../graph/tensor.ts";
import type { PlacedTensor } from "./trained-tensor.ts";

/** Scalars per parameter group that every optimizer shader may read, 16 floats. */
export const scalarsPerGroup = 16;

export interface StepScalars {
  /** Learning rate of the group for this update. */
  readonly lr: number;
  /** Update counter, from 1. */
  readonly step: number;
}

/** One buffer of parameters with what lies in step with it. */
export interface UpdateBuffer {
  /** Names the buffer among all of a run's. */
  readonly key: string;
  /** Index of its parameter group: its scalars begin at group·scalarsPerGroup. */
  readonly group: number;
  readonly param: Tensor;
  readonly grad: Tensor;
  /** f32 state with the parameters' layout, `stateCount` of them. */
  readonly state: readonly Tensor[];
  /** The tensors in it as PyTorch has them, for rules that look at a whole tensor. Gaps between them are zero. */
  readonly tensors: readonly PlacedTensor[];
}

export interface UpdateContext {
  readonly graph: Graph;
  /** [groups · scalarsPerGroup], what `Optimizer.scalars` gave. */
  readonly scalars: Tensor;
  /** gradNorm's [norm, coefficient of gradients, finite flag, Σg²]. */
  readonly report: Tensor;
  readonly buffers: readonly UpdateBuffer[];
  /** State without the parameters' layout, zero at first, saved with the run. Counted as optimizer memory. */
  keep(name: string, count: number, dtype?: DType): Tensor;
  /** What never changes during a run. */
  constant(name: string, data: Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer>): Tensor;
  /** Small memory for one update. */
  scratch(name: string, count: number): Tensor;
}

export interface Optimizer {
  readonly name: string;
  /** f32 state tensors of the parameters' size and layout. */
  readonly stateCount: number;
  /** The floats of one group for one update; f64 arithmetic, rounded once. */
  scalars(step: StepScalars): readonly number[];
  /**
   * Adds the ops that move the parameters along the clipped gradients and clear the gradients. An update whose report
   * is not finite leaves parameters and state alone.
   */
  build(update: UpdateContext): void;
}
