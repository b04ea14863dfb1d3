/**
 * What an op is. Each lives in one file under gpu/ops with everything that is known about it: shape rule,
 * gradient, lowering to kernels, flops, and a float64 reference for the tests.
 */
import type { KernelCall, LowerContext } from "./lower.ts";
import type { DType, Tensor } from "./tensor.ts";
import type { GradientContext } from "./autodiff.ts";

export type TensorMap = Readonly<Record<string, Tensor>>;

export interface OutputSpec {
  readonly shape: readonly number[];
  /** f32 where absent. `activation`: as the graph stores maps and sequences of values and their gradients. */
  readonly dtype?: DType | "activation";
  readonly keep?: KeepPolicy;
  /** With keep "always": the input under which a recomputation of the op is handed this output, to leave it out. */
  readonly reuseAs?: string;
}

/**
 * What the backward does for a forward value that it wants.
 * - save (default): keeps it alive; inside a checkpoint region it is computed again
 * - recompute: cheap (pointwise), so it is always computed again
 * - always: tiny (statistics), so it is kept even inside a checkpoint region
 */
export type KeepPolicy = "save" | "recompute" | "always";

/** A tensor value in the float64 reference interpreter. */
export interface RefTensor {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}
export type RefMap = Readonly<Record<string, RefTensor>>;

export interface OpDef<A> {
  readonly kind: string;
  outputs(inputs: TensorMap, attrs: A): readonly OutputSpec[];
  /** Emits the ops that turn the outputs' gradients into the inputs' gradients. Absent: not differentiable. */
  gradient?(ctx: GradientContext, attrs: A): void;
  lower(ctx: LowerContext, attrs: A): readonly KernelCall[];
  /** Floating point operations, 2 per multiply-add; 0 for pointwise and data movement. */
  flops?(inputs: TensorMap, attrs: A): number;
  /**
   * Float64 evaluation. Returns one array per output. Ops that accumulate into a tensor (weight gradients) receive
   * its present value among the inputs and return it, updated, under `accumulated`.
   */
  reference(inputs: RefMap, attrs: A): readonly Float64Array[];
}

/** An op with its attributes filled in; recomputation adds the same bound op again with other inputs. */
export interface BoundOp {
  readonly kind: string;
  outputs(inputs: TensorMap): readonly OutputSpec[];
  readonly gradient: ((ctx: GradientContext) => void) | undefined;
  lower(ctx: LowerContext): readonly KernelCall[];
  flops(inputs: TensorMap): number;
  reference(inputs: RefMap): readonly Float64Array[];
}

export function bindOp<A>(op: OpDef<A>, attrs: A): BoundOp {
  const { gradient } = op;
  return {
    kind: op.kind,
    outputs: (inputs) => op.outputs(inputs, attrs),
    gradient: gradient === undefined ? undefined : (ctx) => gradient.call(op, ctx, attrs),
    lower: (ctx) => op.lower(ctx, attrs),
    flops: (inputs) => op.flops?.(inputs, attrs) ?? 0,
    reference: (inputs) => op.reference(inputs, attrs),
  };
}
