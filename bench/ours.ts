/** Runs a case on our engine: one program with nothing but the op. */
import { f32ToF16 } from "../tests/gpu/harness/half.ts";
import { Graph } from "../src/gpu/graph/graph.ts";
import { byteLength, type Tensor } from "../src/gpu/graph/tensor.ts";
import { PipelineCache } from "../src/gpu/program/pipelines.ts";
import { planProgram } from "../src/gpu/program/plan.ts";
import { Arena, Program } from "../src/gpu/program/program.ts";
import { planResidents, Residents } from "../src/gpu/program/residents.ts";
import type { BenchCase, Named, Runner } from "./case.ts";
import type { Gpu } from "../src/gpu/device.ts";

export async function prepareOurs(gpu: Gpu, bench: BenchCase, data: Named<Float32Array>): Promise<Runner> {
  const graph = new Graph();
  const tensors: Record<string, Tensor> = {};
  for (const [name, { shape, role }] of Object.entries(bench.inputs)) {
    if (role === "weight") tensors[name] = graph.weight(name, shape, "f16", { parts: [{ key: name }], layout: "rows" });
    else if (role === "param") tensors[name] = graph.param(name, shape, "bench").value;
    else if (role === "state") tensors[name] = graph.tensor("state", shape, "f32", name);
    else tensors[name] = graph.input(name, shape, { differentiable: true });
  }
  const outputs = bench.ours(graph, tensors);
  for (const output of outputs) if (output.role === "temp") graph.keep(output);
  const plan = planProgram(bench.name, graph, gpu.tier);
  const residents = await Residents.allocate(gpu, planResidents(plan.residents, gpu.tier.limits));
  const arena = await Arena.allocate(gpu, [plan]);
  const program = await Program.compile(gpu, plan, { residents, arena, pipelines: new PipelineCache(gpu) });
  for (const tensor of plan.residents) {
    const values = data[tensor.name];
    if (values === undefined) continue;
    residents.write(tensor.name, tensor.dtype === "f16" ? Uint16Array.from(values, f32ToF16) : Float32Array.from(values));
  }
  return {
    name: "ours",
    dispatches: plan.calls.length,
    run: () => program.run(),
    finish: () => gpu.idle(),
    async results() {
      for (const tensor of plan.residents) {
        if (tensor.role === "grad") residents.write(tensor.name, new Uint8Array(byteLength(tensor)));
      }
      program.run();
      const read = outputs.map((tensor) =>
        tensor.role === "temp" ? program.readTemp(tensor) : residents.read(tensor.name, byteLength(tensor)),
      );
      const results = (await Promise.all(read)).map((bytes) => new Float32Array(bytes));
      return bench.split?.(results) ?? results;
    },
    dispose() {
      program.destroy();
      arena.destroy();
      residents.destroy();
    },
  };
}
