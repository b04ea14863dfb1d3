/**
 * Every kernel that meets activations, with activations in 16 bits, in both styles: values and gradients against float64.
 * A wrong place would be an error as large as the values; rounding is of the size of 16 bits.
 */
import { afterAll, beforeAll, describe, it } from "vitest";
import { activation } from "../../src/gpu/ops/activation.ts";
import { crossAttention, selfAttention } from "../../src/gpu/ops/attention.ts";
import { concat } from "../../src/gpu/ops/concat.ts";
import { conv2d } from "../../src/gpu/ops/conv2d.ts";
import { geglu } from "../../src/gpu/ops/geglu.ts";
import { groupNorm } from "../../src/gpu/ops/group-norm.ts";
import { joinChunks } from "../../src/gpu/ops/join-chunks.ts";
import { layerNorm } from "../../src/gpu/ops/layer-norm.ts";
import { linear } from "../../src/gpu/ops/linear.ts";
import { upsampleNearest } from "../../src/gpu/ops/upsample.ts";
import { checkOp } from "./harness/check-op.ts";
import { isSlowAdapter, openTestGpu } from "./harness/adapter.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import type { Graph } from "../../src/gpu/graph/graph.ts";
import type { Tensor } from "../../src/gpu/graph/tensor.ts";

const weight = (g: Graph, name: string, shape: readonly number[], dtype: "f16" | "f32" = "f16"): Tensor =>
  g.weight(name, shape, dtype, { parts: [{ key: name }], layout: "rows" });
const vectors = (g: Graph, name: string, channels: number): { gamma: Tensor; beta: Tensor } => ({
  gamma: weight(g, `${name}.gamma`, [channels], "f32"),
  beta: weight(g, `${name}.beta`, [channels], "f32"),
});

/** Norms, convolutions with and without adapter, skips and resizing, as a residual block has them. */
function residual(g: Graph): readonly Tensor[] {
  const x = g.input("x", [2, 6, 5, 16], { differentiable: true });
  const pad = { top: 1, left: 1, bottom: 1, right: 1 };
  const inner = activation(g, groupNorm(g, { x, ...vectors(g, "n0", 16), groups: 4, eps: 1e-5, silu: true }), "gelu");
  const adapter = { down: g.param("down", [4, 3, 3, 16], "unet").value, up: g.param("up", [24, 4], "unet").value, scale: 0.7 };
  const small = conv2d(g, { x: inner, w: weight(g, "w1", [24, 3, 3, 16]), bias: weight(g, "b1", [24], "f32"), stride: 2, pad, adapter });
  const large = upsampleNearest(g, small, 6, 5);
  const joined = concat(g, large, x);
  return [conv2d(g, { x: joined, w: weight(g, "w2", [16, 3, 3, 40]), addend: x, stride: 1, pad })];
}

/** Attention, projections with stacked adapters, and the gated layer, as a transformer has them. */
function transformer(g: Graph): readonly Tensor[] {
  const x = g.input("x", [2, 33, 16], { differentiable: true });
  const context = joinChunks(g, layerNorm(g, { x: g.input("context", [4, 6, 16], { differentiable: true }), ...vectors(g, "n0", 16) }), 2);
  const adapter = { down: g.param("down", [12, 16], "unet").value, up: g.param("up", [48, 4], "unet").value, scale: 0.7, groups: 3 };
  const qkv = linear(g, { x: layerNorm(g, { x, ...vectors(g, "n1", 16) }), w: weight(g, "qkv", [48, 16]), adapter });
  const own = linear(g, { x: selfAttention(g, qkv, { heads: 2 }), w: weight(g, "out", [16, 16]), addend: x });
  const kv = linear(g, { x: context, w: weight(g, "kv", [32, 16]) });
  const crossed = crossAttention(g, linear(g, { x: own, w: weight(g, "q", [16, 16]) }), kv, { heads: 2 });
  return [geglu(g, linear(g, { x: crossed, w: weight(g, "gate", [64, 16]), bias: weight(g, "b", [64], "f32") }))];
}

describe.each(["direct", "tiled"] as const)("activations in 16 bits, %s kernels", (matrixStyle) => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await openTestGpu({ matrixStyle, defaultLimitsOnly: true });
  });
  afterAll(() => gpu.destroy());

  const scale = { w1: 0.3, w2: 0.2, qkv: 0.5, out: 0.3, q: 0.5, kv: 0.5, gate: 0.5, down: 0.3, up: 0.3 };
  const check = { scale, differences: 0 };

  // SwiftShader takes minutes to compile the tiled products.
  const isSlow = isSlowAdapter && matrixStyle === "tiled";
  it.skipIf(isSlow)("give a residual block's values and gradients", () => checkOp(gpu, { ...check, build: residual, activations: "f16", tolerance: 4e-3 }));
  it.skipIf(isSlow)("give a transformer's values and gradients", () => checkOp(gpu, { ...check, build: transformer, activations: "f16", tolerance: 4e-3 }));
  // What differs in bf16 are two functions: one style is enough.
  it.skipIf(matrixStyle === "tiled")("give them in bf16", () => checkOp(gpu, { ...check, build: transformer, activations: "bf16", tolerance: 3e-2 }));
});
