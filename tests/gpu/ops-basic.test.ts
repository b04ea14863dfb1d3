import { afterAll, beforeAll, describe, it } from "vitest";
import { activation } from "../../src/gpu/ops/activation.ts";
import { addOp } from "../../src/gpu/ops/add.ts";
import { concat } from "../../src/gpu/ops/concat.ts";
import { embedding } from "../../src/gpu/ops/embedding.ts";
import { geglu } from "../../src/gpu/ops/geglu.ts";
import { upsampleNearest } from "../../src/gpu/ops/upsample.ts";
import { checkOp } from "./harness/check-op.ts";
import { openTestGpu } from "./harness/adapter.ts";
import type { Gpu } from "../../src/gpu/device.ts";

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu({ defaultLimitsOnly: true });
});
afterAll(() => gpu.destroy());

describe("add", () => {
  it.each([[[3, 5]], [[1, 1]], [[2, 7, 300]]])("adds elementwise, shape %j", async (shape) => {
    await checkOp(gpu, {
      build: (g) => {
        const a = g.input("a", shape, { differentiable: true });
        const b = g.input("b", shape, { differentiable: true });
        return g.add(addOp, { a, b }, {});
      },
    });
  });

  it("sums the gradients of a value that is used twice", async () => {
    await checkOp(gpu, {
      build: (g) => {
        const a = g.input("a", [3, 4], { differentiable: true });
        const twice = activation(g, a, "silu");
        return g.add(addOp, { a: twice, b: a }, {});
      },
    });
  });
});

describe.each(["silu", "gelu", "quick_gelu"] as const)("%s", (fn) => {
  it.each([[[1, 4]], [[5, 12]], [[3, 7, 260]]])("matches float64 forward and backward, shape %j", async (shape) => {
    await checkOp(gpu, {
      build: (g) => [activation(g, g.input("x", shape, { differentiable: true }), fn)],
      scale: { x: 6 },
    });
  });

  it("stays finite for large inputs", async () => {
    await checkOp(gpu, { build: (g) => [activation(g, g.input("x", [4, 16], { differentiable: true }), fn)], scale: { x: 300 }, differences: 0 });
  });
});

describe("geglu", () => {
  it.each([[[1, 8]], [[3, 5, 24]], [[130, 520]]])("matches float64 forward and backward, shape %j", async (shape) => {
    await checkOp(gpu, { build: (g) => [geglu(g, g.input("x", shape, { differentiable: true }))], scale: { x: 4 } });
  });
});

describe("concat", () => {
  it.each([
    [[2, 3, 3], 4, 8],
    [[1, 5, 7], 20, 12],
    [[77], 320, 64],
  ])("joins channels of %j rows, %i and %i wide", async (rows, wa, wb) => {
    await checkOp(gpu, {
      build: (g) => {
        const a = g.input("a", [...rows, wa], { differentiable: true });
        const b = g.input("b", [...rows, wb], { differentiable: true });
        return [concat(g, a, b)];
      },
    });
  });

  it("gives a gradient only to the part that wants one", async () => {
    await checkOp(gpu, {
      build: (g) => [concat(g, g.input("a", [3, 4]), g.input("b", [3, 8], { differentiable: true }))],
    });
  });
});

describe("upsampleNearest", () => {
  it.each([
    [[1, 2, 2, 4], 4, 4],
    [[2, 3, 5, 8], 6, 10],
    [[1, 5, 4, 12], 9, 7],
  ])("resizes %j to %i x %i", async (shape, h, w) => {
    await checkOp(gpu, { build: (g) => [upsampleNearest(g, g.input("x", shape, { differentiable: true }), h, w)] });
  });
});

describe("embedding", () => {
  it("adds token and position rows", async () => {
    await checkOp(gpu, {
      build: (g) => {
        const source = { parts: [], layout: "rows" as const };
        const ids = g.input("ids", [2, 5], { dtype: "i32" });
        return [embedding(g, ids, g.weight("table", [11, 12], "f16", source), g.weight("positions", [7, 12], "f16", source))];
      },
      values: { ids: [0, 10, 3, 3, 7, 1, 2, 9, 0, 5] },
      forwardOnly: true,
    });
  });
});
