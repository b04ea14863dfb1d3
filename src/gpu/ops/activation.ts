/** Pointwise activations: silu, gelu (erf form), quickGelu. Cheap, so the backward recomputes them. */
import { single } from "../graph/autodiff.ts";
import { elementCount, type Tensor } from "../graph/tensor.ts";
import { ceilDiv, spread } from "../tier.ts";
import { gelu, geluDerivative, quickGelu, quickGeluDerivative, silu, siluDerivative } from "./reference-math.ts";
import type { Graph } from "../graph/graph.ts";
import type { LowerContext } from "../graph/lower.ts";
import type { OpDef } from "../graph/op.ts";
import functions from "../kernels/activations.wgsl?raw";
import source from "../kernels/activation.wgsl?raw";

export type ActivationName = "silu" | "gelu" | "quick_gelu";
interface Attrs {
  readonly fn: ActivationName;
}

const kernel = { name: "activation", source: `${functions}\n${source}` };
const forward = { silu, gelu, quick_gelu: quickGelu };
const derivative = { silu: siluDerivative, gelu: geluDerivative, quick_gelu: quickGeluDerivative };

const lower = (ctx: LowerContext, fn: ActivationName, bindings: Record<string, Tensor>, backward: boolean) => {
  const count = ceilDiv(elementCount(ctx.output().shape), 4);
  const defines = {
    SILU: fn === "silu",
    GELU: fn === "gelu",
    QUICK_GELU: fn === "quick_gelu",
    BACKWARD: backward,
    ADDEND: bindings.addend !== undefined,
  };
  return [
    { kernel, defines, bindings: { ...bindings, y: ctx.output() }, params: { count }, grid: spread(ceilDiv(count, 256)) },
  ];
};

const activationDx: OpDef<Attrs> = {
  kind: "activationDx",
  outputs: ({ x }) => [{ shape: x!.shape, dtype: "activation" }],
  lower(ctx, { fn }) {
    const addend = ctx.optional("addend");
    return lower(ctx, fn, { x: ctx.input("x"), dy: ctx.input("dy"), ...(addend && { addend }) }, true);
  },
  reference: ({ x, dy, addend }, { fn }) => [
    x!.data.map((value, i) => dy!.data[i]! * derivative[fn](value) + (addend?.data[i] ?? 0)),
  ],
};

const activationOp: OpDef<Attrs> = {
  kind: "activation",
  outputs: ({ x }) => [{ shape: x!.shape, dtype: "activation", keep: "recompute" }],
  gradient(ctx, attrs) {
    if (!ctx.needs("x")) return;
    const x = ctx.saved(ctx.inputs.x!);
    ctx.accumulate("x", (addend) => single(ctx.graph.add(activationDx, { x, dy: ctx.dy(), addend }, attrs)));
  },
  lower: (ctx, { fn }) => lower(ctx, fn, { x: ctx.input("x") }, false),
  reference: ({ x }, { fn }) => [x!.data.map(forward[fn])],
};

/** y = fn(x), elementwise. */
export function activation(graph: Graph, x: Tensor, fn: ActivationName): Tensor {
  return single(graph.add(activationOp, { x }, { fn }));
}
