/** Gradient of what is added to every row: grad[c] += sum over the rows of dy[c]. Deterministic, as sumPixels is. */
import { sumCall } from "./sum-pixels.ts";
import type { GradientContext } from "../graph/autodiff.ts";
import type { OpDef } from "../graph/op.ts";
import type { Tensor } from "../graph/tensor.ts";

interface BiasGradAttrs {
  /** Length of a row; the gradient may go on behind it. */
  readonly columns: number;
}

const biasGradOp: OpDef<BiasGradAttrs> = {
  kind: "biasGrad",
  outputs: () => [],
  lower: (ctx, { columns }) => [sumCall(ctx.tier, ctx.input("dy"), ctx.accumulated("grad"), { batch: 1, columns, adds: true })],
  reference({ dy, grad }, { columns }) {
    const sum = Float64Array.from(grad!.data);
    dy!.data.forEach((value, i) => (sum[i % columns]! += value));
    return [sum];
  },
};

/** Adds to a trained bias' gradient; does nothing for a frozen one. @param columns length of a row of dy, a multiple of 4 */
export function addBiasGradient(ctx: GradientContext, input: string, dy: Tensor, columns: number): void {
  if (ctx.inputs[input] === undefined || !ctx.needs(input)) return;
  ctx.accumulateParam(biasGradOp, { dy }, { grad: ctx.gradOf(input) }, { columns });
}
