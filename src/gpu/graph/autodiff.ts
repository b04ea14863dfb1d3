/**
 * Reverse-mode differentiation over the step graph. Only what leads from the loss to something trainable gets
 * gradient ops. What the backward wants from the forward is asked for through `saved`: values of cheap ops and of
 * checkpoint regions are computed again, on demand and each at most once; everything else is kept alive by use.
 */
import { invariant } from "../../errors.ts";
import { addOp } from "../ops/add.ts";
import { bindOp, type OpDef } from "./op.ts";
import type { Graph, GraphNode } from "./graph.ts";
import type { Tensor } from "./tensor.ts";

export interface GradientContext {
  readonly graph: Graph;
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly outputs: readonly Tensor[];
  /** Gradient of output i; undefined when nothing downstream depends on it. */
  dy(i?: number): Tensor | undefined;
  /** Whether anything trainable lies behind this input. */
  needs(input: string): boolean;
  /** A forward value for use in the backward: the kept tensor, or a recomputed copy. */
  saved(tensor: Tensor): Tensor;
  /** Adds a gradient contribution for an input. */
  contribute(input: string, gradient: Tensor): void;
  /**
   * Like contribute, but hands the op what has been collected so far, so that it can add it in its epilogue.
   * The op's result must include the addend.
   */
  accumulate(input: string, build: (addend: Tensor | undefined) => Tensor): void;
  /** Emits an op that adds to parameters' gradients in place. @returns its outputs */
  accumulateParam<A>(op: OpDef<A>, inputs: Record<string, Tensor | undefined>, grads: Record<string, Tensor>, attrs: A): readonly Tensor[];
  /** The gradient tensor of a parameter input. */
  gradOf(input: string): Tensor;
}

/**
 * Appends the backward of `seeds` to the graph.
 * @returns the gradient tensors of the graph's differentiable inputs (those that the seeds depend on).
 */
export function differentiate(graph: Graph, seeds: readonly { of: Tensor; gradient: Tensor }[]): Map<Tensor, Tensor> {
  const forward = [...graph.nodes];
  const trainable = findTrainable(graph, forward);
  const crossing = findCrossing(forward);
  const gradients = new Map<Tensor, Tensor>();
  const recomputed = new Map<Tensor, Tensor>();

  const sum = (a: Tensor, b: Tensor): Tensor => single(graph.add(addOp, { a, b }, {}));
  const contribute = (tensor: Tensor, gradient: Tensor): void => {
    const pending = gradients.get(tensor);
    gradients.set(tensor, pending === undefined ? gradient : sum(pending, gradient));
  };

  const saved = (tensor: Tensor): Tensor => {
    const producer = graph.producer(tensor);
    if (producer === undefined) return tensor;
    const index = producer.outputs.indexOf(tensor);
    const insideRegion = producer.region !== undefined && !crossing.has(tensor);
    const keep = producer.specs[index]?.keep ?? "save";
    if (keep === "always" || (keep === "save" && !insideRegion)) return tensor;
    const known = recomputed.get(tensor);
    if (known !== undefined) return known;
    const inputs: Record<string, Tensor> = {};
    for (const [name, input] of Object.entries(producer.inputs)) inputs[name] = saved(input);
    if (tensor.viewOf !== undefined) {
      const view = graph.view(single(Object.values(inputs)), tensor.shape);
      recomputed.set(tensor, view);
      return view;
    }
    const wanted = producer.outputs.filter((output, i) => {
      const reuseAs = producer.specs[i]?.reuseAs;
      if (reuseAs !== undefined) inputs[reuseAs] = output;
      return reuseAs === undefined;
    });
    const again = graph.scope(`${producer.scope}~`, () => graph.addBound(producer.op, inputs));
    invariant(again.length === wanted.length, `${producer.op.kind}: recomputation changed the outputs`);
    wanted.forEach((output, i) => recomputed.set(output, again[i] ?? output));
    const copy = recomputed.get(tensor);
    invariant(copy !== undefined, "recomputed tensor is missing");
    return copy;
  };

  for (const { of, gradient } of seeds) contribute(of, gradient);

  for (const node of forward.reverse()) {
    if (!node.outputs.some((output) => gradients.has(output) && trainable.has(output))) continue;
    const { gradient } = node.op;
    invariant(gradient !== undefined, `${node.op.kind} has no gradient`);
    graph.scope(`${node.scope}'`, () => gradient(context(node)));
  }

  function context(node: GraphNode): GradientContext {
    const input = (name: string): Tensor => {
      const tensor = node.inputs[name];
      invariant(tensor !== undefined, `${node.op.kind} has no input ${name}`);
      return tensor;
    };
    return {
      graph,
      inputs: node.inputs,
      outputs: node.outputs,
      dy: (i = 0) => {
        const output = node.outputs[i];
        return output === undefined ? undefined : gradients.get(output);
      },
      needs: (name) => {
        const tensor = node.inputs[name];
        return tensor !== undefined && trainable.has(tensor);
      },
      saved,
      contribute: (name, gradient) => contribute(input(name), gradient),
      accumulate: (name, build) => {
        const tensor = input(name);
        gradients.set(tensor, build(gradients.get(tensor)));
      },
      accumulateParam: (op, inputs, grads, attrs) => graph.addBound(bindOp(op, attrs), inputs, { accumulates: grads }),
      gradOf: (name) => graph.gradOf(input(name)),
    };
  }

  const result = new Map<Tensor, Tensor>();
  for (const tensor of graph.differentiableInputs) {
    const gradient = gradients.get(tensor);
    if (gradient !== undefined) result.set(tensor, gradient);
  }
  return result;
}

/** Tensors from which a parameter (or an input whose gradient was asked for) can be reached. */
function findTrainable(graph: Graph, forward: readonly GraphNode[]): Set<Tensor> {
  const trainable = new Set<Tensor>(graph.differentiableInputs);
  for (const { value } of graph.params) trainable.add(value);
  for (const node of forward) {
    if (Object.values(node.inputs).some((input) => trainable.has(input))) {
      for (const output of node.outputs) trainable.add(output);
    }
  }
  return trainable;
}

/** Tensors that leave their checkpoint region: used by a node outside of it, or kept for the CPU. */
function findCrossing(forward: readonly GraphNode[]): Set<Tensor> {
  const home = new Map<Tensor, number | undefined>();
  for (const node of forward) for (const output of node.outputs) home.set(output, node.region);
  const crossing = new Set<Tensor>();
  for (const node of forward) {
    for (const input of Object.values(node.inputs)) {
      if (home.has(input) && home.get(input) !== node.region) crossing.add(input);
    }
  }
  // A view that leaves takes the memory it shows with it.
  for (const node of [...forward].reverse()) {
    if (node.op.kind === "view" && node.outputs.some((output) => crossing.has(output))) {
      for (const input of Object.values(node.inputs)) crossing.add(input);
    }
  }
  return crossing;
}

export function single(tensors: readonly Tensor[]): Tensor {
  const [tensor] = tensors;
  invariant(tensor !== undefined, "op has no output");
  return tensor;
}
