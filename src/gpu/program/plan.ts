/**
 * The plan of one static program: its kernel calls, rendered shaders, and where every tensor lives. Made without a
 * GPU; the numbers in it are the forecast, and allocation does exactly what it says.
 */
import { invariant } from "../../errors.ts";
import { lowerGraph, type LoweredCall } from "../graph/lower.ts";
import { planMemory, type MemoryPlan } from "../graph/memory-plan.ts";
import { renderWgsl, type RenderedShader } from "../wgsl.ts";
import type { PackedType } from "../packed-access.ts";
import type { Graph } from "../graph/graph.ts";
import { rootOf, type Tensor } from "../graph/tensor.ts";
import type { Tier } from "../tier.ts";

export interface PlannedCall extends LoweredCall {
  readonly shader: RenderedShader;
  /** Tensors in binding order. */
  readonly tensors: readonly Tensor[];
}

export interface ProgramPlan {
  readonly name: string;
  readonly tier: Tier;
  readonly calls: readonly PlannedCall[];
  readonly memory: MemoryPlan;
  /** Tensors outside of the arena that the program touches. */
  readonly residents: readonly Tensor[];
  readonly flops: number;
  /** Bytes of the per-dispatch scalars. */
  readonly uniformBytes: number;
}

/** Distance between the scalars of two dispatches: the alignment that every device accepts. */
export const uniformStride = 256;

export function planProgram(name: string, graph: Graph, tier: Tier): ProgramPlan {
  const rendered = new Map<string, RenderedShader>();
  const calls = lowerGraph(graph, tier).map((call): PlannedCall => {
    const packed = packedBindings(call.bindings);
    const key = `${call.kernel.name} ${JSON.stringify([call.defines, ...packed])}`;
    let shader = rendered.get(key);
    if (shader === undefined) {
      shader = renderWgsl(call.kernel.source, call.defines, packed);
      rendered.set(key, shader);
    }
    const tensors = shader.bindings.map(({ name: binding }) => {
      const tensor = call.bindings[binding];
      invariant(tensor !== undefined, `${call.kernel.name}: binding ${binding} is missing`);
      return rootOf(tensor);
    });
    invariant(
      Object.keys(call.bindings).length === tensors.length,
      `${call.kernel.name}: got ${Object.keys(call.bindings).join()}, declares ${shader.bindings.map((b) => b.name).join()}`,
    );
    invariant(
      tensors.length <= tier.limits.maxStorageBuffersPerShaderStage,
      `${call.kernel.name}: ${tensors.length} storage bindings`,
    );
    for (const { name: param } of shader.params) {
      invariant(call.params[param] !== undefined, `${call.kernel.name}: parameter ${param} is missing`);
    }
    invariant(
      call.grid.every((n) => Number.isInteger(n) && n >= 1 && n <= tier.limits.maxComputeWorkgroupsPerDimension),
      `${call.kernel.name}: bad grid ${call.grid.join("x")}`,
    );
    return { ...call, shader, tensors };
  });

  const accesses = calls.map(({ shader, tensors }) => ({
    reads: tensors.filter((_, i) => shader.bindings[i]?.writable === false),
    writes: tensors.filter((_, i) => shader.bindings[i]?.writable === true),
  }));
  const memory = planMemory(accesses, new Set([...graph.kept].map(rootOf)), tier.limits);
  const residents = new Set<Tensor>();
  for (const call of calls) for (const tensor of call.tensors) if (tensor.role !== "temp") residents.add(tensor);
  return {
    name,
    tier,
    calls,
    memory,
    residents: [...residents],
    flops: calls.reduce((total, call) => total + call.flops, 0),
    uniformBytes: calls.length * uniformStride,
  };
}

/** Temporaries and 8-bit weights, which are stored smaller than their kernels see them; those know f16 weights themselves. */
function packedBindings(bindings: Readonly<Record<string, Tensor>>): Map<string, PackedType> {
  const packed = new Map<string, PackedType>();
  for (const [name, { role, dtype }] of Object.entries(bindings)) {
    if (dtype === "f8" || (role === "temp" && (dtype === "f16" || dtype === "bf16"))) packed.set(name, dtype);
  }
  return packed;
}

export const sumBytes = (sizes: Iterable<number>): number => [...sizes].reduce((a, b) => a + b, 0);

/** Per-dispatch scalars: one buffer per program, never empty. */
export function programUniformBytes(programs: readonly ProgramPlan[]): number {
  return sumBytes(programs.map((program) => Math.max(uniformStride, program.uniformBytes)));
}
