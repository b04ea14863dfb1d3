/** Gradients of weights that are trained themselves: every op against float64 and central differences. */
import { afterAll, beforeAll, describe, it } from "vitest";
import { conv2d } from "../../src/gpu/ops/conv2d.ts";
import { embedding } from "../../src/gpu/ops/embedding.ts";
import { groupNorm } from "../../src/gpu/ops/group-norm.ts";
import { layerNorm } from "../../src/gpu/ops/layer-norm.ts";
import { linear } from "../../src/gpu/ops/linear.ts";
import { isSlowAdapter, openTestGpu } from "./harness/adapter.ts";
import { checkOp } from "./harness/check-op.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import type { Graph } from "../../src/gpu/graph/graph.ts";
import type { Tensor } from "../../src/gpu/graph/tensor.ts";

describe.each(["tiled", "direct"] as const)("trained weights, %s style on default limits", (matrixStyle) => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await openTestGpu({ matrixStyle, defaultLimitsOnly: true });
  });
  afterAll(() => gpu.destroy());

  const param = (g: Graph, name: string, ...shape: number[]): Tensor => g.param(name, shape, "unet").value;
  const input = (g: Graph, name: string, ...shape: number[]): Tensor => g.input(name, shape, { differentiable: true });
  const slow = isSlowAdapter && matrixStyle === "tiled";

  // SwiftShader takes minutes to compile the tiled products; there the direct ones are tried.
  it.skipIf(slow)("linear: weight and bias, with an input that is trained towards or not", async () => {
    await checkOp(gpu, { build: (g) => [linear(g, { x: input(g, "x", 2, 5, 12), w: param(g, "w", 20, 12), bias: param(g, "bias", 20) })] });
    await checkOp(gpu, { build: (g) => [linear(g, { x: g.input("x", [3, 8]), w: param(g, "w", 4, 8), bias: param(g, "bias", 4) })] });
  });

  it.skipIf(slow)("linear: the same weight used twice adds both gradients", async () => {
    await checkOp(gpu, {
      build: (g) => {
        const [w, bias] = [param(g, "w", 8, 8), param(g, "bias", 8)];
        return [linear(g, { x: linear(g, { x: input(g, "x", 40, 8), w, bias }), w, bias })];
      },
    });
  });

  it.skipIf(slow).each([1, 2] as const)("convolution with stride %i: kernel and bias", async (stride) => {
    await checkOp(gpu, {
      build: (g) => [
        conv2d(g, {
          x: input(g, "x", 2, 6, 5, 8), w: param(g, "w", 12, 3, 3, 8), bias: param(g, "bias", 12), stride,
          pad: { top: 1, left: 1, bottom: 1, right: 1 },
        }),
      ],
    });
  });

  it.each([
    { shape: [2, 3, 5, 32], groups: 32, silu: false },
    { shape: [2, 5, 7, 40], groups: 4, silu: true },
    { shape: [1, 33, 64], groups: 8, silu: true },
  ])("group norm $shape, silu $silu: gamma and beta", async ({ shape, groups, silu }) => {
    const width = shape.at(-1)!;
    await checkOp(gpu, {
      differences: 6,
      build: (g) => [groupNorm(g, { x: input(g, "x", ...shape), gamma: param(g, "gamma", width), beta: param(g, "beta", width), groups, eps: 1e-5, silu })],
    });
  });

  it.each([[5, 4], [2, 77, 64], [130, 20]])("layer norm [%i, %i]: gamma and beta", async (...shape) => {
    const width = shape.at(-1)!;
    await checkOp(gpu, {
      differences: 6,
      build: (g) => [layerNorm(g, { x: input(g, "x", ...shape), gamma: param(g, "gamma", width), beta: param(g, "beta", width) })],
    });
  });

  it("embedding: both tables, with a token that comes more than once", async () => {
    await checkOp(gpu, {
      values: { ids: [0, 3, 7, 3, 10, 3, 2, 9, 10, 0] },
      build: (g) => [embedding(g, g.input("ids", [2, 5], { dtype: "i32" }), param(g, "table", 11, 12), param(g, "positions", 5, 12))],
    });
  });

  it("embedding: a table in two parts", async () => {
    await checkOp(gpu, {
      values: { ids: [0, 7, 8, 3, 11, 8, 2, 7] },
      build: (g) => [
        embedding(g, g.input("ids", [2, 4], { dtype: "i32" }), param(g, "table", 8, 12), param(g, "positions", 6, 12), undefined, param(g, "rest", 4, 12)),
      ],
    });
  });
});
