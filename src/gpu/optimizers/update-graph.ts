/** The optimizer update as a step graph: gradient norm over all pools, then one dispatch per parameter buffer. */
import { gradNorm } from "./grad-norm.ts";
import { scalarsPerGroup, type Optimizer } from "./optimizer.ts";
import { bindOp } from "../graph/op.ts";
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

/**
 * @param adapters plan of the pools `params/<group>` and `grads/<group>`
 * @param groups parameter groups in order; group i reads scalars from i·scalarsPerGroup
 */
export function buildUpdate(optimizer: Optimizer, adapters: ResidentPlan, groups: readonly string[]): Graph {
  const graph = new Graph();
  const settings = graph.input(updateTensors.settings, [4]);
  const scalars = graph.input(updateTensors.scalars, [groups.length * scalarsPerGroup]);
  const report = graph.output(updateTensors.report, [4]);
  const guard = graph.output(updateTensors.guard, [4]);
  const buffers = groups.flatMap((group, index) =>
    (adapters.pools.get(`params/${group}`) ?? []).map((bytes, chunk) => {
      const whole = (pool: string): Tensor => graph.tensor("pool", [bytes / 4], "f32", `${pool}/${group}#${chunk}`, `${pool}/${group}`);
      const state = Array.from({ length: optimizer.stateCount }, (_, i) =>
        graph.tensor("state", [bytes / 4], "f32", stateName(group, chunk, i), `state/${group}`),
      );
      return { index, param: whole("params"), grad: whole("grads"), state };
    }),
  );
  gradNorm(graph, buffers.map(({ grad }) => grad), settings, report, guard);
  for (const { index, param, grad, state } of buffers) {
    const accumulates: Record<string, Tensor> = { param, grad };
    state.forEach((tensor, i) => (accumulates[`state${i}`] = tensor));
    graph.addBound(bindOp(optimizer.op, { group: index }), { scalars, report }, { accumulates });
  }
  return graph;
}

/** Resident name of optimizer state i for buffer `chunk` of a group. */
export function stateName(group: string, chunk: number, i: number): string {
  return `state/${group}/${chunk}/${i}`;
}
