import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { single } from "../../src/gpu/graph/autodiff.ts";
import { Graph } from "../../src/gpu/graph/graph.ts";
import { addOp } from "../../src/gpu/ops/add.ts";
import { groupNorm, groupNormStatsOp } from "../../src/gpu/ops/group-norm.ts";
import { layerNorm, layerNormOp } from "../../src/gpu/ops/layer-norm.ts";
import { checkOp, random, runOnGpu } from "./harness/check-op.ts";
import { openTestGpu } from "./harness/adapter.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import type { Tensor } from "../../src/gpu/graph/tensor.ts";

const frozen = { parts: [], layout: "rows" } as const;

/** y = f(x), or y = f(x) + x so that a gradient for x is already pending when the norm's backward runs. */
function withResidual(g: Graph, x: Tensor, residual: boolean, build: (x: Tensor) => Tensor): Tensor[] {
  const y = build(x);
  return [residual ? single(g.add(addOp, { a: y, b: x }, {})) : y];
}

describe.each(["tiled", "direct"] as const)("norms, %s style on default limits", (matrixStyle) => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await openTestGpu({ matrixStyle, defaultLimitsOnly: true });
  });
  afterAll(() => gpu.destroy());

  it.each([
    { shape: [2, 3, 5, 32], groups: 32, silu: false, residual: false },
    { shape: [2, 5, 7, 40], groups: 4, silu: true, residual: false },
    { shape: [1, 33, 64], groups: 8, silu: true, residual: true },
    { shape: [3, 1, 1, 12], groups: 2, silu: false, residual: true },
    { shape: [1, 9, 17, 320], groups: 32, silu: true, residual: false },
  ])("groupNorm $shape, $groups groups, silu $silu, pending gradient $residual", async ({ shape, groups, silu, residual }) => {
    await checkOp(gpu, {
      differences: 6,
      scale: { gamma: 2 },
      build: (g) => {
        const x = g.input("x", shape, { differentiable: true });
        const gamma = g.weight("gamma", [shape.at(-1)!], "f32", frozen);
        const beta = g.weight("beta", [shape.at(-1)!], "f32", frozen);
        return withResidual(g, x, residual, (x) => groupNorm(g, { x, gamma, beta, groups, eps: 1e-5, silu }));
      },
    });
  });

  it.each([
    { shape: [5, 4], residual: false },
    { shape: [2, 77, 768], residual: false },
    { shape: [1, 33, 20], residual: true },
    { shape: [130, 320], residual: true },
  ])("layerNorm $shape, pending gradient $residual", async ({ shape, residual }) => {
    await checkOp(gpu, {
      differences: 6,
      build: (g) => {
        const x = g.input("x", shape, { differentiable: true });
        const gamma = g.weight("gamma", [shape.at(-1)!], "f32", frozen);
        const beta = g.weight("beta", [shape.at(-1)!], "f32", frozen);
        return withResidual(g, x, residual, (x) => layerNorm(g, { x, gamma, beta }));
      },
    });
  });

  it("keeps the deviation exact when the mean is a thousand times larger", async () => {
    const graph = new Graph();
    const next = random(7);
    const shape = [1, 40, 32];
    const x = graph.input("x", shape);
    const data = Float64Array.from({ length: 40 * 32 }, () => Math.fround(1000 + next()));
    const gamma = graph.weight("gamma", [32], "f32", frozen);
    const [group] = graph.add(groupNormStatsOp, { x }, { groups: 2, eps: 1e-6 });
    const [, row] = graph.add(layerNormOp, { x, gamma, beta: gamma }, { eps: 1e-6 });
    graph.keep(group!);
    graph.keep(row!);
    const given = new Map([[x, data], [gamma, new Float64Array(32).fill(1)]]);
    const result = await runOnGpu(gpu, graph, given, [group!, row!]);
    const ref = { x: { shape, data } };
    const [groupStats] = groupNormStatsOp.reference(ref, { groups: 2, eps: 1e-6 });
    const ones = { shape: [32], data: given.get(gamma)! };
    const [, rowStats] = layerNormOp.reference({ ...ref, gamma: ones, beta: ones }, { eps: 1e-6 });
    for (const [tensor, expected] of [[group!, groupStats!], [row!, rowStats!]] as const) {
      result.get(tensor)!.forEach((value, i) => expect(Math.abs(value / expected[i]! - 1)).toBeLessThan(1e-4));
    }
  });

  it("does not repeat the group statistics when y is recomputed", () => {
    const graph = new Graph();
    const x = graph.input("x", [1, 8, 32], { differentiable: true });
    const gamma = graph.weight("gamma", [32], "f32", frozen);
    groupNorm(graph, { x, gamma, beta: gamma, eps: 1e-5 });
    expect(graph.nodes.map(({ specs }) => specs.map(({ keep }) => keep))).toEqual([["always"], ["recompute"]]);
  });
});
