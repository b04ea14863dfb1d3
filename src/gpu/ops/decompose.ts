/**
 * DoRA: a weight's rows keep their direction and get magnitudes that are trained, y[o] = g[o] * v[o] / (|v[o]| + epsilon);
 * or its input channels do. As in LyCORIS the gradient goes through the norm too. Layers stacked along the rows have
 * magnitudes each. Where dropout leaves a module out, its rows stay as they are.
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
import source from "../kernels/decompose.wgsl?raw";

interface PartAttrs {
  readonly rows: number;
  readonly dropout?: RowDropout | undefined;
}

/** Of the inputs `g0`, `g1`, … With dropout there is an input `draw`. */
interface DecomposeAttrs {
  readonly parts: readonly PartAttrs[];
  /** Magnitudes are of input channels, over the rows and taps of a part. */
  readonly byChannel: boolean;
}

const epsilon = 1.1920929e-7;

const decomposeOp: OpDef<DecomposeAttrs> = {
  kind: "decompose",
  outputs({ v }, { parts }) {
    invariant(parts.reduce((sum, { rows }) => sum + rows, 0) === dim(v!, 0), "every row of the weight belongs to a part");
    return [{ shape: v!.shape, keep: "recompute" }];
  },
  gradient(ctx, attrs) {
    const dy = ctx.dy();
    const v = ctx.inputs["v"];
    if (dy === undefined || v === undefined) return;
    const magnitudes = Object.fromEntries(attrs.parts.map((_, i) => [`g${i}`, ctx.inputs[`g${i}`]!]));
    const grads = Object.fromEntries(attrs.parts.map((_, i) => [`dg${i}`, ctx.gradOf(`g${i}`)]));
    const dv = ctx.accumulateParam(decomposeGradOp, { v: ctx.saved(v), dy, draw: ctx.inputs["draw"], ...magnitudes }, grads, attrs);
    ctx.contribute("v", single(dv));
  },
  lower: (ctx, attrs) => {
    const v = ctx.input("v");
    const y = ctx.output();
    return lineCalls(v, attrs, (i) => ({ v, y, g: ctx.input(`g${i}`) }), ctx.optional("draw"));
  },
  reference({ v, ...inputs }, attrs) {
    const y = new Float64Array(v!.data.length);
    eachLine(v!.shape, v!.data, inputs, attrs, ({ places, c }) => places.forEach((at) => (y[at] = c * v!.data[at]!)));
    return [y];
  },
};

const decomposeGradOp: OpDef<DecomposeAttrs> = {
  kind: "decomposeGrad",
  outputs: ({ v }) => [{ shape: v!.shape }],
  lower(ctx, attrs) {
    const [v, dy, dv] = [ctx.input("v"), ctx.input("dy"), ctx.output()];
    return lineCalls(v, attrs, (i) => ({ v, dy, dv, g: ctx.input(`g${i}`), dg: ctx.accumulated(`dg${i}`) }), ctx.optional("draw"));
  },
  reference({ v, dy, ...inputs }, attrs) {
    const dv = new Float64Array(v!.data.length);
    const dg = attrs.parts.map((_, i) => Float64Array.from(inputs[`dg${i}`]!.data));
    eachLine(v!.shape, v!.data, inputs, attrs, ({ part, line, places, c, length, isDropped }) => {
      const along = places.reduce((sum, at) => sum + v!.data[at]! * dy!.data[at]!, 0);
      const n = length + epsilon;
      const turn = isDropped ? 0 : (c * along) / (n * length);
      for (const at of places) dv[at] = c * dy!.data[at]! - turn * v!.data[at]!;
      if (!isDropped) dg[part]![line]! += along / n;
    });
    return [dv, ...dg];
  },
};

/** Places of a part's lines in the weight. */
function linesOf(shape: readonly number[], firstRow: number, rows: number, byChannel: boolean) {
  const width = elementCount(shape.slice(1));
  const channels = shape.at(-1) ?? 1;
  const first = firstRow * width;
  if (!byChannel) return { first, lines: rows, lineStride: width, count: width, step: 1 };
  return { first, lines: channels, lineStride: 1, count: (rows * width) / channels, step: channels };
}

function lineCalls(
  v: Tensor, { parts, byChannel }: DecomposeAttrs, bindingsOf: (part: number) => Record<string, Tensor>, draw: Tensor | undefined,
): KernelCall[] {
  let firstRow = 0;
  return parts.map(({ rows, dropout }, i) => {
    firstRow += rows;
    const drops = draw !== undefined && dropout !== undefined;
    const bindings = bindingsOf(i);
    const lines = linesOf(v.shape, firstRow - rows, rows, byChannel);
    return {
      kernel: { name: "decompose", source: drops ? `${numbersSource}\n${source}` : source },
      defines: { BACK: bindings["dv"] !== undefined, DROP: drops, MODULE_STREAM: streamNumbers.moduleDropout },
      bindings: { ...bindings, ...(drops && { draw }) },
      params: { ...lines, layer: dropout?.layer ?? 0, moduleBelow: dropThreshold(dropout?.module ?? 0) },
      grid: spread(lines.lines),
    };
  });
}

interface Line {
  readonly part: number;
  readonly line: number;
  /** Of its elements. */
  readonly places: readonly number[];
  /** Norm of the line, and what multiplies its elements. */
  readonly length: number;
  readonly c: number;
  readonly isDropped: boolean;
}

function eachLine(
  shape: readonly number[], values: Float64Array, inputs: RefMap, { parts, byChannel }: DecomposeAttrs, visit: (line: Line) => void,
): void {
  const { draw } = inputs;
  let firstRow = 0;
  parts.forEach(({ rows, dropout }, part) => {
    const { first, lines, lineStride, count, step } = linesOf(shape, firstRow, rows, byChannel);
    firstRow += rows;
    const isDropped = draw !== undefined && dropout !== undefined && isModuleDropped(dropout, draw);
    for (let line = 0; line < lines; line++) {
      const places = Array.from({ length: count }, (_, i) => first + line * lineStride + i * step);
      const length = Math.sqrt(places.reduce((sum, at) => sum + values[at]! ** 2, 0));
      const c = isDropped ? 1 : inputs[`g${part}`]!.data[line]! / (length + epsilon);
      visit({ part, line, places, length, c, isDropped });
    }
  });
}

export interface Magnitudes {
  /** Trained, one for each of the layer's rows or input channels */
  readonly tensor: Tensor;
  /** Rows of the layer. */
  readonly rows: number;
  readonly dropout?: RowDropout | undefined;
}

/**
 * @param v [out, in] or [out, kh, kw, in] @param magnitudes of the layers stacked along `out` in order
 * @param draw where dropout's numbers come from
 * @returns in v's shape
 */
export function decompose(graph: Graph, v: Tensor, magnitudes: readonly Magnitudes[], byChannel: boolean, draw?: Tensor): Tensor {
  const inputs = Object.fromEntries(magnitudes.map(({ tensor }, i) => [`g${i}`, tensor]));
  const parts = magnitudes.map(({ rows, dropout }) => ({ rows, dropout }));
  return single(graph.add(decomposeOp, { v, draw, ...inputs }, { parts, byChannel }));
}
