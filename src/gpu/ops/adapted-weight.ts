/**
 * A layer's weight with what its adapters add: y = w + scale * delta, f32. Layers stacked along the output axis have a
 * delta each. Under dropout whole rows of a delta are left out, or all of it, as LyCORIS does.
 */
import { invariant } from "../../errors.ts";
import { RandomSequence, streamNumbers } from "../../random/rng.ts";
import { single } from "../graph/autodiff.ts";
import { dim, elementCount, lastDim, type Tensor } from "../graph/tensor.ts";
import { ceilDiv, spread } from "../tier.ts";
import { dropThreshold } from "./adapter-dropout.ts";
import type { Graph } from "../graph/graph.ts";
import type { KernelCall, LowerContext } from "../graph/lower.ts";
import type { OpDef, RefTensor } from "../graph/op.ts";
import numbersSource from "../kernels/dropout-numbers.wgsl?raw";
import shareSource from "../kernels/kept-share.wgsl?raw";
import source from "../kernels/adapted-weight.wgsl?raw";

/** Rates of dropout, and the number of the module that tells its random numbers from others'. */
export interface RowDropout {
  readonly rank: number;
  readonly module: number;
  readonly layer: number;
  /** What is left of the rows is divided by their share. */
  readonly scales?: boolean;
}

export interface DeltaAttrs {
  readonly firstRow: number;
  readonly rows: number;
  readonly scale: number;
  /** The delta is [rows, in, taps] instead of [rows, taps, in]. */
  readonly tapsLast: boolean;
  readonly dropout?: RowDropout | undefined;
}

interface AdaptedWeightAttrs {
  /** Of the inputs `delta0`, `delta1`, … */
  readonly deltas: readonly DeltaAttrs[];
}

interface DeltaGradAttrs extends DeltaAttrs {
  readonly shape: readonly number[];
}

export const adaptedWeightOp: OpDef<AdaptedWeightAttrs> = {
  kind: "adaptedWeight",
  outputs({ w }, { deltas }) {
    invariant(deltas.reduce((sum, { rows }) => sum + rows, 0) === dim(w!, 0), "every row of the weight has a delta");
    return [{ shape: w!.shape, keep: "recompute" }];
  },
  gradient(ctx, { deltas }) {
    const dy = ctx.dy();
    const { draw } = ctx.inputs;
    if (dy === undefined) return;
    deltas.forEach((attrs, i) => {
      const { shape } = ctx.inputs[`delta${i}`]!;
      if (ctx.needs(`delta${i}`)) ctx.contribute(`delta${i}`, single(ctx.graph.add(deltaGradOp, { dy, draw }, { ...attrs, shape })));
    });
  },
  lower(ctx, { deltas }) {
    const w = ctx.input("w");
    const y = ctx.output();
    const draw = ctx.optional("draw");
    return deltas.flatMap((attrs, i) => rowsCalls(ctx, w, attrs, { source: ctx.input(`delta${i}`), w, y }, draw));
  },
  reference({ w, draw, ...inputs }, { deltas }) {
    const y = Float64Array.from(w!.data);
    deltas.forEach((attrs, i) => {
      const delta = inputs[`delta${i}`]!;
      eachElement(w!.shape, attrs, draw, (at, from, factor) => (y[at]! += factor * delta.data[from]!));
    });
    return [y];
  },
};

const deltaGradOp: OpDef<DeltaGradAttrs> = {
  kind: "deltaGrad",
  outputs: (_, { shape }) => [{ shape }],
  lower(ctx, attrs) {
    const dy = ctx.input("dy");
    return rowsCalls(ctx, dy, attrs, { source: dy, d: ctx.output() }, ctx.optional("draw"));
  },
  reference({ dy, draw }, attrs) {
    const d = new Float64Array(elementCount(attrs.shape));
    eachElement(dy!.shape, attrs, draw, (at, from, factor) => (d[from] = factor * dy!.data[at]!));
    return [d];
  },
};

/** @param bindings `source` is the delta, or with `d` the gradient of the weight */
function rowsCalls(
  ctx: LowerContext, weight: Tensor, { firstRow, rows, scale, tapsLast, dropout }: DeltaAttrs, bindings: Readonly<Record<string, Tensor>>,
  draw: Tensor | undefined,
): KernelCall[] {
  const channels4 = lastDim(weight) / 4;
  const taps = elementCount(weight.shape) / dim(weight, 0) / lastDim(weight);
  const drops = draw !== undefined && dropout !== undefined;
  const count = rows * taps * channels4;
  const numbers = { layer: dropout?.layer ?? 0, rankBelow: dropThreshold(dropout?.rank ?? 0) };
  const share = drops && dropout.scales === true && dropout.rank > 0 ? ctx.scratch([1]) : undefined;
  const counting = share && draw && {
    kernel: { name: "kept-share", source: `${numbersSource}\n${shareSource}` },
    defines: { RANK_STREAM: streamNumbers.rankDropout },
    bindings: { draw, share },
    params: { rows, ...numbers },
    grid: spread(1),
  };
  const call: KernelCall = {
    kernel: { name: "adapted-weight", source: drops ? `${numbersSource}\n${source}` : source },
    defines: {
      DROP: drops,
      SHARE: share !== undefined,
      BACK: bindings["d"] !== undefined,
      F16: bindings["w"]?.dtype === "f16",
      TAPS_LAST: tapsLast && taps > 1,
      RANK_STREAM: streamNumbers.rankDropout,
      MODULE_STREAM: streamNumbers.moduleDropout,
    },
    bindings: { ...bindings, ...(drops && { draw }), ...(share && { share }) },
    params: { count, firstRow, taps, channels4, scale, ...numbers, moduleBelow: dropThreshold(dropout?.module ?? 0) },
    grid: spread(ceilDiv(count, 64)),
  };
  return counting === undefined ? [call] : [counting, call];
}

/** Visits the elements of a delta: places in the weight and in the delta, and what the delta is multiplied by. */
function eachElement(
  shape: readonly number[], { firstRow, rows, scale, tapsLast, dropout }: DeltaAttrs, draw: RefTensor | undefined,
  visit: (at: number, from: number, factor: number) => void,
): void {
  const width = elementCount(shape.slice(1));
  const channels = shape.at(-1)!;
  const taps = width / channels;
  const isKept = draw === undefined || dropout === undefined ? () => 1 : keptRows(rows, dropout, draw);
  for (let row = 0; row < rows; row++) {
    const factor = isKept(row) * scale;
    for (let i = 0; i < width; i++) {
      const from = tapsLast ? (i % channels) * taps + Math.floor(i / channels) : i;
      visit((firstRow + row) * width + i, row * width + from, factor);
    }
  }
}

/** Whether dropout leaves a module out in this micro-batch. */
export function isModuleDropped({ module, layer }: RowDropout, { data: [low = 0, high = 0, microBatch = 0] }: RefTensor): boolean {
  const sequence = new RandomSequence(low + high * 2 ** 32, "moduleDropout", microBatch + layer * 2 ** 32);
  return sequence.uint32() < dropThreshold(module);
}

function keptRows(rows: number, dropout: RowDropout, draw: RefTensor): (row: number) => number {
  const [low = 0, high = 0, microBatch = 0] = draw.data;
  const ranks = new RandomSequence(low + high * 2 ** 32, "rankDropout", microBatch + dropout.layer * 2 ** 32);
  const numbers = Array.from({ length: rows }, () => ranks.uint32());
  const isDropped = isModuleDropped(dropout, draw);
  const kept = numbers.map((number) => number >= dropThreshold(dropout.rank));
  const share = dropout.scales === true ? kept.filter(Boolean).length / rows : 1;
  return (row) => (!isDropped && kept[row] === true ? 1 / share : 0);
}

export interface Delta {
  /** [rows, taps, in], or as `tapsLast` says, in any grouping of its dimensions */
  readonly tensor: Tensor;
  readonly rows: number;
  readonly scale: number;
  readonly tapsLast: boolean;
  readonly dropout?: RowDropout | undefined;
}

/**
 * @param w [out, in] or [out, kh, kw, in], f16 or f32; `in` is a multiple of 4
 * @param deltas of the layers stacked along `out`, in order
 * @param draw where dropout's numbers come from
 * @returns f32, in w's shape
 */
export function adaptedWeight(graph: Graph, w: Tensor, deltas: readonly Delta[], draw?: Tensor): Tensor {
  const inputs = Object.fromEntries(deltas.map(({ tensor }, i) => [`delta${i}`, tensor]));
  let firstRow = 0;
  const attrs = deltas.map(({ rows, scale, tapsLast, dropout }): DeltaAttrs => {
    firstRow += rows;
    return { firstRow: firstRow - rows, rows, scale, tapsLast, dropout };
  });
  return single(graph.add(adaptedWeightOp, { w, draw, ...inputs }, { deltas: attrs }));
}
