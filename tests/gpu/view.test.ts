import { afterAll, beforeAll, expect, it } from "vitest";
import { activation } from "../../src/gpu/ops/activation.ts";
import { addOp } from "../../src/gpu/ops/add.ts";
import { geglu } from "../../src/gpu/ops/geglu.ts";
import { Graph } from "../../src/gpu/graph/graph.ts";
import { differentiate } from "../../src/gpu/graph/autodiff.ts";
import { planProgram } from "../../src/gpu/program/plan.ts";
import { portableTier } from "../../src/gpu/tier.ts";
import { checkOp } from "./harness/check-op.ts";
import { openTestGpu } from "./harness/adapter.ts";
import type { Gpu } from "../../src/gpu/device.ts";

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu({ defaultLimitsOnly: true });
});
afterAll(() => gpu.destroy());

it("passes values and gradients through a view without a dispatch", async () => {
  await checkOp(gpu, {
    build: (g) => {
      const x = g.input("x", [2, 3, 16], { differentiable: true });
      const wide = geglu(g, g.view(activation(g, x, "gelu"), [3, 32]));
      return [g.view(wide, [4, 12])];
    },
  });
});

it("gives checkpointed regions the same gradients with less memory alive", async () => {
  const build = (checkpoint: boolean) => (g: Graph) => {
    let x = g.input("x", [64, 64], { differentiable: true });
    for (let i = 0; i < 4; i++) {
      x = g.region(checkpoint, () => {
        const [a] = g.add(addOp, { a: activation(g, x, "silu"), b: x }, {});
        const [b] = g.add(addOp, { a: activation(g, a!, "gelu"), b: a! }, {});
        const [c] = g.add(addOp, { a: activation(g, b!, "silu"), b: b! }, {});
        return c!;
      });
    }
    return [x];
  };
  await checkOp(gpu, { build: build(true) });
  const peak = (checkpoint: boolean): number => {
    const g = new Graph();
    const [y] = build(checkpoint)(g);
    g.kept.add(y!);
    for (const grad of differentiate(g, [{ of: y!, gradient: g.input("dy", [64, 64]) }]).values()) g.keep(grad);
    return planProgram("p", g, portableTier).memory.peakLiveBytes;
  };
  expect(peak(true)).toBeLessThan(peak(false));
});
