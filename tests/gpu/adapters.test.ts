/**
 * Adapted layers against LyCORIS: outputs, input gradients and factor gradients of its own modules under PyTorch's
 * autograd (tests/reference/data/adapters.json), through the shaders and the packing of factors.
 */
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { differentiate } from "../../src/gpu/graph/autodiff.ts";
import { Graph } from "../../src/gpu/graph/graph.ts";
import type { Tensor } from "../../src/gpu/graph/tensor.ts";
import { conv2d } from "../../src/gpu/ops/conv2d.ts";
import { linear } from "../../src/gpu/ops/linear.ts";
import { AdapterSet, fromGpu, toGpu } from "../../src/lora/adapter-set.ts";
import type { LoraTarget } from "../../src/models/names.ts";
import { nchwToNhwc } from "../../src/training/micro-batch.ts";
import { openTestGpu } from "./harness/adapter.ts";
import { expectClose, runOnGpu } from "./harness/check-op.ts";
import { nhwcToNchw, referencePath } from "./harness/reference-data.ts";
import type { Gpu } from "../../src/gpu/device.ts";

interface Values {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

interface Case {
  readonly name: string;
  readonly module: "linear" | "conv1x1" | "conv3x3" | "conv3x3s2";
  readonly args: { readonly lora_dim: number; readonly alpha: number };
  readonly base_weight: Values;
  readonly base_bias: Values;
  readonly x: Values;
  readonly dy: Values;
  readonly y: Values;
  readonly grad_x: Values;
  readonly params: Readonly<Record<string, Values>>;
  readonly grad_params: Readonly<Record<string, Values>>;
}

const { cases } = JSON.parse(await readFile(referencePath("adapters.json"), "utf8")) as { cases: readonly Case[] };
const variants = { direct: { matrixStyle: "direct" }, tiled: { matrixStyle: "tiled" } } as const;

describe.each(Object.entries(variants))("an adapted layer, %s", (_, options) => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await openTestGpu(options);
  });
  afterAll(() => gpu.destroy());

  it.each(cases.map((one) => [one.name, one] as const))("gives LyCORIS' output and gradients: %s", async (_name, one) => {
    const { lora_dim: rank, alpha } = one.args;
    const isConv = one.x.shape.length === 4;
    const [out = 0, width = 0, kernel = 1] = one.base_weight.shape;
    const target: LoraTarget = {
      name: "layer", part: "unet", kind: kernel === 3 ? "conv3x3" : isConv ? "conv1x1" : "linear", kernel: kernel === 3 ? 3 : 1,
      in: width, out, weight: { key: "w", rowStart: 0 }, fileRank: isConv ? 4 : 2,
    };
    const sides = { unet: true, textEncoder: false };
    const adapters = new AdapterSet([target], { rank, alpha, conv: { rank, alpha }, trains: sides });
    const graph = new Graph();
    const given = new Map<Tensor, Float64Array>();
    const source = { parts: [{ key: "w" }], layout: "rows" } as const;
    const give = (tensor: Tensor, data: ArrayLike<number>): Tensor => {
      given.set(tensor, Float64Array.from(data));
      return tensor;
    };
    const x = give(graph.input("x", channelsLast(one.x).shape, { differentiable: true }), channelsLast(one.x).data);
    const bias = give(graph.weight("b", [out], "f32", source), one.base_bias.data);
    const kernelValues = channelsLast(one.base_weight);
    const adapter = adapters.adapterFor(graph, [source.parts[0]], width, out);
    const isWide = kernel === 3;
    const w = give(graph.weight("w", isWide ? kernelValues.shape : [out, width], "f32", source), kernelValues.data);
    const pad = { top: 1, left: 1, bottom: 1, right: 1 };
    const stride = one.module === "conv3x3s2" ? 2 : 1;
    const y = isWide ? conv2d(graph, { x, w, bias, stride, pad, adapter }) : linear(graph, { x, w, bias, adapter });
    const seed = give(graph.input("dy", y.shape), channelsLast(one.dy).data);
    const dx = differentiate(graph, [{ of: y, gradient: seed }]).get(x)!;
    const [module] = adapters.modules;
    const factors = { down: valuesOf(one.params, "lora_down.weight"), up: valuesOf(one.params, "lora_up.weight") };
    const packed = toGpu(module!, factors);
    const [down, up] = graph.params;
    give(down!.value, packed.down);
    give(up!.value, packed.up);
    graph.keep(y);
    graph.keep(dx);

    const result = await runOnGpu(gpu, graph, given, [y, dx, down!.grad, up!.grad]);
    const inOrder = (tensor: Tensor): Float32Array => (isConv ? nhwcToNchw(result.get(tensor)!, tensor.shape) : result.get(tensor)!);
    expectClose(inOrder(y), one.y.data, 1e-5, "y");
    expectClose(inOrder(dx), one.grad_x.data, 1e-5, "dx");
    const owned = (tensor: Tensor): Float32Array<ArrayBuffer> => new Float32Array(result.get(tensor)!);
    const gradients = fromGpu(module!, { down: owned(down!.grad), up: owned(up!.grad) });
    expectClose(gradients.down, one.grad_params["lora_down.weight"]!.data, 1e-5, "down");
    expectClose(gradients.up, one.grad_params["lora_up.weight"]!.data, 1e-5, "up");
    expect(fromGpu(module!, packed), "packing loses nothing").toEqual(factors);
  });
});

/** Maps and kernels with their channels last, everything else as it is. */
function channelsLast({ shape, data }: Values): { shape: readonly number[]; data: ArrayLike<number> } {
  if (shape.length !== 4) return { shape, data };
  const [a = 0, channels = 0, height = 0, width = 0] = shape;
  return { shape: [a, height, width, channels], data: nchwToNhwc(Float32Array.from(data), [a, channels, height, width]) };
}

function valuesOf(values: Readonly<Record<string, Values>>, name: string): Float32Array<ArrayBuffer> {
  return Float32Array.from(values[name]!.data);
}
