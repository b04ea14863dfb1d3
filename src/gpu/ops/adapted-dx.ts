/** What the backward ops of layers with an adapter share: what they take, and which of their outputs is which. */
import { invariant } from "../../errors.ts";
import type { Graph } from "../graph/graph.ts";
import type { OpDef } from "../graph/op.ts";
import type { Tensor } from "../graph/tensor.ts";

export interface AdaptedDxInputs {
  /** Gradient of the layer's output. */
  readonly dy: Tensor;
  readonly w: Tensor;
  /** What other users of the layer's input have sent back. */
  readonly addend: Tensor | undefined;
  readonly down: Tensor | undefined;
  readonly up: Tensor | undefined;
  /** Which random numbers dropout draws. */
  readonly draw?: Tensor | undefined;
}

/** Adds a backward op that gives dx, unless nothing wants it, and then dh where there is an adapter. */
export function addAdaptedDx<A extends { readonly dx: boolean }>(
  graph: Graph,
  op: OpDef<A>,
  inputs: AdaptedDxInputs,
  attrs: A,
): { dx: Tensor | undefined; dh: Tensor | undefined } {
  const outputs = graph.add(op, { ...inputs }, attrs);
  invariant(outputs.length > 0, `${op.kind} computes something`);
  return attrs.dx ? { dx: outputs[0], dh: outputs[1] } : { dx: undefined, dh: outputs[0] };
}
