/** The optimizer update as a step graph: gradient norm over all pools, then what the optimizer adds. */
import { gradNorm } from "./grad-norm.ts";
import { limitNorms, type NormLimit } from "./max-norm.ts";
import { scalarsPerGroup, type Optimizer, type UpdateBuffer, type UpdateContext } from "./optimizer.ts";
import { placeTensors, type TrainedTensor } from "./trained-tensor.ts";
import { Graph } from "../graph/graph.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { ResidentPlan } from "../program/residents.ts";

/** Names of the resident tensors through which the CPU talks to an update. */
export const updateTensors = {
  settings: "update/settings",
  scalars: "update/scalars",
  report: "update/report",
  /** Set by a loss that is not finite, so that the update is skipped. */
  guard: "update/guard",
} as const;

/** Resident name of the state whose first number is an optimizer's estimate of the step size, where it makes one. */
export const stepEstimate = "state/estimate";

export interface UpdateGraph {
  readonly graph: Graph;
  /** Resident tensors that have these values from the start. */
  readonly constants: ReadonlyMap<string, Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer>>;
  /** Optimizer state beside what has the parameters' layout. */
  readonly kept: readonly Tensor[];
}

/**
 * @param adapters plan of the pools `params/<group>` and `grads/<group>`
 * @param groups parameter groups in order; group i reads scalars from i·scalarsPerGroup
 * @param tensors the trained tensors in these pools
 * @param limit of the modules' norms, where they have one
 */
export function buildUpdate(
  optimizer: Optimizer, adapters: ResidentPlan, groups: readonly string[], tensors: readonly TrainedTensor[], limit?: NormLimit,
): UpdateGraph {
  const graph = new Graph();
  const settings = graph.input(updateTensors.settings, [4]);
  const scalars = graph.input(updateTensors.scalars, [groups.length * scalarsPerGroup]);
  const report = graph.output(updateTensors.report, [4]);
  const guard = graph.output(updateTensors.guard, [4]);
  const buffers = groups.flatMap((group, index) =>
    (adapters.pools.get(`params/${group}`) ?? []).map((bytes, chunk): UpdateBuffer => {
      const whole = (pool: string): Tensor => graph.tensor("pool", [bytes / 4], "f32", `${pool}/${group}#${chunk}`, `${pool}/${group}`);
      const state = Array.from({ length: optimizer.stateCount }, (_, i) =>
        graph.tensor("state", [bytes / 4], "f32", stateName(group, chunk, i), `state/${group}`),
      );
      const placed = placeTensors(tensors, adapters, `params/${group}`, chunk);
      return { key: `${group}/${chunk}`, group: index, param: whole("params"), grad: whole("grads"), state, tensors: placed };
    }),
  );
  gradNorm(graph, buffers.map(({ grad }) => grad), settings, report, guard);
  const update = addUpdate(optimizer, { graph, scalars, report, buffers });
  if (limit === undefined) return { graph, ...update };
  const constants = new Map(update.constants);
  const constant = (name: string, data: Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer>): Tensor => {
    constants.set(`update/${name}`, data);
    return graph.input(`update/${name}`, [data.length], { dtype: data instanceof Uint32Array ? "u32" : "f32" });
  };
  limitNorms({ graph, report, buffers, constant }, adapters, limit);
  return { graph, ...update, constants };
}

/** Adds what the optimizer does with the buffers once their gradients' norm is known. */
export function addUpdate(
  optimizer: Optimizer, update: Pick<UpdateContext, "graph" | "scalars" | "report" | "buffers">,
): Omit<UpdateGraph, "graph"> {
  const { graph } = update;
  const constants = new Map<string, Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer>>();
  const kept: Tensor[] = [];
  optimizer.build({
    ...update,
    keep(name, count, dtype = "f32") {
      // A pool of its own: one dispatch reads some of it and writes to state of the parameters' layout.
      const tensor = graph.tensor("state", [count], dtype, `state/${name}`, "state/shared");
      kept.push(tensor);
      return tensor;
    },
    constant(name, data) {
      constants.set(`update/${name}`, data);
      return graph.input(`update/${name}`, [data.length], { dtype: data instanceof Uint32Array ? "u32" : "f32" });
    },
    scratch: (name, count) => graph.output(`update/${name}`, [count]),
  });
  return { constants, kept };
}

/** Resident name of optimizer state i for buffer `chunk` of a group. */
export function stateName(group: string, chunk: number, i: number): string {
  return `state/${group}/${chunk}/${i}`;
}
