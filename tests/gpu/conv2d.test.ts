import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { conv2d, type Conv2dInputs, type Padding } from "../../src/gpu/ops/conv2d.ts";
import { differentiate } from "../../src/gpu/graph/autodiff.ts";
import { elementCount, type Tensor } from "../../src/gpu/graph/tensor.ts";
import { Graph } from "../../src/gpu/graph/graph.ts";
import { interpret } from "./harness/interpret.ts";
import { checkOp } from "./harness/check-op.ts";
import { openTestGpu } from "./harness/adapter.ts";
import type { Gpu } from "../../src/gpu/device.ts";

interface Case {
  /** [B, H, W, Ci] */
  readonly shape: readonly [number, number, number, number];
  readonly out: number;
  readonly dtype?: "f16" | "f32";
  readonly stride?: 1 | 2;
  readonly pad?: Padding;
  readonly bias?: boolean;
  readonly addend?: readonly [number, number];
  readonly rowBias?: { readonly total: number; readonly offset: number; readonly trained?: boolean };
  /** Of an adapter. */
  readonly rank?: number;
  /** Nothing trainable in front of the convolution. */
  readonly frozenInput?: boolean;
}

const same: Padding = { top: 1, left: 1, bottom: 1, right: 1 };
/** What the VAE's downsampling uses. */
const bottomRight: Padding = { top: 0, left: 0, bottom: 1, right: 1 };

function build(g: Graph, { shape, out, dtype = "f16", stride = 1, pad = same, bias, addend, rowBias, rank, frozenInput }: Case): Tensor {
  const source = { parts: [{ key: "w" }], layout: "rows" } as const;
  const inputs: Conv2dInputs = {
    x: g.input("x", shape, { differentiable: frozenInput !== true }),
    w: g.weight("w", [out, 3, 3, shape[3]], dtype, source),
    stride,
    pad,
    ...(bias && { bias: g.weight("bias", [out], "f32", source) }),
    ...(addend && { addend: g.input("addend", [shape[0], ...addend, out], { differentiable: true }) }),
    ...(rowBias && {
      rowBias: g.input("rowBias", [shape[0], rowBias.total], { differentiable: rowBias.trained === true }),
      rowBiasOffset: rowBias.offset,
    }),
    ...(rank !== undefined && {
      adapter: {
        down: g.param("down", [rank, 3, 3, shape[3]], "unet").value,
        up: g.param("up", [out, rank], "unet").value,
        scale: 0.7,
      },
    }),
  };
  return conv2d(g, inputs);
}

const cases: Record<string, Case> = {
  "one pixel": { shape: [1, 1, 1, 4], out: 4 },
  "odd sizes": { shape: [1, 5, 7, 12], out: 20 },
  "odd sizes with everything": {
    shape: [2, 5, 7, 12],
    out: 20,
    bias: true,
    addend: [5, 7],
    rowBias: { total: 32, offset: 8 },
  },
  "f32 weights": { shape: [1, 4, 3, 8], out: 4, dtype: "f32", bias: true },
  "more than one tile": { shape: [2, 9, 8, 20], out: 68 },
  "enough tiles for the large kernel": { shape: [1, 32, 33, 4], out: 512 },
  "stride 2, symmetric padding, even size": { shape: [1, 6, 8, 8], out: 12, stride: 2, bias: true },
  "stride 2, symmetric padding, odd size": { shape: [2, 7, 5, 8], out: 12, stride: 2, addend: [4, 3] },
  "stride 2, padding at the far side": { shape: [2, 8, 6, 8], out: 12, stride: 2, pad: bottomRight, bias: true },
  "stride 2, padding at the far side, odd size": { shape: [1, 9, 7, 4], out: 8, stride: 2, pad: bottomRight },
  "an adapter": { shape: [1, 4, 3, 8], out: 12, bias: true, rank: 4 },
  "an adapter with everything": {
    shape: [2, 5, 7, 12],
    out: 20,
    bias: true,
    addend: [5, 7],
    rowBias: { total: 20, offset: 0, trained: true },
    rank: 8,
  },
  "an adapter, stride 2, odd size": { shape: [2, 7, 5, 8], out: 12, stride: 2, bias: true, rank: 4 },
  "an adapter, stride 2, padding at the far side": { shape: [1, 8, 6, 8], out: 12, stride: 2, pad: bottomRight, rank: 12 },
  "an adapter wider than a tile, enough rows for several chunks": { shape: [1, 19, 16, 36], out: 68, rank: 16 },
  "an adapter behind a frozen input": { shape: [2, 4, 5, 8], out: 8, rank: 4, frozenInput: true },
  "no padding": { shape: [1, 5, 4, 8], out: 4, pad: { top: 0, left: 0, bottom: 0, right: 0 } },
};

const variants = {
  direct: { matrixStyle: "direct" },
  "direct on default features": { matrixStyle: "direct", defaultLimitsOnly: true },
  "tiled on default features": { matrixStyle: "tiled", defaultLimitsOnly: true },
} as const;

for (const [variant, options] of Object.entries(variants)) {
  describe(`conv2d, ${variant}`, () => {
    let gpu: Gpu;
    beforeAll(async () => {
      gpu = await openTestGpu(options);
    });
    afterAll(() => gpu.destroy());

    it.each(Object.entries(cases))("agrees with float64: %s", async (_, options) => {
      await checkOp(gpu, { build: (g) => [build(g, options)], differences: 3 });
    });

    it("adds the gradients of two users of one map", async () => {
      await checkOp(gpu, {
        build: (g) => {
          const x = g.input("x", [1, 4, 5, 8], { differentiable: true });
          const w = g.weight("w", [8, 3, 3, 8], "f16", { parts: [{ key: "w" }], layout: "rows" });
          const y = conv2d(g, { x, w, stride: 1, pad: same, addend: x });
          return [y, conv2d(g, { x, w, stride: 2, pad: same })];
        },
        differences: 3,
      });
    });
  });
}

describe("conv2d", () => {
  it("correlates as PyTorch does, without flipping the kernel", () => {
    // torch.nn.functional.conv2d of arange(9) as a 3x3 image with arange(9) as its kernel, padding 1. The ops want
    // channels in fours: one holds the numbers, three are zero.
    const stride1 = [58, 100, 70, 132, 204, 132, 70, 100, 58];
    const firstChannel = (length: number): Float64Array =>
      Float64Array.from({ length }, (_, i) => (i < 36 && i % 4 === 0 ? i / 4 : 0));
    const result = (stride: 1 | 2): number[] => {
      const graph = new Graph();
      const y = build(graph, { shape: [1, 3, 3, 4], out: 4, stride, dtype: "f32" });
      const given = graph.tensors.filter(({ role }) => role !== "temp");
      const values = interpret(graph, new Map(given.map((t) => [t, firstChannel(elementCount(t.shape))])));
      return [...values.get(y)!].filter((_, i) => i % 4 === 0);
    };
    expect(result(1)).toEqual(stride1);
    expect(result(2)).toEqual([0, 2, 6, 8].map((i) => stride1[i]));
  });

  it("refuses to differentiate per-batch offsets that it shares with others", () => {
    const graph = new Graph();
    const x = graph.input("x", [1, 4, 4, 4]);
    const rowBias = graph.param("offsets", [1, 8], "unet").value;
    const w = graph.weight("w", [4, 3, 3, 4], "f16", { parts: [{ key: "w" }], layout: "rows" });
    const y = conv2d(graph, { x, w, rowBias, stride: 1, pad: same });
    const gradient = graph.input("seed", y.shape);
    expect(() => differentiate(graph, [{ of: y, gradient }])).toThrow("only a rowBias of its own has a gradient");
  });
});
