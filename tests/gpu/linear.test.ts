import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Graph } from "../../src/gpu/graph/graph.ts";
import { linear } from "../../src/gpu/ops/linear.ts";
import { planProgram } from "../../src/gpu/program/plan.ts";
import { differentiate } from "../../src/gpu/graph/autodiff.ts";
import { portableTier } from "../../src/gpu/tier.ts";
import { checkOp } from "./harness/check-op.ts";
import { openTestGpu } from "./harness/adapter.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import type { Tensor } from "../../src/gpu/graph/tensor.ts";

interface Case {
  readonly rows: readonly number[];
  readonly k: number;
  readonly n: number;
  readonly dtype?: "f16" | "f32";
  readonly bias?: boolean;
  readonly addend?: boolean;
  readonly rank?: number;
  readonly groups?: number;
  /** Nothing trainable in front of the layer. */
  readonly frozenInput?: boolean;
}

function build(g: Graph, { rows, k, n, dtype = "f16", bias, addend, rank, groups = 1, frozenInput }: Case): Tensor {
  const x = g.input("x", [...rows, k], { differentiable: frozenInput !== true });
  const w = g.weight("w", [n, k], dtype, { parts: [{ key: "w" }], layout: "rows" });
  return linear(g, {
    x,
    w,
    bias: bias ? g.weight("bias", [n], "f32", { parts: [{ key: "bias" }], layout: "rows" }) : undefined,
    addend: addend ? g.input("addend", [...rows, n], { differentiable: true }) : undefined,
    adapter:
      rank === undefined
        ? undefined
        : {
            down: g.param("down", [groups * rank, k], "unet").value,
            up: g.param("up", [n, rank], "unet").value,
            scale: 0.7,
            groups,
          },
  });
}

const cases: Record<string, Case> = {
  "one row": { rows: [1], k: 4, n: 4 },
  "tiny with f32 weights": { rows: [3], k: 8, n: 4, dtype: "f32", bias: true },
  "odd sizes": { rows: [77], k: 44, n: 36 },
  "odd sizes with f32 weights, bias and addend": { rows: [77], k: 44, n: 36, dtype: "f32", bias: true, addend: true },
  "odd sizes with everything": { rows: [7, 11], k: 44, n: 36, bias: true, addend: true, rank: 4 },
  "more than one tile": { rows: [2, 65], k: 68, n: 132, bias: true },
  "more than one tile with an adapter": { rows: [2, 65], k: 132, n: 68, rank: 16 },
  "rank 8": { rows: [9], k: 20, n: 24, rank: 8 },
  "rank 20": { rows: [9], k: 20, n: 24, rank: 20 },
  "rank 32 in two tiles": { rows: [5], k: 12, n: 40, rank: 32, addend: true },
  "two stacked layers": { rows: [5], k: 12, n: 24, rank: 4, groups: 2, bias: true },
  "three stacked layers wider than a tile": { rows: [121], k: 36, n: 3 * 68, rank: 8, groups: 3 },
  "an adapter behind a frozen input": { rows: [13], k: 20, n: 12, rank: 4, frozenInput: true },
  "enough rows for several chunks": { rows: [301], k: 8, n: 12, rank: 4, groups: 3 },
  "enough tiles for the large kernel": { rows: [1030], k: 8, n: 516 },
};

const variants = {
  direct: { matrixStyle: "direct" },
  "direct on default features": { matrixStyle: "direct", defaultLimitsOnly: true },
  "tiled on default features": { matrixStyle: "tiled", defaultLimitsOnly: true },
} as const;

for (const [variant, options] of Object.entries(variants)) {
  describe(`linear, ${variant}`, () => {
    let gpu: Gpu;
    beforeAll(async () => {
      gpu = await openTestGpu(options);
    });
    afterAll(() => gpu.destroy());

    it.each(Object.entries(cases))("agrees with float64: %s", async (_, options) => {
      await checkOp(gpu, { build: (g) => [build(g, options)], differences: 4 });
    });

    it("adds the gradients of two users of one input", async () => {
      await checkOp(gpu, {
        build: (g) => {
          const x = g.input("x", [6, 8], { differentiable: true });
          const source = { parts: [{ key: "w" }], layout: "rows" } as const;
          const a = linear(g, { x, w: g.weight("a", [8, 8], "f16", source), addend: x });
          const b = linear(g, { x, w: g.weight("b", [12, 8], "f32", source) });
          return [a, b];
        },
      });
    });
  });
}

describe("linear", () => {
  const countCalls = (options: Case): string[] => {
    const graph = new Graph();
    const y = build(graph, options);
    differentiate(graph, [{ of: y, gradient: graph.input("seed", y.shape) }]);
    return planProgram("count", graph, portableTier).calls.map((call) => call.node.op.kind);
  };

  it("takes two dispatches forward, two back and one or two for the adapter's gradients", () => {
    expect(countCalls({ rows: [256], k: 320, n: 960, rank: 16, groups: 3, bias: true, addend: true })).toEqual([
      "linear",
      "linear",
      "linearDx",
      "linearDx",
      "loraGrad",
    ]);
    expect(countCalls({ rows: [4096], k: 320, n: 320, rank: 16 }).filter((kind) => kind === "loraGrad")).toHaveLength(2);
  });

  it("computes no gradient towards a frozen input", () => {
    expect(countCalls({ rows: [64], k: 320, n: 320, rank: 16, frozenInput: true })).toEqual([
      "linear",
      "linear",
      "linearDx",
      "loraGrad",
    ]);
  });

  it("refuses widths that are not multiples of 4", () => {
    const graph = new Graph();
    const y = build(graph, { rows: [2], k: 6, n: 4 });
    graph.keep(y);
    expect(() => planProgram("odd", graph, portableTier)).toThrow("multiple of 4");
  });
});
