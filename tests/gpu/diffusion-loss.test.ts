import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseConfig } from "../../src/config/config.ts";
import { diffusionLoss, lossWeightWidth, type LossType } from "../../src/gpu/ops/diffusion-loss.ts";
import { Graph } from "../../src/gpu/graph/graph.ts";
import { huberThresholds, lossWeights } from "../../src/training/loss-weights.ts";
import { createNoiseSchedule } from "../../src/training/noise-schedule.ts";
// Losses and their gradients by autograd, in f64: tests/reference/make_noise_loss.py.
import fixture from "../unit/fixtures/noise-loss.json" with { type: "json" };
import { checkOp, expectClose, runOnGpu } from "./harness/check-op.ts";
import { openTestGpu } from "./harness/adapter.ts";
import type { Gpu } from "../../src/gpu/device.ts";

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu({ defaultLimitsOnly: true });
});
afterAll(() => gpu.destroy());

function build(graph: Graph, type: LossType, shape: readonly number[], isMasked = false) {
  const [batch = 0] = shape;
  const inputs = {
    pred: graph.input("pred", shape),
    target: graph.input("target", shape),
    weights: graph.input("weights", [batch, lossWeightWidth]),
    ...(isMasked ? { mask: graph.input("mask", shape.slice(0, 3)) } : {}),
  };
  const loss = graph.output("loss", [batch]);
  const guard = graph.tensor("grad", [4], "f32", "guard");
  return { inputs, loss, guard, dpred: diffusionLoss(graph, type, inputs, { loss, guard }) };
}

describe("diffusionLoss", () => {
  it.each([
    ["l2", 1, 2],
    ["l2", 3, 40],
    ["l1", 3, 40],
    ["huber", 3, 40],
    ["smooth_l1", 3, 40],
  ] as const)("weights each sample's %s loss, batch %i", async (type, batch, side) => {
    const weights = Array.from({ length: batch }, (_, b) => [1 + b, 0.5 - b, 0.1 + 0.4 * b, 0]).flat();
    await checkOp(gpu, {
      build: (g) => {
        const { loss, dpred } = build(g, type, [batch, side, side, 4]);
        return [loss, dpred];
      },
      values: { weights },
      forwardOnly: true,
    });
  });

  it.each(["l2", "l1", "huber", "smooth_l1"] as const)("counts each pixel's %s loss as the mask says", async (type) => {
    const weights = [1, 0.5, 0.1, 0, 2, -0.5, 0.5, 0];
    await checkOp(gpu, {
      build: (g) => {
        const { loss, dpred } = build(g, type, [2, 9, 11, 4], true);
        return [loss, dpred];
      },
      values: { weights, mask: Array.from({ length: 2 * 9 * 11 }, (_, i) => (i % 5) / 4) },
      forwardOnly: true,
    });
  });

  it.each(fixture.losses)("gives sd-scripts' losses and torch's gradient for $settings", async ({ settings: given, timesteps, losses, gradient }) => {
    const { timesteps: _, ...settings } = given as Record<string, unknown>;
    const { config } = parseConfig(settings);
    const schedule = createNoiseSchedule(config);
    const factors = lossWeights(schedule, timesteps, config.v_parameterization ? "v" : "epsilon", config);
    const thresholds = huberThresholds(schedule, timesteps, config);
    const weights = timesteps.flatMap((_t, b) => [factors[b]!, factors[b]! / timesteps.length, thresholds?.[b] ?? 0, 0]);

    const graph = new Graph();
    const { inputs, loss, guard, dpred } = build(graph, config.loss_type, fixture.shape);
    graph.keep(dpred);
    const values = new Map([
      [inputs.pred, Float64Array.from(fixture.prediction)],
      [inputs.target, Float64Array.from(fixture.target)],
      [inputs.weights, Float64Array.from(weights)],
      [guard, new Float64Array(4)],
    ]);
    const result = await runOnGpu(gpu, graph, values, [loss, dpred, guard]);
    // Sample by sample: their sizes differ by orders of magnitude.
    const [batch = 0] = fixture.shape;
    const perSample = gradient.length / batch;
    for (let b = 0; b < batch; b++) {
      expectClose(result.get(loss)!.subarray(b, b + 1), losses.slice(b, b + 1), 2e-6, `loss ${b}`);
      const range = [b * perSample, (b + 1) * perSample] as const;
      expectClose(result.get(dpred)!.subarray(...range), gradient.slice(...range), 2e-6, `gradient ${b}`);
    }
    expect(result.get(guard)![0]).toBe(0);
  });

  it.each(["l1", "huber"] as const)("tells of a %s loss that is not finite", async (type) => {
    const graph = new Graph();
    const { inputs, loss, guard } = build(graph, type, [1, 1, 1, 4]);
    const values = new Map([
      [inputs.pred, Float64Array.of(0, Infinity, 0, 0)],
      [inputs.target, new Float64Array(4)],
      [inputs.weights, Float64Array.of(1, 1, 0.1, 0)],
      [guard, new Float64Array(4)],
    ]);
    expect((await runOnGpu(gpu, graph, values, [loss, guard])).get(guard)![0]).toBe(1);
  });
});
