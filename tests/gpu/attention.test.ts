import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { differentiate, single } from "../../src/gpu/graph/autodiff.ts";
import { Graph } from "../../src/gpu/graph/graph.ts";
import { elementCount, type Tensor } from "../../src/gpu/graph/tensor.ts";
import { attentionOp, crossAttention, selfAttention } from "../../src/gpu/ops/attention.ts";
import { planProgram } from "../../src/gpu/program/plan.ts";
import { portableTier } from "../../src/gpu/tier.ts";
import { checkOp, expectClose, random, runOnGpu } from "./harness/check-op.ts";
import { openTestGpu } from "./harness/adapter.ts";
import type { Gpu } from "../../src/gpu/device.ts";

function crossKinds(qGradient: boolean, kvGradient: boolean): string[] {
  const g = new Graph();
  const q = g.input("q", [1, 8, 16], { differentiable: qGradient });
  const kv = g.input("kv", [1, 8, 32], { differentiable: kvGradient });
  const y = crossAttention(g, q, kv, { heads: 2 });
  const gradients = differentiate(g, [{ of: y, gradient: g.input("dy", y.shape) }]);
  expect([...gradients.keys()]).toEqual([...(qGradient ? [q] : []), ...(kvGradient ? [kv] : [])]);
  const { calls } = planProgram("test", g, portableTier);
  return calls.slice(1).map(({ kernel, defines }) => kernel.name + (defines["KEYS"] === true ? " keys" : ""));
}

describe("attention's gradient", () => {
  it("runs only the kernels of the gradients that are wanted", () => {
    const [delta, dx, keys] = ["attention-delta", "attention-dx-tiled", "attention-dx-tiled keys"];
    expect(crossKinds(true, true)).toEqual([delta, dx, keys]);
    expect(crossKinds(true, false)).toEqual([delta, dx]);
    expect(crossKinds(false, true)).toEqual([delta, keys]);
    expect(crossKinds(false, false)).toEqual([]);
  });

  it("counts causal pairs once", () => {
    const attrs = { heads: 2, headDim: 8, qOffset: 0, kOffset: 16, vOffset: 32, causal: true };
    const qkv = new Graph().input("qkv", [1, 4, 48]);
    expect(attentionOp.flops?.({ q: qkv, kv: qkv }, attrs)).toBe(4 * 2 * 8 * 10);
  });
});

describe("attention's dispatches", () => {
  it("are short enough for a small GPU at 768 x 768 pixels and batch 4", () => {
    const graph = new Graph();
    const qkv = graph.input("qkv", [4, 9216, 960]);
    graph.keep(selfAttention(graph, qkv, { heads: 8 }));
    const { calls, flops } = planProgram("test", graph, portableTier);
    const runs = Array.from({ length: 11 }, (_, i) => ({ firstHead: 3 * i, count: i < 10 ? 3 : 2 }));
    expect(calls.map(({ grid, params }) => ({ firstHead: params["firstHead"], count: grid[1] }))).toEqual(runs);
    expect(flops / 32).toBe(4 * 9216 ** 2 * 40);
  });
});

describe.each(["tiled", "direct"] as const)("attention, %s style on default limits", (matrixStyle) => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await openTestGpu({ matrixStyle, defaultLimitsOnly: true });
  });
  afterAll(() => gpu.destroy());

  it.each([
    { batch: 2, length: 5, heads: 3, headDim: 4, causal: false },
    { batch: 1, length: 33, heads: 2, headDim: 8, causal: true },
    { batch: 1, length: 100, heads: 2, headDim: 40, causal: false },
    { batch: 2, length: 77, heads: 1, headDim: 64, causal: true },
    { batch: 1, length: 36, heads: 2, headDim: 80, causal: false },
    { batch: 1, length: 40, heads: 1, headDim: 160, causal: false },
  ])("stacked self-attention $batch x $length, $heads heads of $headDim, causal $causal", async (c) => {
    await checkOp(gpu, {
      differences: c.length > 50 ? 2 : 8,
      build: (g) => {
        const qkv = g.input("qkv", [c.batch, c.length, 3 * c.heads * c.headDim], { differentiable: true });
        return [selfAttention(g, qkv, c)];
      },
    });
  });

  it.each([
    { queries: 64, keys: 77, heads: 2, headDim: 40, kvGradient: true },
    { queries: 33, keys: 7, heads: 2, headDim: 16, kvGradient: false },
    { queries: 1, keys: 5, heads: 2, headDim: 40, kvGradient: true },
  ])("cross-attention of $queries to $keys, $heads heads of $headDim, gradient of kv $kvGradient", async (c) => {
    await checkOp(gpu, {
      differences: 4,
      build: (g) => {
        const q = g.input("q", [2, c.queries, c.heads * c.headDim], { differentiable: true });
        const kv = g.input("kv", [2, c.keys, 2 * c.heads * c.headDim], { differentiable: c.kvGradient });
        return [crossAttention(g, q, kv, c)];
      },
    });
  });

  it("reads keys and values from a column range of a wider tensor", async () => {
    await checkOp(gpu, {
      differences: 4,
      build: (g) => {
        const q = g.input("q", [1, 9, 80], { differentiable: true });
        const kv = g.input("kv", [1, 77, 400]);
        return [crossAttention(g, q, kv, { heads: 2, kvOffset: 120 })];
      },
    });
  });

  it("gives the same result in one dispatch per head as in one for all", async () => {
    await checkOp(gpu, {
      differences: 4,
      build: (g) => {
        const qkv = g.input("qkv", [2, 9, 3 * 80], { differentiable: true });
        const attrs = { heads: 2, headDim: 40, qOffset: 0, kOffset: 80, vOffset: 160, causal: false, flopsPerDispatch: 1 };
        return [single(g.add(attentionOp, { q: qkv, kv: qkv }, attrs).slice(0, 1))];
      },
    });
  });

  it("has one head of 512 in the forward (the VAE's middle block)", async () => {
    await checkOp(gpu, { forwardOnly: true, build: (g) => [selfAttention(g, g.input("qkv", [1, 50, 3 * 512]), { heads: 1 })] });
  });

  it("stays exact where single keys win: inputs twenty times larger", async () => {
    // Scores reach several thousand, whose f32 rounding alone changes weights by 1e-3.
    await checkOp(gpu, {
      differences: 0,
      tolerance: 5e-3,
      scale: { qkv: 20 },
      build: (g) => [selfAttention(g, g.input("qkv", [1, 100, 3 * 80], { differentiable: true }), { heads: 2 })],
    });
  });

  it("repeats bit for bit", async () => {
    const graph = new Graph();
    const qkv = graph.input("qkv", [1, 100, 3 * 80], { differentiable: true });
    const y = selfAttention(graph, qkv, { heads: 2 });
    const dy = graph.input("dy", y.shape);
    const dx = differentiate(graph, [{ of: y, gradient: dy }]).get(qkv)!;
    graph.keep(dx);
    const next = random(3);
    const fill = (tensor: Tensor) => Float64Array.from({ length: elementCount(tensor.shape) }, () => next() * 2 - 1);
    const given = new Map([[qkv, fill(qkv)], [dy, fill(dy)]]);
    const first = (await runOnGpu(gpu, graph, given, [dx])).get(dx)!;
    const second = (await runOnGpu(gpu, graph, given, [dx])).get(dx)!;
    expectClose(second, first, 0, "second run");
  });
});
