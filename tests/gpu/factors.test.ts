/** Weights made of trained factors: every op forward and backward against float64 and central differences. */
import { afterAll, beforeAll, describe, it } from "vitest";
import { Graph } from "../../src/gpu/graph/graph.ts";
import { adaptedWeight } from "../../src/gpu/ops/adapted-weight.ts";
import { conv2d } from "../../src/gpu/ops/conv2d.ts";
import { factorProduct, hadamardProduct } from "../../src/gpu/ops/factor-product.ts";
import { kronecker } from "../../src/gpu/ops/kronecker.ts";
import { linear } from "../../src/gpu/ops/linear.ts";
import { decompose } from "../../src/gpu/ops/decompose.ts";
import { scaleBy } from "../../src/gpu/ops/scale-by.ts";
import { checkOp } from "./harness/check-op.ts";
import { isSlowAdapter, openTestGpu } from "./harness/adapter.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import type { Tensor } from "../../src/gpu/graph/tensor.ts";

const variants = { direct: { matrixStyle: "direct" }, tiled: { matrixStyle: "tiled" } } as const;

describe.each(Object.entries(variants))("%s", (_, options) => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await openTestGpu(options);
  });
  afterAll(() => gpu.destroy());

  const param = (g: Graph, name: string, ...shape: number[]): Tensor => g.param(name, shape, "unet").value;
  /** What is made of factors in a run. */
  const made = (g: Graph, name: string, ...shape: number[]): Tensor => g.input(name, shape, { differentiable: true });
  const frozen = (g: Graph, dtype: "f16" | "f32", ...shape: number[]): Tensor =>
    g.weight("w", shape, dtype, { parts: [{ key: "w" }], layout: "rows" });
  const drawn = (g: Graph): Tensor => g.input("draw", [4], { dtype: "u32" });
  const values = { draw: [7, 0, 3, 0] };

  it("multiplies factors of odd sizes, also a transposed one, and one that is a product itself", async () => {
    await checkOp(gpu, { build: (g) => [factorProduct(g, param(g, "a", 5, 3), param(g, "b", 3, 7))] });
    await checkOp(gpu, {
      build: (g) => [factorProduct(g, param(g, "a", 3, 150), g.view(factorProduct(g, param(g, "t", 6, 2), param(g, "b", 2, 70)), [3, 140]), true)],
    });
  });

  it("multiplies two products with each other", async () => {
    const sides = (g: Graph, n: number): [Tensor, Tensor] => [param(g, `a${n}`, 9, 2), param(g, `b${n}`, 2, 130)];
    await checkOp(gpu, { build: (g) => [hadamardProduct(g, sides(g, 1), sides(g, 2))] });
  });

  it.each([[1, false], [9, false], [9, true]] as const)("makes Kronecker products with %i taps, taps last %s", async (taps, tapsLast) => {
    const sizes = { a: 2, b: 6, c: 3, d: 4, taps, tapsLast };
    await checkOp(gpu, { build: (g) => [kronecker(g, param(g, "w1", 2, 3), param(g, "w2", 6, taps * 4), sizes)] });
    await checkOp(gpu, {
      build: (g) => [kronecker(g, factorProduct(g, param(g, "p", 2, 2), param(g, "q", 2, 3)), param(g, "w2", 6, taps * 4), sizes)],
    });
  });

  it("scales by a trained number", async () => {
    await checkOp(gpu, { build: (g) => [scaleBy(g, made(g, "x", 3, 50), param(g, "s", 1))] });
  });

  it("adds deltas to stacked rows and kernels, with and without dropout of rows and modules", async () => {
    const delta = (g: Graph, name: string, rows: number, width: number, layer: number) =>
      ({ tensor: made(g, name, rows, width), rows, scale: 0.5, tapsLast: false, dropout: { rank: 0.4, module: 0.5, layer, scales: layer > 0 } });
    await checkOp(gpu, { build: (g) => [adaptedWeight(g, frozen(g, "f16", 12, 8), [delta(g, "d0", 4, 8, 0), delta(g, "d1", 8, 8, 1)])] });
    for (const layer of [0, 1, 2]) {
      await checkOp(gpu, { values, build: (g) => [adaptedWeight(g, frozen(g, "f32", 12, 8), [delta(g, "d0", 12, 8, layer)], drawn(g))] });
    }
    await checkOp(gpu, {
      build: (g) => [adaptedWeight(g, frozen(g, "f16", 4, 3, 3, 8), [{ tensor: made(g, "d", 4, 72), rows: 4, scale: 2, tapsLast: true }])],
    });
  });

  it("decomposes rows or channels into magnitudes and directions, where dropout lets it", async () => {
    const part = (g: Graph, i: number, rows: number, count = rows) => ({ tensor: param(g, `g${i}`, count), rows, dropout: { rank: 0, module: 0.5, layer: i } });
    await checkOp(gpu, { build: (g) => [decompose(g, made(g, "v", 6, 70), [part(g, 0, 4), part(g, 1, 2)], false)] });
    await checkOp(gpu, { values, build: (g) => [decompose(g, made(g, "v", 6, 10), [0, 1, 2].map((i) => part(g, i, 2)), false, drawn(g))] });
    await checkOp(gpu, { build: (g) => [decompose(g, made(g, "v", 6, 3, 3, 4), [part(g, 0, 4, 4), part(g, 1, 2, 4)], true)] });
  });

  // SwiftShader takes minutes to compile the tiled products; what is new here runs there in the direct ones.
  it.skipIf(isSlowAdapter && options.matrixStyle === "tiled")("sends layers' gradients to what their weight is made of, over many rows", async () => {
    const adapted = (g: Graph, ...shape: number[]): Tensor => {
      const [out = 0, ...rest] = shape;
      const width = rest.reduce((a, b) => a * b, 1);
      return adaptedWeight(g, frozen(g, "f16", ...shape), [{ tensor: made(g, "d", out, width), rows: out, scale: 1, tapsLast: false }]);
    };
    await checkOp(gpu, {
      build: (g) => [linear(g, { x: g.input("x", [2, 300, 8], { differentiable: true }), w: adapted(g, 20, 8) })],
      scale: { d: 0.3 }, tolerance: 2e-5, differences: 4,
    });
    const pad = { top: 1, left: 1, bottom: 1, right: 1 };
    await checkOp(gpu, {
      build: (g) => [conv2d(g, { x: g.input("x", [2, 7, 6, 4], { differentiable: true }), w: adapted(g, 8, 3, 3, 4), stride: 2, pad })],
      differences: 4,
    });
  });
});
