/** Runs a step graph in float64 through the ops' reference functions: what the kernels are compared with. */
import type { Graph } from "../../../src/gpu/graph/graph.ts";
import type { RefTensor } from "../../../src/gpu/graph/op.ts";
import { elementCount, type Tensor } from "../../../src/gpu/graph/tensor.ts";

export type Values = Map<Tensor, Float64Array>;

/** Evaluates the whole graph. `given` holds inputs, weights and params; gradients start at zero. */
export function interpret(graph: Graph, given: ReadonlyMap<Tensor, Float64Array>, nodeCount = graph.nodes.length): Values {
  const values: Values = new Map(given);
  const ref = (tensor: Tensor): RefTensor => {
    let data = values.get(tensor);
    if (data === undefined) {
      if (tensor.role !== "grad") throw new Error(`no value for ${tensor.role} ${tensor.name}`);
      data = new Float64Array(elementCount(tensor.shape));
      values.set(tensor, data);
    }
    return { shape: tensor.shape, data };
  };
  for (const node of graph.nodes.slice(0, nodeCount)) {
    const inputs: Record<string, RefTensor> = {};
    for (const [name, tensor] of Object.entries({ ...node.inputs, ...node.accumulates })) inputs[name] = ref(tensor);
    const results = node.op.reference(inputs);
    const targets = [...node.outputs, ...Object.values(node.accumulates)];
    if (results.length !== targets.length) throw new Error(`${node.op.kind}: ${results.length} results, ${targets.length} targets`);
    targets.forEach((tensor, i) => {
      const result = results[i]!;
      if (result.length !== elementCount(tensor.shape)) throw new Error(`${node.op.kind}: output ${i} has ${result.length} elements`);
      values.set(tensor, result);
    });
  }
  return values;
}
