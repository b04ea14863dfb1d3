/** Builds the update of an optimizer that treats every number alike, from its shader and its scalar formula. */
import { elementCount, type Tensor } from "../graph/tensor.ts";
import { bindOp, type OpDef } from "../graph/op.ts";
import { ceilDiv, spread } from "../tier.ts";
import { scalarsPerGroup, type Optimizer } from "./optimizer.ts";
import type { Defines } from "../graph/lower.ts";

/** One element's update in float64: takes scalars, gradient (already clipped), parameter and states; returns the new ones. */
export type ScalarUpdate = (
  scalars: Float64Array,
  gradient: number,
  parameter: number,
  state: readonly number[],
) => { parameter: number; state: readonly number[] };

export interface ElementKernel {
  readonly name: string;
  readonly source: string;
  readonly defines?: Defines;
}

/** The shader reads `scalars` and `report`, and works in place on `param`, `grad` (which it clears), `state0`… */
export function updateEach(kernel: ElementKernel, stateCount: number, update: ScalarUpdate): Pick<Optimizer, "stateCount" | "build"> {
  const op = stepOp(kernel, stateCount, update);
  return {
    stateCount,
    build({ graph, scalars, report, buffers }) {
      for (const { group, param, grad, state } of buffers) {
        const accumulates: Record<string, Tensor> = { param, grad };
        state.forEach((tensor, i) => (accumulates[`state${i}`] = tensor));
        graph.addBound(bindOp(op, { group }), { scalars, report }, { accumulates });
      }
    },
  };
}

function stepOp({ name, source, defines = {} }: ElementKernel, stateCount: number, update: ScalarUpdate): OpDef<{ readonly group: number }> {
  const stateNames = Array.from({ length: stateCount }, (_, i) => `state${i}`);
  return {
    kind: name,
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
      for (const state of stateNames) bindings[state] = ctx.accumulated(state);
      const params = { count, base: group * scalarsPerGroup };
      return [{ kernel: { name, source }, defines, bindings, params, grid: spread(ceilDiv(count, 256)) }];
    },
    reference(inputs, { group }) {
      const { scalars, report, param, grad } = inputs;
      if (!scalars || !report || !param || !grad) return [];
      const mine = scalars.data.slice(group * scalarsPerGroup, (group + 1) * scalarsPerGroup);
      const state = stateNames.map((key) => Float64Array.from(inputs[key]?.data ?? []));
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
