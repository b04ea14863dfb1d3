/** Activations in 16 bits: how they are rounded and read back, and that every kernel of a step works on them. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { differentiate } from "../../src/gpu/graph/autodiff.ts";
import { Graph, type ActivationType } from "../../src/gpu/graph/graph.ts";
import { concat } from "../../src/gpu/ops/concat.ts";
import { upsampleNearest } from "../../src/gpu/ops/upsample.ts";
import { PipelineCache } from "../../src/gpu/program/pipelines.ts";
import { planProgram } from "../../src/gpu/program/plan.ts";
import { Arena, Program } from "../../src/gpu/program/program.ts";
import { planResidents, Residents } from "../../src/gpu/program/residents.ts";
import { f32ToF16 } from "./harness/half.ts";
import { random } from "./harness/check-op.ts";
import { openTestGpu } from "./harness/adapter.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import type { Tensor } from "../../src/gpu/graph/tensor.ts";

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => gpu.destroy());

/** Ties, the ends of the ranges, numbers that are subnormal in f16, and numbers of all magnitudes. */
function samples(): Float32Array<ArrayBuffer> {
  const next = random(4);
  const values = [0, -0, 1, -1, 1 / 3, 65504, 65519, 65520, -65520, 65536, 1e6, -1e30, 2 ** -14, 2 ** -14 - 2 ** -25, 2 ** -15, 2 ** -24, 2 ** -25, 1.5 * 2 ** -25, 3 * 2 ** -25, -(2 ** -26)];
  for (let i = 0; i < 64; i++) values.push(1 + (i + 0.5) / 1024, 1 + (i + 0.5) / 128, (i + 0.5) * 2 ** -24);
  while (values.length < 1024) values.push((next() * 2 - 1) * 2 ** (next() * 48 - 30));
  return Float32Array.from(values);
}

/** Upper half of the f32 nearest to value among those with an empty lower half; ties to even. */
function f32ToBf16(value: number): number {
  const [bits = 0] = new Uint32Array(Float32Array.of(value).buffer);
  const [low, odd] = [bits & 0xffff, (bits >>> 16) & 1];
  return ((bits >>> 16) + (low > 0x8000 || (low === 0x8000 && odd === 1) ? 1 : 0)) & 0xffff;
}

async function runPlain(graph: Graph, input: Float32Array<ArrayBuffer>, wanted: readonly Tensor[]): Promise<ArrayBuffer[]> {
  for (const tensor of wanted) graph.keep(tensor);
  const plan = planProgram("test", graph, gpu.tier);
  const residents = await Residents.allocate(gpu, planResidents(plan.residents, gpu.tier.limits));
  const arena = await Arena.allocate(gpu, [plan]);
  const program = await Program.compile(gpu, plan, { residents, arena, pipelines: new PipelineCache(gpu) });
  residents.write("x", input);
  program.run();
  const results: ArrayBuffer[] = [];
  for (const tensor of wanted) results.push(await program.readTemp(tensor));
  program.destroy();
  arena.destroy();
  residents.destroy();
  return results;
}

describe.each([["f16", f32ToF16], ["bf16", f32ToBf16]] as const)("activations in %s", (type, round) => {
  it("are rounded to the nearest, ties to even, and read back as they are", async () => {
    const input = samples();
    const graph = new Graph({ activations: type });
    const x = graph.input("x", [1, 8, 16, 8]);
    const stored = upsampleNearest(graph, x, 8, 16);
    const again = upsampleNearest(graph, stored, 8, 16);
    expect([stored.dtype, again.dtype]).toEqual([type, type]);
    const [first, second] = await runPlain(graph, input, [stored, again]);
    const wanted = Uint16Array.from(input, (value) => round(value));
    expect([...new Uint16Array(first!)]).toEqual([...wanted]);
    // A driver may flush the numbers below f16's normal ones to zero; nothing else may change.
    const isTiny = (bits: number): boolean => type === "f16" && (bits & 0x7c00) === 0;
    const read = [...new Uint16Array(second!)];
    const flushed = read.map((bits, i) => (isTiny(wanted[i]!) && bits === (wanted[i]! & 0x8000) ? wanted[i]! : bits));
    expect(flushed).toEqual([...wanted]);
  });
});

describe("what is stored in 16 bits", () => {
  it("is maps and sequences and their gradients, not vectors, latents or adapters' factors", () => {
    const types = (activations: ActivationType): string[] => {
      const graph = new Graph({ activations });
      const [map, latents] = [graph.input("x", [1, 4, 4, 8], { differentiable: true }), graph.input("l", [1, 4, 4, 2])];
      const joined = concat(graph, map, map);
      const four = concat(graph, latents, latents);
      const vectors = concat(graph, graph.input("a", [2, 8]), graph.input("b", [2, 8]));
      const gradient = differentiate(graph, [{ of: joined, gradient: graph.input("seed", joined.shape) }]).get(map)!;
      return [joined, four, vectors, gradient].map(({ dtype }) => dtype);
    };
    expect(types("f16")).toEqual(["f16", "f32", "f32", "f16"]);
    expect(types("bf16")).toEqual(["bf16", "f32", "f32", "bf16"]);
    expect(types("f32")).toEqual(["f32", "f32", "f32", "f32"]);
  });
});
