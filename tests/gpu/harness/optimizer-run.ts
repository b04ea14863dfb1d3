/** Runs an optimizer's update graph on given gradients, as a run does: same graph, same plan, same kernels. */
import { interpret } from "./interpret.ts";
import { Graph } from "../../../src/gpu/graph/graph.ts";
import { elementCount, type Tensor } from "../../../src/gpu/graph/tensor.ts";
import { scalarsPerGroup, type Optimizer } from "../../../src/gpu/optimizers/optimizer.ts";
import { buildUpdate, updateTensors } from "../../../src/gpu/optimizers/update-graph.ts";
import { PipelineCache } from "../../../src/gpu/program/pipelines.ts";
import { planProgram } from "../../../src/gpu/program/plan.ts";
import { Arena, Program } from "../../../src/gpu/program/program.ts";
import { planResidents, Residents } from "../../../src/gpu/program/residents.ts";
import type { Gpu } from "../../../src/gpu/device.ts";

export interface Variable {
  readonly shape: readonly number[];
  readonly init: readonly number[] | Float32Array;
}

export interface OptimizerRun {
  /** Sets the gradients, runs update number `step` and reads the parameters. */
  step(step: number, grads: Readonly<Record<string, ArrayLike<number>>>): Promise<Record<string, Float32Array>>;
  /** A state tensor by resident name. */
  read(name: string): Promise<ArrayBuffer>;
  write(name: string, data: ArrayBufferView<ArrayBuffer>): void;
  /** Names of all state. */
  readonly stateNames: readonly string[];
  destroy(): void;
}

const group = "unet";
/** No clipping and no loss scale. */
const settings = [0, 1, 0, 0];

export async function openOptimizer(gpu: Gpu, optimizer: Optimizer, variables: Readonly<Record<string, Variable>>, lr: (step: number) => number): Promise<OptimizerRun> {
  const graph = new Graph();
  const params = Object.entries(variables).map(([name, { shape }]) => graph.param(name, shape, group));
  const adapters = planResidents([...params.map(({ value }) => value), ...params.map(({ grad }) => grad)], gpu.tier.limits);
  const tensors = Object.entries(variables).map(([param, { shape }]) => ({ param, shape, offset: 0, strides: rowMajor(shape) }));
  const update = buildUpdate(optimizer, adapters, [group], tensors);
  const plan = planProgram("update", update.graph, gpu.tier);
  const all = [...params.map(({ value }) => value), ...params.map(({ grad }) => grad), ...plan.residents];
  const residents = await Residents.allocate(gpu, planResidents(all, gpu.tier.limits));
  const arena = await Arena.allocate(gpu, [plan]);
  const program = await Program.compile(gpu, plan, { residents, arena, pipelines: new PipelineCache(gpu) });
  for (const [name, { init }] of Object.entries(variables)) residents.write(name, Float32Array.from(init));
  for (const [name, data] of update.constants) residents.write(name, data);
  residents.write(updateTensors.settings, Float32Array.from(settings));
  return {
    stateNames: plan.residents.filter(({ role }) => role === "state").map(({ name }) => name),
    async step(step, grads) {
      for (const [name, grad] of Object.entries(grads)) residents.write(`grad/${name}`, Float32Array.from(grad));
      const scalars = new Float32Array(scalarsPerGroup);
      scalars.set(optimizer.scalars({ lr: lr(step), step }));
      residents.write(updateTensors.scalars, scalars);
      program.run();
      const result: Record<string, Float32Array> = {};
      for (const [name, { shape }] of Object.entries(variables)) {
        result[name] = new Float32Array(await residents.read(name, elementCount(shape) * 4));
      }
      return result;
    },
    read: (name) => residents.read(name),
    write: (name, data) => residents.write(name, data),
    destroy() {
      program.destroy();
      arena.destroy();
      residents.destroy();
    },
  };
}

/**
 * The same update graph in float64, by the ops' reference functions.
 * @returns the parameters after each step
 */
export function interpretOptimizer(
  optimizer: Optimizer, variables: Readonly<Record<string, Variable>>, lr: (step: number) => number, grads: readonly Readonly<Record<string, ArrayLike<number>>>[],
): Record<string, Float64Array>[] {
  const graph = new Graph();
  const limits = { maxBufferSize: 2 ** 28 } as Parameters<typeof planResidents>[1];
  const params = Object.entries(variables).map(([name, { shape }]) => graph.param(name, shape, group));
  const adapters = planResidents([...params.map(({ value }) => value), ...params.map(({ grad }) => grad)], limits);
  const tensors = Object.entries(variables).map(([param, { shape }]) => ({ param, shape, offset: 0, strides: rowMajor(shape) }));
  const update = buildUpdate(optimizer, adapters, [group], tensors);
  const start = (name: string): number => adapters.slots.get(name)!.offset / 4;
  let values = new Map<Tensor, Float64Array>();
  for (const tensor of update.graph.tensors) {
    if (tensor.role === "temp") continue;
    values.set(tensor, Float64Array.from(update.constants.get(tensor.name) ?? new Float64Array(elementCount(tensor.shape))));
  }
  values.set([...values.keys()].find(({ name }) => name === updateTensors.settings)!, Float64Array.from(settings));
  const named = (name: string): Float64Array => [...values].find(([tensor]) => tensor.name === name)![1];
  for (const [name, { init }] of Object.entries(variables)) named(`params/${group}#0`).set(init, start(name));
  return grads.map((given, i) => {
    for (const [name, grad] of Object.entries(given)) named(`grads/${group}#0`).set(Array.from(grad), start(`grad/${name}`));
    named(updateTensors.scalars).set(optimizer.scalars({ lr: lr(i + 1), step: i + 1 }));
    values = interpret(update.graph, values);
    return Object.fromEntries(
      Object.entries(variables).map(([name, { shape }]) => [name, named(`params/${group}#0`).slice(start(name), start(name) + elementCount(shape))]),
    );
  });
}

function rowMajor(shape: readonly number[]): number[] {
  return shape.map((_, i) => elementCount(shape.slice(i + 1)));
}
