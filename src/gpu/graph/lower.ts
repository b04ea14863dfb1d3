/** From op nodes to kernel calls: which shader, with which constants, on which tensors, over which grid. */
import type { Graph, GraphNode } from "./graph.ts";
import type { Tier } from "../tier.ts";
import type { DType, Tensor } from "./tensor.ts";
import { invariant } from "../../errors.ts";

/** Compile-time constants of a shader. Numbers become WGSL constants, booleans steer `//#if`. */
export type Defines = Readonly<Record<string, number | boolean>>;

/** A shader source (a .wgsl file's text) with the name that labels pipelines and profiles. */
export interface KernelSource {
  readonly name: string;
  readonly source: string;
}

export interface KernelCall {
  readonly kernel: KernelSource;
  readonly defines: Defines;
  /** Tensors by the name declared in the shader. Which are written is declared there too. */
  readonly bindings: Readonly<Record<string, Tensor>>;
  /** Run-time scalars by the name declared in the shader's `//! params` line. */
  readonly params: Readonly<Record<string, number>>;
  /** Workgroups; each at most 65,535 (see grid helpers in tier.ts). */
  readonly grid: readonly [number, number, number];
}

export interface LowerContext {
  readonly tier: Tier;
  input(name: string): Tensor;
  optional(name: string): Tensor | undefined;
  output(i?: number): Tensor;
  /** A parameter gradient (or other tensor) that the op adds to in place. */
  accumulated(name: string): Tensor;
  /** Scratch memory that lives only inside this op. */
  scratch(shape: readonly number[], dtype?: DType): Tensor;
}

export interface LoweredCall extends KernelCall {
  readonly node: GraphNode;
  /** The node's flops, shared evenly by its calls: exact in sums, near enough to cut submissions by. */
  readonly flops: number;
}

/** Lowers every node in order. Scratch tensors are added to the graph's tensors. */
export function lowerGraph(graph: Graph, tier: Tier): LoweredCall[] {
  const calls: LoweredCall[] = [];
  for (const node of graph.nodes) {
    const optional = (name: string): Tensor | undefined => node.inputs[name];
    const context: LowerContext = {
      tier,
      optional,
      input: (name) => must(optional(name), `${node.op.kind} needs input ${name}`),
      output: (i = 0) => must(node.outputs[i], `${node.op.kind} has no output ${i}`),
      accumulated: (name) => must(node.accumulates[name], `${node.op.kind} needs ${name}`),
      scratch: (shape, dtype = "f32") => graph.tensor("temp", shape, dtype, `${node.scope}/${node.op.kind}#`),
    };
    const lowered = node.op.lower(context);
    const flops = node.op.flops({ ...node.inputs, ...node.accumulates }) / Math.max(1, lowered.length);
    for (const call of lowered) calls.push({ ...call, node, flops });
  }
  return calls;
}

function must<T>(value: T | undefined, message: string): T {
  invariant(value !== undefined, message);
  return value;
}
