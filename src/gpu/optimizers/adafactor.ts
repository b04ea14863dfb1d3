/**
 * Adafactor as transformers computes it: of the second moment only means over rows and over columns are kept. A tensor
 * of four dimensions is many small matrices (its kernels), as it is for PyTorch.
 */
import { bindOp, type OpDef, type RefMap } from "../graph/op.ts";
import { spread } from "../tier.ts";
import { scalarsPerGroup, type Optimizer } from "./optimizer.ts";
import { placeOf, tensorTable, type PlacedTensor, type TableRow } from "./trained-tensor.ts";
import type { Tensor } from "../graph/tensor.ts";
import source from "./adafactor.wgsl?raw";
import walk from "./walk.wgsl?raw";

export interface AdafactorSettings {
  /** Added to squared gradients; the least size that a tensor counts as. */
  readonly eps: readonly [number, number];
  readonly clipThreshold: number;
  readonly decayRate: number;
  /** Of a first moment, which few want. */
  readonly beta1: number | null;
  readonly weightDecay: number;
  /** Steps in proportion to each tensor's size. */
  readonly scaleParameter: boolean;
}

/** The rate of an update is its relative step, where there is one. */
export function adafactor(settings: AdafactorSettings): Optimizer {
  const { eps: [eps1, eps2], clipThreshold, decayRate, beta1, weightDecay, scaleParameter } = settings;
  const hasMomentum = beta1 !== null;
  return {
    name: "Adafactor",
    stateCount: hasMomentum ? 1 : 0,
    scalars({ lr, step }) {
      const decay = 1 - step ** decayRate;
      const momentum = beta1 ?? 0;
      return [lr, decay, 1 - decay, eps1, eps2, scaleParameter ? 1 : 0, clipThreshold, weightDecay, momentum, 1 - momentum];
    },
    build({ graph, scalars, report, buffers, keep, constant }) {
      for (const { key, group, param, grad, state, tensors } of buffers) {
        let end = 0;
        const rows = tensors.map((tensor): TableRow => {
          const row = { tensor, state: end };
          end += factorCount(tensor);
          return row;
        });
        if (rows.length === 0) continue;
        const { table } = tensorTable(rows);
        const accumulates: Record<string, Tensor> = { param, grad, factors: keep(`factors/${key}`, end) };
        if (state[0] !== undefined) accumulates["state0"] = state[0];
        const op = bindOp(adafactorOp, { group, rows, hasMomentum });
        graph.addBound(op, { scalars, report, table: constant(`tensors/${key}`, table) }, { accumulates });
      }
    },
  };
}

/** Means over rows and over columns of each matrix in the tensor. */
function factorCount({ count, shape: [, , rows, columns] }: PlacedTensor): number {
  return (count / (rows * columns)) * (rows + columns);
}

interface AdafactorAttrs {
  readonly group: number;
  readonly rows: readonly TableRow[];
  readonly hasMomentum: boolean;
}

const adafactorOp: OpDef<AdafactorAttrs> = {
  kind: "adafactor",
  outputs: () => [],
  lower(ctx, { group, rows, hasMomentum }) {
    const bindings: Record<string, Tensor> = {
      scalars: ctx.input("scalars"),
      report: ctx.input("report"),
      table: ctx.input("table"),
      param: ctx.accumulated("param"),
      grad: ctx.accumulated("grad"),
      factors: ctx.accumulated("factors"),
    };
    if (hasMomentum) bindings["state0"] = ctx.accumulated("state0");
    const params = { rows: rows.length, base: group * scalarsPerGroup };
    const kernel = { name: "adafactor", source: `${source}\n${walk}` };
    return [{ kernel, defines: { MOMENTUM: hasMomentum }, bindings, params, grid: spread(rows.length) }];
  },
  reference(inputs, { group, rows, hasMomentum }) {
    const data = (name: keyof RefMap): Float64Array => Float64Array.from(inputs[name]?.data ?? []);
    const [param, grad, factors, momentum] = [data("param"), data("grad"), data("factors"), data("state0")];
    const report = data("report");
    const scalars = data("scalars").slice(group * scalarsPerGroup);
    if (report[2] !== 0) {
      const g = grad.map((value) => value * (report[1] ?? 1));
      for (const row of rows) updateTensor(row, scalars, { param, g, factors, momentum });
    }
    return [param, grad.fill(0), factors, ...(hasMomentum ? [momentum] : [])];
  },
};

interface Arrays {
  readonly param: Float64Array;
  readonly g: Float64Array;
  readonly factors: Float64Array;
  readonly momentum: Float64Array;
}

function updateTensor({ tensor, state }: TableRow, scalars: Float64Array, { param, g, factors, momentum }: Arrays): void {
  const { count, shape: [, , rows, columns] } = tensor;
  const [rate = 0, decay = 0, fresh = 0, eps1 = 0, eps2 = 0, scaled = 0, clip = 1, weightDecay = 0, b1 = 0, b1Rest = 0] = scalars;
  const size = rows * columns;
  const columnStart = state + (count / size) * rows;
  const places = Array.from({ length: count }, (_, e) => placeOf(tensor, e));
  const rms = (values: readonly number[]): number => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / count);
  const rowOf = (e: number): number => state + Math.floor(e / columns);
  const columnOf = (e: number): number => columnStart + Math.floor(e / size) * columns + (e % columns);
  const alpha = rate * (scaled === 0 ? 1 : Math.max(eps2, rms(places.map((at) => param[at] ?? 0))));
  for (let k = state; k < state + factorCount(tensor); k++) factors[k] = decay * (factors[k] ?? 0);
  places.forEach((at, e) => {
    const q = fresh * ((g[at] ?? 0) ** 2 + eps1);
    factors[rowOf(e)] = (factors[rowOf(e)] ?? 0) + q / columns;
    factors[columnOf(e)] = (factors[columnOf(e)] ?? 0) + q / rows;
  });
  const update = places.map((at, e) => {
    const first = state + Math.floor(e / size) * rows;
    const mean = factors.slice(first, first + rows).reduce((a, b) => a + b, 0) / rows;
    return (g[at] ?? 0) / Math.sqrt(((factors[rowOf(e)] ?? 0) / mean) * (factors[columnOf(e)] ?? 0));
  });
  const shorter = Math.max(1, rms(update) / clip);
  places.forEach((at, e) => {
    let u = ((update[e] ?? 0) / shorter) * alpha;
    if (momentum.length > 0) momentum[at] = u = b1 * (momentum[at] ?? 0) + b1Rest * u;
    param[at] = (param[at] ?? 0) * (1 - weightDecay * alpha) - u;
  });
}
