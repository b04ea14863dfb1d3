/** GEGLU: x [..., 2N] holds value and gate halves; y = value · gelu(gate), [..., N]. Recomputed in the backward. */
import { invariant } from "../../errors.ts";
import { single } from "../graph/autodiff.ts";
import { lastDim, rowCount, type Tensor } from "../graph/tensor.ts";
import { ceilDiv, spread } from "../tier.ts";
import { gelu, geluDerivative } from "./reference-math.ts";
import type { Graph } from "../graph/graph.ts";
import type { OpDef } from "../graph/op.ts";
import functions from "../kernels/activations.wgsl?raw";
import source from "../kernels/geglu.wgsl?raw";

const kernel = { name: "geglu", source: `${functions}\n${source}` };

function size(x: Tensor): { params: Record<string, number>; grid: [number, number, number] } {
  const width = lastDim(x) / 8;
  invariant(Number.isInteger(width), `geglu needs a width that is a multiple of 8, got ${lastDim(x)}`);
  const count = rowCount(x) * width;
  return { params: { count, width }, grid: spread(ceilDiv(count, 256)) };
}

const gegluDx: OpDef<object> = {
  kind: "gegluDx",
  outputs: ({ x }) => [{ shape: x!.shape, dtype: "activation" }],
  lower(ctx) {
    const x = ctx.input("x");
    return [{ kernel, defines: { BACKWARD: true }, bindings: { x, dy: ctx.input("dy"), y: ctx.output() }, ...size(x) }];
  },
  reference({ x, dy }) {
    const width = x!.shape.at(-1)! / 2;
    const dx = new Float64Array(x!.data.length);
    dy!.data.forEach((d, i) => {
      const at = i + Math.floor(i / width) * width;
      const [a, g] = [x!.data[at]!, x!.data[at + width]!];
      dx[at] = d * gelu(g);
      dx[at + width] = d * a * geluDerivative(g);
    });
    return [dx];
  },
};

const gegluOp: OpDef<object> = {
  kind: "geglu",
  outputs: ({ x }) => [{ shape: [...x!.shape.slice(0, -1), lastDim(x!) / 2], dtype: "activation", keep: "recompute" }],
  gradient(ctx) {
    if (!ctx.needs("x")) return;
    const x = ctx.saved(ctx.inputs.x!);
    ctx.contribute("x", single(ctx.graph.add(gegluDx, { x, dy: ctx.dy() }, {})));
  },
  lower(ctx) {
    const x = ctx.input("x");
    return [{ kernel, defines: { BACKWARD: false }, bindings: { x, y: ctx.output() }, ...size(x) }];
  },
  reference({ x }) {
    const width = x!.shape.at(-1)! / 2;
    return [
      Float64Array.from({ length: x!.data.length / 2 }, (_, i) => {
        const at = i + Math.floor(i / width) * width;
        return x!.data[at]! * gelu(x!.data[at + width]!);
      }),
    ];
  },
};

export function geglu(graph: Graph, x: Tensor): Tensor {
  return single(graph.add(gegluOp, { x }, {}));
}
