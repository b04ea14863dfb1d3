/** Builds the in-place update op of an optimizer from its shader and its scalar formula. */
import { elementCount, type Tensor } from "../graph/tensor.ts";
import { ceilDiv, spread } from "../tier.ts";
import { scalarsPerGroup } from "./optimizer.ts";
import type { OpDef } from "../graph/op.ts";

/** One element's update in float64: takes scalars, gradient (already clipped), parameter and states; returns the new ones. */
export type ScalarUpdate = (
  scalars: Float64Array,
  gradient: number,
  parameter: number,
  state: readonly number[],
) => { parameter: number; state: readonly number[] };

export function stepOp(
  kernel: { readonly name: string; readonly source: string },
  stateCount: number,
  update: ScalarUpdate,
): OpDef<{ readonly group: number }> {
  const stateNames = Array.from({ length: stateCount }, (_, i) => `state${i}`);
  return {
    kind: kernel.name,
    outputs: () => [],
    lower(ctx, { group }) {
      const param = ctx.accumulated("param");
      const count = elementCount(param.shape) / 4;
      const bindings: Record<string, Tensor> = {
        scalars: ctx.input("scalars"),
        report: ctx.input("report"),
        param,
        grad: ctx.accumulated("grad"),
      };
      for (const name of stateNames) bindings[name] = ctx.accumulated(name);
      const params = { count, base: group * scalarsPerGroup };
      return [{ kernel, defines: {}, bindings, params, grid: spread(ceilDiv(count, 256)) }];
    },
    reference(inputs, { group }) {
      const { scalars, report, param, grad } = inputs;
      if (!scalars || !report || !param || !grad) return [];
      const mine = scalars.data.slice(group * scalarsPerGroup, (group + 1) * scalarsPerGroup);
      const state = stateNames.map((name) => Float64Array.from(inputs[name]?.data ?? []));
      const next = Float64Array.from(param.data);
      if (report.data[2] !== 0) {
        next.forEach((value, i) => {
          const before = state.map((values) => values[i] ?? 0);
          const result = update(mine, (grad.data[i] ?? 0) * (report.data[1] ?? 1), value, before);
          next[i] = result.parameter;
          state.forEach((values, k) => (values[i] = result.state[k] ?? 0));
        });
      }
      return [next, new Float64Array(next.length), ...state];
    },
  };
}
