/**
 * DoRA: a weight's rows keep their direction and get magnitudes that are trained, y[o] = g[o] * v[o] / (|v[o]| + epsilon).
 * As in LyCORIS the gradient goes through the norm too. Layers stacked along the rows have magnitudes each.
 */
import { invariant } from "../../errors.ts";
import { single } from "../graph/autodiff.ts";
import { dim, elementCount, type Tensor } from "../graph/tensor.ts";
import { spread } from "../tier.ts";
import type { Graph } from "../graph/graph.ts";
import type { KernelCall } from "../graph/lower.ts";
import type { OpDef, RefMap } from "../graph/op.ts";
import source from "../kernels/row-decompose.wgsl?raw";

/** Rows that each of the inputs `g0`, `g1`, … has magnitudes of. */
interface RowAttrs {
  readonly parts: readonly number[];
}

const epsilon = 1.1920929e-7;

export const rowDecomposeOp: OpDef<RowAttrs> = {
  kind: "rowDecompose",
  outputs({ v }, { parts }) {
    invariant(parts.reduce((a, b) => a + b, 0) === dim(v!, 0), "every row of the weight has a magnitude");
    return [{ shape: v!.shape, keep: "recompute" }];
  },
  gradient(ctx, attrs) {
    const dy = ctx.dy();
    const v = ctx.inputs["v"];
    if (dy === undefined || v === undefined) return;
    const magnitudes = Object.fromEntries(attrs.parts.map((_, i) => [`g${i}`, ctx.inputs[`g${i}`]!]));
    const grads = Object.fromEntries(attrs.parts.map((_, i) => [`dg${i}`, ctx.gradOf(`g${i}`)]));
    const dv = ctx.accumulateParam(rowDecomposeGradOp, { v: ctx.saved(v), dy, ...magnitudes }, grads, attrs);
    ctx.contribute("v", single(dv));
  },
  lower: (ctx, { parts }) => {
    const v = ctx.input("v");
    const y = ctx.output();
    return rowCalls(v, parts, (i) => ({ v, y, g: ctx.input(`g${i}`) }), false);
  },
  reference: ({ v, ...inputs }, { parts }) => [evaluate(v!.shape, v!.data, inputs, parts, (value, _i, { c }) => c * value)],
};

const rowDecomposeGradOp: OpDef<RowAttrs> = {
  kind: "rowDecomposeGrad",
  outputs: ({ v }) => [{ shape: v!.shape }],
  lower(ctx, { parts }) {
    const [v, dy, dv] = [ctx.input("v"), ctx.input("dy"), ctx.output()];
    return rowCalls(v, parts, (i) => ({ v, dy, dv, g: ctx.input(`g${i}`), dg: ctx.accumulated(`dg${i}`) }), true);
  },
  reference({ v, dy, ...inputs }, { parts }) {
    const width = elementCount(v!.shape.slice(1));
    const alongRow = (row: number): number => {
      let sum = 0;
      for (let i = row * width; i < (row + 1) * width; i++) sum += v!.data[i]! * dy!.data[i]!;
      return sum;
    };
    const along = Array.from({ length: v!.shape[0]! }, (_, row) => alongRow(row));
    const norms: number[] = [];
    const dv = evaluate(v!.shape, v!.data, inputs, parts, (value, i, { c, n, length, row }) => {
      norms[row] = n;
      return c * dy!.data[i]! - ((c * along[row]!) / (n * length)) * value;
    });
    let first = 0;
    const dg = parts.map((rows, i) => {
      first += rows;
      return inputs[`dg${i}`]!.data.map((sum, row) => sum + along[first - rows + row]! / norms[first - rows + row]!);
    });
    return [dv, ...dg];
  },
};

function rowCalls(v: Tensor, parts: readonly number[], bindings: (part: number) => Record<string, Tensor>, isBack: boolean): KernelCall[] {
  const width = elementCount(v.shape.slice(1));
  let firstRow = 0;
  return parts.map((rows, i) => {
    firstRow += rows;
    return {
      kernel: { name: "row-decompose", source },
      defines: { BACK: isBack },
      bindings: bindings(i),
      params: { firstRow: firstRow - rows, rows, width },
      grid: spread(rows),
    };
  });
}

interface RowFacts {
  readonly c: number;
  readonly n: number;
  readonly length: number;
  readonly row: number;
}

function evaluate(
  shape: readonly number[], values: Float64Array, inputs: RefMap, parts: readonly number[],
  make: (value: number, index: number, row: RowFacts) => number,
): Float64Array {
  const width = elementCount(shape.slice(1));
  const magnitudes = parts.flatMap((_, i) => [...inputs[`g${i}`]!.data]);
  const facts = magnitudes.map((g, row): RowFacts => {
    const length = Math.hypot(...values.subarray(row * width, (row + 1) * width));
    return { c: g / (length + epsilon), n: length + epsilon, length, row };
  });
  return values.map((value, i) => make(value, i, facts[Math.floor(i / width)]!));
}

/**
 * @param v [out, …] @param magnitudes trained, [rows] each, of the layers stacked along `out` in order
 * @returns in v's shape
 */
export function rowDecompose(graph: Graph, v: Tensor, magnitudes: readonly Tensor[]): Tensor {
  const inputs = Object.fromEntries(magnitudes.map((g, i) => [`g${i}`, g]));
  return single(graph.add(rowDecomposeOp, { v, ...inputs }, { parts: magnitudes.map((g) => elementCount(g.shape)) }));
}
