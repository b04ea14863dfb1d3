/** Dropout inside adapters: the numbers of random/rng.ts on the GPU, forward and backward, against float64. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Graph } from "../../src/gpu/graph/graph.ts";
import type { Tensor } from "../../src/gpu/graph/tensor.ts";
import { conv2d } from "../../src/gpu/ops/conv2d.ts";
import { linear } from "../../src/gpu/ops/linear.ts";
import type { DropoutRates } from "../../src/gpu/ops/adapter-dropout.ts";
import { RandomSequence } from "../../src/random/rng.ts";
import { openTestGpu } from "./harness/adapter.ts";
import { checkOp, runOnGpu } from "./harness/check-op.ts";
import type { Gpu } from "../../src/gpu/device.ts";

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu({ defaultLimitsOnly: true });
});
afterAll(() => gpu.destroy());

const pad = { top: 1, left: 1, bottom: 1, right: 1 };
const source = { parts: [{ key: "w" }], layout: "rows" } as const;
// Words that float32 holds, as the harness rounds what it is given.
const draw = [0x89abcd00, 0x1234, 17, 0];

describe("dropout in an adapter", () => {
  it.each<[string, DropoutRates]>([
    ["single values", { network: 0.4, rank: 0, module: 0 }],
    ["ranks of a batch entry", { network: 0, rank: 0.5, module: 0 }],
    ["whole layers", { network: 0, rank: 0, module: 0.5 }],
    ["all three", { network: 0.25, rank: 0.25, module: 0.3 }],
  ])("agrees with float64 and its differences, forward and backward: %s", async (_, rates) => {
    await checkOp(gpu, {
      build: (g) => {
        const numbers = g.input("draw", [4], { dtype: "u32" });
        const x = g.input("x", [2, 5, 8], { differentiable: true });
        const stacked = {
          down: g.param("down", [3 * 8, 8], "unet").value, up: g.param("up", [12, 8], "unet").value, scale: 0.7, groups: 3,
          dropout: { ...rates, layer: 5, draw: numbers },
        };
        const map = g.input("map", [2, 4, 3, 8], { differentiable: true });
        const convolved = {
          down: g.param("convDown", [4, 3, 3, 8], "unet").value, up: g.param("convUp", [8, 4], "unet").value, scale: 1.3,
          dropout: { ...rates, layer: 6, draw: numbers },
        };
        return [
          linear(g, { x, w: g.weight("w", [12, 8], "f16", source), adapter: stacked }),
          conv2d(g, { x: map, w: g.weight("k", [8, 3, 3, 8], "f16", source), stride: 1, pad, adapter: convolved }),
        ];
      },
      values: { draw },
      differences: 6,
    });
  });

  it("drops what sd-scripts' three rates mean, by the numbers of the run", async () => {
    const [batch, tokens, rank] = [3, 7, 8];
    // x = 1 and down picks one channel for each rank: h is 1 everywhere, and y shows it.
    const shown = async (rates: DropoutRates): Promise<Float32Array> => {
      const graph = new Graph();
      const given = new Map<Tensor, Float64Array>();
      const give = (tensor: Tensor, at: (i: number) => number): Tensor => {
        given.set(tensor, Float64Array.from({ length: tensor.shape.reduce((a, b) => a * b, 1) }, (_, i) => at(i)));
        return tensor;
      };
      const identity = (i: number): number => (Math.floor(i / rank) === i % rank ? 1 : 0);
      const numbers = give(graph.input("draw", [4], { dtype: "u32" }), (i) => draw[i]!);
      const y = linear(graph, {
        x: give(graph.input("x", [batch, tokens, rank]), () => 1),
        w: give(graph.weight("w", [rank, rank], "f32", source), () => 0),
        adapter: {
          down: give(graph.param("down", [rank, rank], "unet").value, identity),
          up: give(graph.param("up", [rank, rank], "unet").value, identity),
          scale: 1,
          dropout: { ...rates, layer: 2, draw: numbers },
        },
      });
      graph.keep(y);
      return (await runOnGpu(gpu, graph, given, [y])).get(y)!;
    };
    const numbersOf = (stream: "networkDropout" | "rankDropout" | "moduleDropout", count: number): number[] => {
      const sequence = new RandomSequence(0x1234_89ab_cd00, stream, 17 + 2 * 2 ** 32);
      return Array.from({ length: count }, () => sequence.uniform());
    };
    const none = { network: 0, rank: 0, module: 0 };
    const single = numbersOf("networkDropout", batch * tokens * rank).map((number) => (number < 0.25 ? 0 : 1 / 0.75));
    expect([...(await shown({ ...none, network: 0.25 }))]).toEqual(single.map(Math.fround));
    const ranks = numbersOf("rankDropout", batch * rank).map((number) => (number < 0.5 ? 0 : 2));
    const byRank = Array.from({ length: batch * tokens * rank }, (_, i) => ranks[Math.floor(i / (tokens * rank)) * rank + (i % rank)]);
    expect([...(await shown({ ...none, rank: 0.5 }))]).toEqual(byRank);
    const [module = 0] = numbersOf("moduleDropout", 1);
    const whole = async (rate: number): Promise<Set<number>> => new Set(await shown({ ...none, module: rate }));
    expect(await whole(Math.min(0.99, module + 0.005))).toEqual(new Set([0]));
    expect(await whole(Math.max(0.001, module - 0.005))).toEqual(new Set([1]));
  });
});
