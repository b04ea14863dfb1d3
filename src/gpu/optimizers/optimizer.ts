/**
 * An optimizer as the engine sees it: how much state it keeps per parameter, the scalars of a step, and the op that
 * updates one buffer of parameters. Each optimizer is one file and one shader in this folder.
 */
import type { OpDef } from "../graph/op.ts";

/** Scalars per parameter group that every optimizer shader may read, 16 floats. */
export const scalarsPerGroup = 16;

export interface StepScalars {
  /** Learning rate of the group for this update. */
  readonly lr: number;
  /** Update counter, from 1. */
  readonly step: number;
}

export interface Optimizer {
  readonly name: string;
  /** f32 state tensors of the parameters' size. */
  readonly stateCount: number;
  /** Name in ss_optimizer, as sd-scripts would write it. */
  readonly pythonName: string;
  /** The floats of one group for one update; f64 arithmetic, rounded once. */
  scalars(step: StepScalars): readonly number[];
  /**
   * Op with inputs `scalars`, `report` (gradNorm's) and in-place `param`, `grad`, `state0`…; it also clears `grad`.
   * A step whose report is not finite leaves parameters and state alone.
   */
  readonly op: OpDef<{ readonly group: number }>;
}
