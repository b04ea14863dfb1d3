/**
 * sd-scripts' `scale_weight_norms`: after an update the factors of a LoRA module whose product has a larger Frobenius norm
 * than the limit are both made smaller alike, so that it has the limit.
 */
import { invariant } from "../../errors.ts";
import { elementCount, type Tensor } from "../graph/tensor.ts";
import { bindOp, type OpDef } from "../graph/op.ts";
import type { ResidentPlan } from "../program/residents.ts";
import type { UpdateContext } from "./optimizer.ts";
import type { TrainedTensor } from "./trained-tensor.ts";
import source from "./max-norm.wgsl?raw";
import summarySource from "./max-norm-summary.wgsl?raw";

/** A LoRA module: what it adds is scale · up · down. */
export interface NormedModule {
  /** [rank, …]: each rank's numbers without gaps, and rank after rank. */
  readonly down: TrainedTensor;
  /** [out, rank, …] */
  readonly up: TrainedTensor;
  readonly scale: number;
}

export interface NormLimit {
  readonly limit: number;
  readonly modules: readonly NormedModule[];
}

/** Resident name of [modules that were scaled, mean norm, largest norm, -] after an update. */
export const normSummary = "update/norms";

/** Numbers per row of the kernel's table. */
const tableWidth = 8;

interface Row {
  readonly down: { readonly buffer: string; readonly at: number };
  readonly up: { readonly buffer: string; readonly at: number };
  readonly rank: number;
  readonly stride: number;
  readonly width: number;
  readonly rows: number;
  readonly scale: number;
  readonly index: number;
}

const maxNorm: OpDef<{ readonly limit: number; readonly count: number; readonly isShared: boolean }> = {
  kind: "maxNorm",
  outputs: () => [],
  lower(ctx, { limit, count, isShared }) {
    const up = isShared ? {} : { up: ctx.accumulated("up") };
    const bindings = { table: ctx.input("table"), report: ctx.input("report"), down: ctx.accumulated("down"), ...up, norms: ctx.accumulated("norms") };
    const kernel = { name: "max-norm", source };
    return [{ kernel, defines: { SHARED: isShared }, bindings, params: { limit }, grid: [count, 1, 1] }];
  },
  reference({ table, report, down, up, norms }, { limit, count }) {
    invariant(table && report && down && norms, "max norm misses an input");
    const [downs, ups] = [Float64Array.from(down.data), Float64Array.from((up ?? down).data)];
    const target = up === undefined ? downs : ups;
    const results = Float64Array.from(norms.data);
    for (let m = 0; m < count; m++) {
      const [downAt = 0, upAt = 0, rank = 0, stride = 0, width = 0, rows = 0, place = 0] = table.data.slice(m * tableWidth);
      const scale = new Float32Array(Uint32Array.of(table.data[m * tableWidth + 7]!).buffer)[0]!;
      let sum = 0;
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < width; j++) {
          let product = 0;
          for (let k = 0; k < rank; k++) product += target[upAt + i * stride + k]! * downs[downAt + k * width + j]!;
          sum += product ** 2;
        }
      }
      const norm = scale * Math.sqrt(sum);
      const clamped = Math.max(norm, limit / 2);
      const ratio = report.data[2] === 0 ? 1 : Math.min(clamped, limit) / clamped;
      results[2 * place] = norm * ratio;
      results[2 * place + 1] = ratio === 1 ? 0 : 1;
      for (let i = downAt; i < downAt + rank * width; i++) downs[i] = downs[i]! * Math.sqrt(ratio);
      for (let i = upAt; i < upAt + rows * stride; i++) target[i] = target[i]! * Math.sqrt(ratio);
    }
    return up === undefined ? [downs, results] : [downs, ups, results];
  },
};

const summarize: OpDef<{ readonly count: number }> = {
  kind: "maxNormSummary",
  outputs: () => [{ shape: [4] }],
  lower(ctx, { count }) {
    const bindings = { norms: ctx.input("norms"), summary: ctx.output() };
    return [{ kernel: { name: "max-norm-summary", source: summarySource }, defines: {}, bindings, params: { count }, grid: [1, 1, 1] }];
  },
  reference({ norms }, { count }) {
    const of = (part: number): number[] => Array.from({ length: count }, (_, i) => norms?.data[2 * i + part] ?? 0);
    const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
    return [Float64Array.of(sum(of(1)), sum(of(0)) / count, Math.max(...of(0)), 0)];
  },
};

/**
 * Adds the limit to an update, behind what the optimizer does.
 * @param plan where the modules' parameters are
 */
export function limitNorms(
  { graph, report, buffers, constant }: Pick<UpdateContext, "graph" | "report" | "buffers" | "constant">,
  plan: ResidentPlan, { limit, modules }: NormLimit,
): void {
  const params = new Map(buffers.map(({ param }) => [param.name, param]));
  const batches = new Map<string, Row[]>();
  modules.forEach((module, index) => {
    const row = rowOf(module, plan, index);
    const key = `${row.down.buffer} ${row.up.buffer}`;
    const batch = batches.get(key) ?? [];
    batches.set(key, [...batch, row]);
  });
  // A pool of its own: the dispatch that writes it reads the report.
  const norms = graph.tensor("output", [2 * modules.length], "f32", `${normSummary}/modules`, normSummary);
  for (const [key, rows] of batches) {
    const [first] = rows;
    invariant(first !== undefined, "a batch has modules");
    const table = constant(`normTable ${key}`, tableOf(rows));
    const tensors: Record<string, Tensor> = { down: bufferOf(params, first.down.buffer) };
    const isShared = first.up.buffer === first.down.buffer;
    if (!isShared) tensors["up"] = bufferOf(params, first.up.buffer);
    graph.addBound(bindOp(maxNorm, { limit, count: rows.length, isShared }), { table, report }, { accumulates: { ...tensors, norms } });
  }
  graph.addBound(bindOp(summarize, { count: modules.length }), { norms }, { outputs: [graph.output(normSummary, [4])] });
}

function bufferOf(params: ReadonlyMap<string, Tensor>, name: string): Tensor {
  const tensor = params.get(name);
  invariant(tensor !== undefined, `${name} is no buffer of the update`);
  return tensor;
}

function rowOf({ down, up, scale }: NormedModule, plan: ResidentPlan, index: number): Row {
  const place = ({ param, offset }: TrainedTensor): Row["down"] => {
    const slot = plan.slots.get(param);
    invariant(slot !== undefined, `${param} has no memory`);
    return { buffer: `${slot.pool}#${slot.chunk}`, at: slot.offset / 4 + offset };
  };
  const [rank = 0] = down.shape;
  return {
    down: place(down), up: place(up), rank, stride: up.strides[0] ?? 0,
    width: elementCount(down.shape) / rank, rows: up.shape[0] ?? 0, scale, index,
  };
}

function tableOf(rows: readonly Row[]): Uint32Array<ArrayBuffer> {
  const table = new Uint32Array(rows.length * tableWidth);
  rows.forEach(({ down, up, rank, stride, width, rows: count, index, scale }, i) => {
    const [bits = 0] = new Uint32Array(Float32Array.of(scale).buffer);
    table.set([down.at, up.at, rank, stride, width, count, index, bits], i * tableWidth);
  });
  return table;
}
