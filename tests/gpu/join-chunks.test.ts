import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Graph } from "../../src/gpu/graph/graph.ts";
import { joinChunks } from "../../src/gpu/ops/join-chunks.ts";
import { checkOp } from "./harness/check-op.ts";
import { openTestGpu } from "./harness/adapter.ts";
import type { Gpu } from "../../src/gpu/device.ts";

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu({ defaultLimitsOnly: true });
});
afterAll(() => gpu.destroy());

describe("joinChunks", () => {
  it.each([
    [1, 1, 5, 4], [1, 2, 5, 4], [2, 3, 4, 8], [3, 2, 77, 12],
  ])("joins and weighs %i texts of %i chunks of %i tokens, %i channels", async (texts, chunks, length, channels) => {
    await checkOp(gpu, {
      build: (g) => {
        const x = g.input("x", [texts * chunks, length, channels], { differentiable: true });
        return [joinChunks(g, x, chunks, g.input("weights", [texts, chunks * (length - 2) + 2]))];
      },
    });
  });

  it("joins without weights", async () => {
    await checkOp(gpu, { build: (g) => [joinChunks(g, g.input("x", [4, 6, 4], { differentiable: true }), 2)] });
  });

  it("leaves single chunks without weights as they are", () => {
    const g = new Graph();
    const x = g.input("x", [2, 77, 8]);
    expect(joinChunks(g, x, 1)).toBe(x);
  });
});
