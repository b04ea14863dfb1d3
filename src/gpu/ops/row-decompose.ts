/**
 * DoRA: a weight's rows keep their direction and get magnitudes that are trained, y[o] = g[o] * v[o] / (|v[o]| + epsilon).
 * As in LyCORIS the gradient goes through the norm too. Layers stacked along the rows have magnitudes each. Where dropout
 * leaves a module out, its rows stay as they are.
 */
import { invariant } from "../../errors.ts";
import { streamNumbers } from "../../random/rng.ts";
import { single } from "../graph/autodiff.ts";
import { dim, elementCount, type Tensor } from "../graph/tensor.ts";
import { spread } from "../tier.ts";
import { dropThreshold } from "./adapter-dropout.ts";
import { isModuleDropped, type RowDropout } from "./adapted-weight.ts";
import type { Graph } from "../graph/graph.ts";
import type { KernelCall } from "../graph/lower.ts";
import type { OpDef, RefMap } from "../graph/op.ts";
import numbersSource from "../kernels/dropout-numbers.wgsl?raw";
import source from "../kernels/row-decompose.wgsl?raw";

interface PartAttrs {
  readonly rows: number;
  readonly dropout?: RowDropout | undefined;
}

/** Rows that each of the inputs `g0`, `g1`, … has magnitudes of. With dropout there is an input `draw`. */
interface RowAttrs {
  readonly parts: readonly PartAttrs[];
}

const epsilon = 1.1920929e-7;

export const rowDecomposeOp: OpDef<RowAttrs> = {
  kind: "rowDecompose",
  outputs({ v }, { parts }) {
    invariant(parts.reduce((sum, { rows }) => sum + rows, 0) === dim(v!, 0), "every row of the weight has a magnitude");
    return [{ shape: v!.shape, keep: "recompute" }];
  },
  gradient(ctx, attrs) {
    const dy = ctx.dy();
    const v = ctx.inputs["v"];
    if (dy === undefined || v === undefined) return;
    const magnitudes = Object.fromEntries(attrs.parts.map((_, i) => [`g${i}`, ctx.inputs[`g${i}`]!]));
    const grads = Object.fromEntries(attrs.parts.map((_, i) => [`dg${i}`, ctx.gradOf(`g${i}`)]));
    const dv = ctx.accumulateParam(rowDecomposeGradOp, { v: ctx.saved(v), dy, draw: ctx.inputs["draw"], ...magnitudes }, grads, attrs);
    ctx.contribute("v", single(dv));
  },
  lower: (ctx, { parts }) => {
    const v = ctx.input("v");
    const y = ctx.output();
    return rowCalls(v, parts, (i) => ({ v, y, g: ctx.input(`g${i}`) }), ctx.optional("draw"));
  },
  reference: ({ v, ...inputs }, { parts }) => [evaluate(v!.shape, v!.data, inputs, parts, (value, _i, { c }) => c * value)],
};

const rowDecomposeGradOp: OpDef<RowAttrs> = {
  kind: "rowDecomposeGrad",
  outputs: ({ v }) => [{ shape: v!.shape }],
  lower(ctx, { parts }) {
    const [v, dy, dv] = [ctx.input("v"), ctx.input("dy"), ctx.output()];
    return rowCalls(v, parts, (i) => ({ v, dy, dv, g: ctx.input(`g${i}`), dg: ctx.accumulated(`dg${i}`) }), ctx.optional("draw"));
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
    const dv = evaluate(v!.shape, v!.data, inputs, parts, (value, i, { c, n, length, row, isDropped }) => {
      norms[row] = isDropped ? Infinity : n;
      return isDropped ? dy!.data[i]! : c * dy!.data[i]! - ((c * along[row]!) / (n * length)) * value;
    });
    let first = 0;
    const dg = parts.map(({ rows }, i) => {
      first += rows;
      return inputs[`dg${i}`]!.data.map((sum, row) => sum + along[first - rows + row]! / norms[first - rows + row]!);
    });
    return [dv, ...dg];
  },
};

function rowCalls(
  v: Tensor, parts: readonly PartAttrs[], bindingsOf: (part: number) => Record<string, Tensor>, draw: Tensor | undefined,
): KernelCall[] {
  const width = elementCount(v.shape.slice(1));
  let firstRow = 0;
  return parts.map(({ rows, dropout }, i) => {
    firstRow += rows;
    const drops = draw !== undefined && dropout !== undefined;
    const bindings = bindingsOf(i);
    return {
      kernel: { name: "row-decompose", source: drops ? `${numbersSource}\n${source}` : source },
      defines: { BACK: bindings["dv"] !== undefined, DROP: drops, MODULE_STREAM: streamNumbers.moduleDropout },
      bindings: { ...bindings, ...(drops && { draw }) },
      params: { firstRow: firstRow - rows, rows, width, layer: dropout?.layer ?? 0, moduleBelow: dropThreshold(dropout?.module ?? 0) },
      grid: spread(rows),
    };
  });
}

interface RowFacts {
  readonly c: number;
  readonly n: number;
  readonly length: number;
  readonly row: number;
  readonly isDropped: boolean;
}

function evaluate(
  shape: readonly number[], values: Float64Array, inputs: RefMap, parts: readonly PartAttrs[],
  make: (value: number, index: number, row: RowFacts) => number,
): Float64Array {
  const width = elementCount(shape.slice(1));
  const { draw } = inputs;
  const magnitudes = parts.flatMap(({ dropout }, i) => {
    const isDropped = draw !== undefined && dropout !== undefined && isModuleDropped(dropout, draw);
    return Array.from(inputs[`g${i}`]!.data, (g) => ({ g, isDropped }));
  });
  const facts = magnitudes.map(({ g, isDropped }, row): RowFacts => {
    const length = Math.hypot(...values.subarray(row * width, (row + 1) * width));
    return { c: isDropped ? 1 : g / (length + epsilon), n: length + epsilon, length, row, isDropped };
  });
  return values.map((value, i) => make(value, i, facts[Math.floor(i / width)]!));
}

export interface Magnitudes {
  /** Trained, [rows] */
  readonly tensor: Tensor;
  readonly dropout?: RowDropout | undefined;
}

/**
 * @param v [out, …] @param magnitudes of the layers stacked along `out` in order
 * @param draw where dropout's numbers come from
 * @returns in v's shape
 */
export function rowDecompose(graph: Graph, v: Tensor, magnitudes: readonly Magnitudes[], draw?: Tensor): Tensor {
  const inputs = Object.fromEntries(magnitudes.map(({ tensor }, i) => [`g${i}`, tensor]));
  const parts = magnitudes.map(({ tensor, dropout }) => ({ rows: elementCount(tensor.shape), dropout }));
  return single(graph.add(rowDecomposeOp, { v, draw, ...inputs }, { parts }));
}
