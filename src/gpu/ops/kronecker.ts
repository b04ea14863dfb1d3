/**
 * The Kronecker product of LoKr: y[(a b), t, (c d)] = w1[a, c] * w2[b, t, d], for convolutions with taps t. w2 may have
 * its taps before or behind d.
 */
import { elementCount, type Tensor } from "../graph/tensor.ts";
import { ceilDiv, spread } from "../tier.ts";
import { single, type GradientContext } from "../graph/autodiff.ts";
import type { Graph } from "../graph/graph.ts";
import type { OpDef } from "../graph/op.ts";
import gradSource from "../kernels/kronecker-grad.wgsl?raw";
import source from "../kernels/kronecker.wgsl?raw";

export interface KroneckerAttrs {
  /** Rows and columns of w1. */
  readonly a: number;
  readonly c: number;
  /** Rows, taps and columns of w2. */
  readonly b: number;
  readonly taps: number;
  readonly d: number;
  /** w2 is [b, d, taps] instead of [b, taps, d]. */
  readonly tapsLast: boolean;
}

interface GradAttrs extends KroneckerAttrs {
  readonly left: boolean;
  /** The result is added to an accumulated tensor `to` instead of being an output. */
  readonly adds: boolean;
}

function sizeParams({ b, c, d, taps, tapsLast }: KroneckerAttrs): Record<string, number> {
  const strides = tapsLast ? { tStride: 1, dStride: taps } : { tStride: d, dStride: 1 };
  return { bs: b, cs: c, ds: d, taps, bStride: taps * d, ...strides };
}

/** Visits every element: places in y, w1 and w2. */
function eachElement({ a, b, c, d, taps, tapsLast }: KroneckerAttrs, visit: (y: number, left: number, right: number) => void): void {
  for (let at = 0; at < a * b * c * d * taps; at++) {
    const column = at % (c * d);
    const tap = Math.floor(at / (c * d)) % taps;
    const row = Math.floor(at / (c * d) / taps);
    const right = tapsLast ? (column % d) * taps + tap : tap * d + (column % d);
    visit(at, Math.floor(row / b) * c + Math.floor(column / d), (row % b) * taps * d + right);
  }
}

const kroneckerOp: OpDef<KroneckerAttrs> = {
  kind: "kronecker",
  outputs: (_, { a, b, c, d, taps }) => [{ shape: [a * b, taps, c * d], keep: "recompute" }],
  gradient(ctx, attrs) {
    const dy = ctx.dy();
    if (dy === undefined) return;
    send(ctx, "w1", dy, "w2", { ...attrs, left: true, adds: false });
    send(ctx, "w2", dy, "w1", { ...attrs, left: false, adds: false });
  },
  lower(ctx, attrs) {
    const y = ctx.output();
    const count = elementCount(y.shape);
    return [
      {
        kernel: { name: "kronecker", source },
        defines: {},
        bindings: { w1: ctx.input("w1"), w2: ctx.input("w2"), y },
        params: { count, ...sizeParams(attrs) },
        grid: spread(ceilDiv(count, 64)),
      },
    ];
  },
  reference({ w1, w2 }, attrs) {
    const y = new Float64Array(attrs.a * attrs.b * attrs.c * attrs.d * attrs.taps);
    eachElement(attrs, (at, left, right) => (y[at] = w1!.data[left]! * w2!.data[right]!));
    return [y];
  },
};

const kroneckerGradOp: OpDef<GradAttrs> = {
  kind: "kroneckerGrad",
  outputs: (_, { a, b, c, d, taps, left, adds }) => (adds ? [] : [{ shape: left ? [a, c] : [b, taps * d] }]),
  lower(ctx, { left, adds, ...attrs }) {
    const { a, b, c, d, taps } = attrs;
    const [count, red] = left ? [a * c, b * taps * d] : [b * taps * d, a * c];
    const isSliced = ctx.tier.matrixStyle === "tiled" && red >= 128 && count <= 16384;
    return [
      {
        kernel: { name: "kronecker-grad", source: gradSource },
        defines: { LEFT: left, SLICED: isSliced, ADD: adds },
        bindings: { dy: ctx.input("dy"), other: ctx.input("other"), d: adds ? ctx.accumulated("to") : ctx.output() },
        params: { count, red, ...sizeParams(attrs) },
        grid: spread(isSliced ? count : ceilDiv(count, 64)),
      },
    ];
  },
  flops: (_, { a, b, c, d, taps }) => 2 * a * b * c * d * taps,
  reference({ dy, other, to }, { left, ...attrs }) {
    const sum = to === undefined ? new Float64Array(left ? attrs.a * attrs.c : attrs.b * attrs.taps * attrs.d) : Float64Array.from(to.data);
    eachElement(attrs, (at, first, second) => {
      const [target, source] = left ? [first, second] : [second, first];
      sum[target] = sum[target]! + dy!.data[at]! * other!.data[source]!;
    });
    return [sum];
  },
};

function send(ctx: GradientContext, input: "w1" | "w2", dy: Tensor, other: "w1" | "w2", attrs: GradAttrs): void {
  const target = ctx.inputs[input];
  if (target === undefined || !ctx.needs(input)) return;
  const inputs = { dy, other: ctx.saved(ctx.inputs[other]!) };
  if (target.role === "param") ctx.accumulateParam(kroneckerGradOp, inputs, { to: ctx.gradOf(input) }, { ...attrs, adds: true });
  else ctx.contribute(input, ctx.graph.view(single(ctx.graph.add(kroneckerGradOp, inputs, attrs)), target.shape));
}

/** @returns [a b, taps, c d] */
export function kronecker(graph: Graph, w1: Tensor, w2: Tensor, attrs: KroneckerAttrs): Tensor {
  return single(graph.add(kroneckerOp, { w1, w2 }, attrs));
}
