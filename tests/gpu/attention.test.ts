import { afterAll, beforeAll, describe, it } from "vitest";
import { crossAttention, selfAttention } from "../../src/gpu/ops/attention.ts";
import { checkOp } from "./harness/check-op.ts";
import { openTestGpu } from "./harness/adapter.ts";
import type { Gpu } from "../../src/gpu/device.ts";

describe.each(["tiled", "direct"] as const)("attention, %s style on default limits", (matrixStyle) => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await openTestGpu({ matrixStyle, defaultLimitsOnly: true });
  });
  afterAll(() => gpu.destroy());

  it.each([
    { batch: 2, length: 5, heads: 3, headDim: 4, causal: false },
    { batch: 1, length: 1, heads: 1, headDim: 8, causal: false },
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
    { queries: 5, keys: 77, heads: 1, headDim: 64, kvGradient: true },
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
});
