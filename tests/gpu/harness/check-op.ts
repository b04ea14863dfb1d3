/**
 * The per-op test: build a small graph, differentiate it, run it on the adapter and in float64, and compare every
 * output and gradient; then compare the float64 gradients with central differences of the float64 forward.
 */
import { expect } from "vitest";
import { f16ToF32, f32ToF16 } from "./half.ts";
import { interpret, type Values } from "./interpret.ts";
import { differentiate } from "../../../src/gpu/graph/autodiff.ts";
import { Graph, type ActivationType } from "../../../src/gpu/graph/graph.ts";
import { byteLength, elementCount, type Tensor } from "../../../src/gpu/graph/tensor.ts";
import { PipelineCache } from "../../../src/gpu/program/pipelines.ts";
import { planProgram } from "../../../src/gpu/program/plan.ts";
import { Arena, Program } from "../../../src/gpu/program/program.ts";
import { planResidents, Residents } from "../../../src/gpu/program/residents.ts";
import type { Gpu } from "../../../src/gpu/device.ts";

export interface OpCheck {
  /** Builds the forward; returns the tensors whose weighted sum is the loss. */
  readonly build: (graph: Graph) => readonly Tensor[];
  /** Largest allowed error relative to the largest reference value of the tensor (default 1e-5). */
  readonly tolerance?: number;
  /** Scale of the random values; by tensor name, default 1. */
  readonly scale?: Readonly<Record<string, number>>;
  /** Exact values instead of random ones (ids, masks). */
  readonly values?: Readonly<Record<string, readonly number[]>>;
  /** Central differences are slow; sample this many elements per tensor (default 12, 0 = skip for huge cases). */
  readonly differences?: number;
  /** Step of the central differences (default 1e-4). */
  readonly step?: number;
  readonly forwardOnly?: boolean;
  /** How activations are stored (default f32); central differences want f32. */
  readonly activations?: ActivationType;
  readonly seed?: number;
}

/** mulberry32: small seeded generator for test data. */
export function random(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export async function checkOp(gpu: Gpu, check: OpCheck): Promise<void> {
  const tolerance = check.tolerance ?? 1e-5;
  const graph = new Graph({ activations: check.activations });
  const outputs = check.build(graph);
  const forwardCount = graph.nodes.length;
  const next = random(check.seed ?? 1);
  const given: Values = new Map();
  const fill = (tensor: Tensor): void => {
    const exact = check.values?.[tensor.name];
    const scale = check.scale?.[tensor.name] ?? 1;
    const data = Float64Array.from({ length: elementCount(tensor.shape) }, (_, i) => {
      const value = exact === undefined ? (next() * 2 - 1) * scale : exact[i]!;
      return tensor.dtype === "f16" ? f16ToF32(f32ToF16(value)) : Math.fround(value);
    });
    given.set(tensor, data);
  };
  const seeds = outputs.map((output, i) => ({
    of: output,
    gradient: graph.input(`seed${i}`, output.shape),
  }));
  const gradients = new Map<Tensor, Tensor>();
  if (check.forwardOnly !== true) {
    for (const [of, gradient] of differentiate(graph, seeds)) gradients.set(of, gradient);
  }
  for (const tensor of graph.tensors) {
    if (tensor.role !== "temp" && tensor.role !== "grad" && tensor.role !== "output") fill(tensor);
  }
  for (const output of outputs) if (output.role === "temp") graph.keep(output);
  for (const gradient of gradients.values()) if (gradient.role === "temp") graph.keep(gradient);

  const expected = interpret(graph, given);
  const actual = await runOnGpu(gpu, graph, given, [...outputs, ...gradients.values(), ...graph.params.map((p) => p.grad)]);

  for (const [tensor, data] of actual) {
    const reference = expected.get(tensor);
    if (reference === undefined) continue;
    expectClose(data, reference, tolerance, `${tensor.name} [${tensor.shape.join(",")}]`);
  }

  const samples = check.differences ?? 12;
  if (check.forwardOnly === true || samples === 0) return;
  const loss = (values: Values): number => {
    const result = interpret(graph, values, forwardCount);
    return seeds.reduce((total, seed) => {
      const y = result.get(seed.of)!;
      const weight = given.get(seed.gradient)!;
      return y.reduce((sum, value, i) => sum + value * weight[i]!, total);
    }, 0);
  };
  const wanted: [Tensor, Tensor][] = [...gradients, ...graph.params.map(({ value, grad }): [Tensor, Tensor] => [value, grad])];
  for (const [tensor, gradient] of wanted) {
    const base = given.get(tensor)!;
    const analytic = expected.get(gradient)!;
    const scale = analytic.reduce((max, value) => Math.max(max, Math.abs(value)), 1e-3);
    const count = Math.min(samples, base.length);
    for (let s = 0; s < count; s++) {
      const i = Math.floor(next() * base.length);
      const h = check.step ?? 1e-4;
      const at = (delta: number): number => {
        const moved = Float64Array.from(base);
        moved[i] = moved[i]! + delta;
        return loss(new Map(given).set(tensor, moved));
      };
      const numeric = (at(h) - at(-h)) / (2 * h);
      expect(Math.abs(numeric - analytic[i]!) / scale, `central difference of ${tensor.name}[${i}]: ${numeric} vs ${analytic[i]}`).toBeLessThan(2e-5);
    }
  }
}

/** Relative to the largest reference magnitude: per-element relative error means nothing where sums cancel. */
export function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number, label: string): void {
  expect(actual.length, `${label}: length`).toBe(expected.length);
  let scale = 1e-6;
  for (let i = 0; i < expected.length; i++) scale = Math.max(scale, Math.abs(expected[i]!));
  let worst = 0;
  let where = 0;
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i]! - expected[i]!);
    if (Number.isNaN(error)) [worst, where] = [Infinity, i];
    else if (error > worst) [worst, where] = [error, i];
  }
  expect(
    worst / scale,
    `${label}: worst at ${where}: got ${actual[where]}, expected ${expected[where]}, scale ${scale}`,
  ).toBeLessThanOrEqual(tolerance);
}

/** Plans, compiles and runs a graph once; returns the asked tensors. */
export async function runOnGpu(
  gpu: Gpu,
  graph: Graph,
  given: ReadonlyMap<Tensor, Float64Array>,
  wanted: readonly Tensor[],
): Promise<Map<Tensor, Float32Array>> {
  const plan = planProgram("test", graph, gpu.tier);
  const residents = await Residents.allocate(gpu, planResidents(plan.residents, gpu.tier.limits));
  const arena = await Arena.allocate(gpu, [plan]);
  expect(arena.bytes, "planned arena bytes are the allocated bytes").toBe(plan.memory.totalBytes);
  const program = await Program.compile(gpu, plan, { residents, arena, pipelines: new PipelineCache(gpu) });
  try {
    for (const tensor of plan.residents) {
      const data = given.get(tensor);
      if (data !== undefined) residents.write(tensor.name, encode(tensor, data));
    }
    program.run();
    const result = new Map<Tensor, Float32Array>();
    for (const tensor of wanted) {
      if (tensor.role === "input") continue;
      const bytes = tensor.role === "temp" ? await program.readTemp(tensor) : await residents.read(tensor.name, byteLength(tensor));
      result.set(tensor, decode(tensor, bytes));
    }
    return result;
  } finally {
    await gpu.idle();
    program.destroy();
    arena.destroy();
    residents.destroy();
  }
}

function decode({ dtype, shape }: Tensor, bytes: ArrayBuffer): Float32Array {
  if (dtype === "f16") return Float32Array.from(new Uint16Array(bytes).subarray(0, elementCount(shape)), f16ToF32);
  if (dtype === "bf16") return new Float32Array(Uint32Array.from(new Uint16Array(bytes).subarray(0, elementCount(shape)), (bits) => bits << 16).buffer);
  return new Float32Array(bytes);
}

export function encode(tensor: Tensor, data: ArrayLike<number>): ArrayBufferView<ArrayBuffer> {
  switch (tensor.dtype) {
    case "f16": {
      const half = new Uint16Array(Math.ceil(data.length / 2) * 2);
      for (let i = 0; i < data.length; i++) half[i] = f32ToF16(data[i]!);
      return half;
    }
    case "u32":
      return Uint32Array.from(data);
    case "i32":
      return Int32Array.from(data);
    default:
      return Float32Array.from(data);
  }
}
