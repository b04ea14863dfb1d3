import { describe, expect, it } from "vitest";
import { differentiate } from "../../src/gpu/graph/autodiff.ts";
import { Graph } from "../../src/gpu/graph/graph.ts";
import { layerNorm } from "../../src/gpu/ops/layer-norm.ts";
import { linear } from "../../src/gpu/ops/linear.ts";
import { activation } from "../../src/gpu/ops/activation.ts";
import type { Tensor } from "../../src/gpu/graph/tensor.ts";

const source = { parts: [], layout: "rows" as const };

/** Two blocks of norm, frozen linear with or without an adapter, activation. */
function build(trained: readonly boolean[], checkpoint = false): { graph: Graph; backward: string[]; forwardCount: number } {
  const graph = new Graph();
  let x: Tensor = graph.input("x", [8, 16]);
  trained.forEach((isTrained, i) => {
    x = graph.region(checkpoint, () => {
      const gamma = graph.weight(`g${i}`, [16], "f32", source);
      const normed = layerNorm(graph, { x, gamma, beta: gamma });
      const adapter = isTrained
        ? { down: graph.param(`${i}/down`, [4, 16], "unet").value, up: graph.param(`${i}/up`, [16, 4], "unet").value, scale: 1 }
        : undefined;
      const y = linear(graph, { x: normed, w: graph.weight(`w${i}`, [16, 16], "f16", source), adapter });
      return activation(graph, y, "silu");
    });
  });
  const forwardCount = graph.nodes.length;
  differentiate(graph, [{ of: x, gradient: graph.input("dy", [8, 16]) }]);
  return { graph, backward: graph.nodes.slice(forwardCount).map((node) => node.op.kind), forwardCount };
}

describe("differentiate", () => {
  it("emits nothing below the first trained module", () => {
    const { backward } = build([false, true]);
    expect(backward.filter((kind) => kind === "layerNormDx"), "the first norm has no gradient").toHaveLength(0);
    expect(backward.filter((kind) => kind === "loraGrad")).toHaveLength(1);
    expect(backward.filter((kind) => kind === "activationDx")).toHaveLength(1);
  });

  it("emits nothing at all where nothing is trained", () => {
    expect(build([false, false]).backward).toEqual([]);
  });

  it("keeps nothing for a frozen linear: its input is not used by the backward", () => {
    const { graph, forwardCount } = build([true, false]);
    const frozen = graph.nodes.find((node) => node.inputs["w"]?.name === "w1");
    const used = new Set(graph.nodes.slice(forwardCount).flatMap((node) => Object.values(node.inputs)));
    expect(used.has(frozen!.inputs["x"]!)).toBe(false);
  });

  it("recomputes norms for the adapters' gradients instead of keeping them", () => {
    const { graph, forwardCount } = build([true, true]);
    const norms = graph.nodes.slice(0, forwardCount).filter((node) => node.op.kind === "layerNorm");
    const used = new Set(graph.nodes.slice(forwardCount).flatMap((node) => Object.values(node.inputs)));
    for (const norm of norms) {
      expect(used.has(norm.outputs[0]!), "normed values").toBe(false);
      expect(used.has(norm.outputs[1]!), "statistics").toBe(norm !== norms[0]);
    }
  });

  it("keeps only what leaves a checkpoint region, and computes each inner value at most once more", () => {
    const { graph, backward, forwardCount } = build([true, true], true);
    const forward = graph.nodes.slice(0, forwardCount);
    const used = new Set(graph.nodes.slice(forwardCount).flatMap((node) => Object.values(node.inputs)));
    const kept = forward.flatMap((node) => node.outputs).filter((tensor) => used.has(tensor));
    const leaves = new Set(forward.filter((node) => node.op.kind === "activation").flatMap((node) => node.outputs));
    const tiny = new Set(forward.flatMap((node) => node.outputs.slice(1)));
    expect(kept.filter((tensor) => !leaves.has(tensor) && !tiny.has(tensor)).map(({ name }) => name)).toEqual([]);
    expect(backward.filter((kind) => kind === "linear")).toHaveLength(2);
    expect(backward.filter((kind) => kind === "layerNorm")).toHaveLength(2);
  });
});
