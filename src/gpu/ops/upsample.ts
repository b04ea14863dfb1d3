/** Nearest-neighbour resize of NHWC maps to any size (the UNet's upsampling, to the size of the skip). */
import { invariant } from "../../errors.ts";
import { single } from "../graph/autodiff.ts";
import { dim, elementCount, type Tensor } from "../graph/tensor.ts";
import { ceilDiv, spread } from "../tier.ts";
import type { Graph } from "../graph/graph.ts";
import type { LowerContext } from "../graph/lower.ts";
import type { OpDef, RefTensor } from "../graph/op.ts";
import source from "../kernels/upsample.wgsl?raw";

const kernel = { name: "upsample", source };

interface Attrs {
  readonly inH: number;
  readonly inW: number;
  readonly outH: number;
  readonly outW: number;
}

const lower = (ctx: LowerContext, x: Tensor, attrs: Attrs, backward: boolean) => {
  const y = ctx.output();
  invariant(dim(x, -1) % 4 === 0, "upsample needs channels in multiples of 4");
  const count = elementCount(y.shape) / 4;
  const params = { count, channels: dim(x, -1) / 4, in_h: attrs.inH, in_w: attrs.inW, out_h: attrs.outH, out_w: attrs.outW };
  return [{ kernel, defines: { BACKWARD: backward }, bindings: { x, y }, params, grid: spread(ceilDiv(count, 256)) }];
};

/** Calls back with (small index, large index) for every element of the large map. */
function eachPair(batch: number, channels: number, a: Attrs, visit: (small: number, large: number) => void): void {
  for (let b = 0; b < batch; b++) {
    for (let r = 0; r < a.outH; r++) {
      for (let k = 0; k < a.outW; k++) {
        const from = (b * a.inH + Math.floor((r * a.inH) / a.outH)) * a.inW + Math.floor((k * a.inW) / a.outW);
        const to = (b * a.outH + r) * a.outW + k;
        for (let c = 0; c < channels; c++) visit(from * channels + c, to * channels + c);
      }
    }
  }
}

const upsampleDx: OpDef<Attrs> = {
  kind: "upsampleDx",
  outputs: ({ dy }, { inH, inW }) => [{ shape: [dim(dy!, 0), inH, inW, dim(dy!, 3)], dtype: "activation" }],
  lower: (ctx, attrs) => lower(ctx, ctx.input("dy"), attrs, true),
  reference({ dy }, attrs) {
    const [batch = 0, , , channels = 0] = dy!.shape;
    const dx = new Float64Array(batch * attrs.inH * attrs.inW * channels);
    eachPair(batch, channels, attrs, (small, large) => (dx[small] = dx[small]! + dy!.data[large]!));
    return [dx];
  },
};

const upsampleOp: OpDef<Attrs> = {
  kind: "upsample",
  outputs: ({ x }, { outH, outW }) => [{ shape: [dim(x!, 0), outH, outW, dim(x!, 3)], dtype: "activation", keep: "recompute" }],
  gradient(ctx, attrs) {
    if (ctx.needs("x")) ctx.contribute("x", single(ctx.graph.add(upsampleDx, { dy: ctx.dy() }, attrs)));
  },
  lower: (ctx, attrs) => lower(ctx, ctx.input("x"), attrs, false),
  reference({ x }: Readonly<Record<string, RefTensor>>, attrs) {
    const [batch = 0, , , channels = 0] = x!.shape;
    const y = new Float64Array(batch * attrs.outH * attrs.outW * channels);
    eachPair(batch, channels, attrs, (small, large) => (y[large] = x!.data[small]!));
    return [y];
  },
};

/** Resizes x [B,H,W,C] to [B,outH,outW,C]; sizes may only grow. */
export function upsampleNearest(graph: Graph, x: Tensor, outH: number, outW: number): Tensor {
  const attrs = { inH: dim(x, 1), inW: dim(x, 2), outH, outW };
  invariant(outH >= attrs.inH && outW >= attrs.inW, "upsampleNearest cannot shrink");
  return single(graph.add(upsampleOp, { x }, attrs));
}
