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
import { AdapterSet } from "../../src/lora/adapter-set.ts";
import { fromGpu, toGpu } from "../../src/lora/factors.ts";
import type { LycorisSettings } from "../../src/lora/lycoris-factors.ts";
import type { LoraTarget } from "../../src/models/names.ts";
import { nchwToNhwc } from "../../src/training/micro-batch.ts";
import { isSlowAdapter, openTestGpu } from "./harness/adapter.ts";
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
  readonly algo: "locon" | "loha" | "kron";
  readonly args: { readonly lora_dim: number; readonly alpha: number; readonly factor?: number } & Partial<
    Record<"use_tucker" | "use_scalar" | "rs_lora" | "weight_decompose" | "wd_on_out" | "decompose_both" | "full_matrix" | "unbalanced_factorization", boolean>
  >;
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

  // SwiftShader takes a minute to compile what rebuilt weights need; their ops run there in factors.test.ts.
  it.each(cases.filter((one) => !isSlowAdapter || isPlain(one)).map((one) => [one.name, one] as const))("gives LyCORIS' output and gradients: %s", async (_name, one) => {
    const { lora_dim: rank, alpha } = one.args;
    const isConv = one.x.shape.length === 4;
    const [out = 0, width = 0, kernel = 1] = one.base_weight.shape;
    const target: LoraTarget = {
      name: "layer", part: "unet", kind: kernel === 3 ? "conv3x3" : isConv ? "conv1x1" : "linear", kernel: kernel === 3 ? 3 : 1,
      in: width, out, weight: { key: "w", rowStart: 0 }, fileRank: isConv ? 4 : 2,
    };
    const sides = { unet: true, textEncoder: false };
    const lycoris = isPlain(one) ? {} : { lycoris: lycorisOf(one) };
    const adapters = new AdapterSet([target], { rank, alpha, conv: { rank, alpha }, trains: sides, ...lycoris });
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
    const isWide = kernel === 3;
    const frozen = give(graph.weight("w", isWide ? kernelValues.shape : [out, width], "f32", source), kernelValues.data);
    const w = adapters.weightFor(graph, frozen, source.parts);
    const adapter = adapters.adapterFor(graph, source.parts, width, out);
    const pad = { top: 1, left: 1, bottom: 1, right: 1 };
    const stride = one.module === "conv3x3s2" ? 2 : 1;
    const y = isWide ? conv2d(graph, { x, w, bias, stride, pad, adapter }) : linear(graph, { x, w, bias, adapter });
    const seed = give(graph.input("dy", y.shape), channelsLast(one.dy).data);
    const dx = differentiate(graph, [{ of: y, gradient: seed }]).get(x)!;
    const [module] = adapters.modules;
    const params = new Map(graph.params.map((param) => [param.value.name, param]));
    expect(module!.factors.map(({ key }) => key).toSorted()).toEqual(Object.keys(one.params).toSorted());
    for (const factor of module!.factors) {
      const values = valuesOf(one.params, factor.key);
      const packed = toGpu(factor, values);
      expect(fromGpu(factor, packed), "packing loses nothing").toEqual(values);
      give(params.get(factor.param)!.value, packed);
    }
    graph.keep(y);
    graph.keep(dx);

    const result = await runOnGpu(gpu, graph, given, [y, dx, ...graph.params.map(({ grad }) => grad)]);
    const inOrder = (tensor: Tensor): Float32Array => (isConv ? nhwcToNchw(result.get(tensor)!, tensor.shape) : result.get(tensor)!);
    expectClose(inOrder(y), one.y.data, 1e-5, "y");
    expectClose(inOrder(dx), one.grad_x.data, 1e-5, "dx");
    for (const factor of module!.factors) {
      const gradient = fromGpu(factor, result.get(params.get(factor.param)!.grad)!);
      expectClose(gradient, one.grad_params[factor.key]!.data, 1e-5, factor.key);
    }
  });
});

/** What runs factored, as sd-scripts' LoRA. */
function isPlain({ algo, args, module }: Case): boolean {
  return algo === "locon" && !(args.use_scalar || args.weight_decompose || args.rs_lora || (args.use_tucker && module !== "linear"));
}

function lycorisOf({ algo, args }: Case): LycorisSettings {
  return {
    algorithm: algo === "kron" ? "lokr" : algo,
    tucker: args.use_tucker ?? false,
    scalar: args.use_scalar ?? false,
    rankStabilized: args.rs_lora ?? false,
    decompose: args.weight_decompose === true ? (args.wd_on_out === false ? "in" : "out") : undefined,
    scalesDropout: false,
    factor: args.factor ?? -1,
    decomposeBoth: args.decompose_both ?? false,
    fullMatrix: args.full_matrix ?? false,
    unbalanced: args.unbalanced_factorization ?? false,
  };
}

/** Maps and kernels with their channels last, everything else as it is. */
function channelsLast({ shape, data }: Values): { shape: readonly number[]; data: ArrayLike<number> } {
  if (shape.length !== 4) return { shape, data };
  const [a = 0, channels = 0, height = 0, width = 0] = shape;
  return { shape: [a, height, width, channels], data: nchwToNhwc(Float32Array.from(data), [a, channels, height, width]) };
}

function valuesOf(values: Readonly<Record<string, Values>>, name: string): Float32Array<ArrayBuffer> {
  return Float32Array.from(values[name]!.data);
}
