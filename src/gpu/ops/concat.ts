/** Concatenation of two tensors along channels (the UNet's skip connections). Copying is cheap: recomputed. */
import { invariant } from "../../errors.ts";
import { single } from "../graph/autodiff.ts";
import { lastDim, rowCount, type Tensor } from "../graph/tensor.ts";
import { ceilDiv, spread } from "../tier.ts";
import type { Graph } from "../graph/graph.ts";
import type { OpDef } from "../graph/op.ts";
import source from "../kernels/concat.wgsl?raw";

const kernel = { name: "concat", source };

interface SplitAttrs {
  readonly aWidth: number;
  readonly bWidth: number;
  readonly want: readonly ("a" | "b")[];
}

function size(rows: number, a: number, b: number): { params: Record<string, number>; grid: [number, number, number] } {
  invariant(a % 4 === 0 && b % 4 === 0, `concat needs channels in multiples of 4, got ${a} and ${b}`);
  const count = (rows * (a + b)) / 4;
  return { params: { count, a_width: a / 4, b_width: b / 4 }, grid: spread(ceilDiv(count, 256)) };
}

const split: OpDef<SplitAttrs> = {
  kind: "split",
  outputs({ y }, { aWidth, bWidth, want }) {
    const rows = y!.shape.slice(0, -1);
    return want.map((part) => ({ shape: [...rows, part === "a" ? aWidth : bWidth], dtype: "activation" }));
  },
  lower(ctx, { aWidth, bWidth, want }) {
    const y = ctx.input("y");
    const bindings: Record<string, Tensor> = { y };
    want.forEach((part, i) => (bindings[part] = ctx.output(i)));
    const defines = { SPLIT: true, WANT_A: want.includes("a"), WANT_B: want.includes("b") };
    return [{ kernel, defines, bindings, ...size(rowCount(y), aWidth, bWidth) }];
  },
  reference({ y }, { aWidth, bWidth, want }) {
    const width = aWidth + bWidth;
    const rows = y!.data.length / width;
    return want.map((part) => {
      const [from, n] = part === "a" ? [0, aWidth] : [aWidth, bWidth];
      return Float64Array.from({ length: rows * n }, (_, i) => y!.data[Math.floor(i / n) * width + from + (i % n)]!);
    });
  },
};

const concatOp: OpDef<object> = {
  kind: "concat",
  outputs: ({ a, b }) => [{ shape: [...a!.shape.slice(0, -1), lastDim(a!) + lastDim(b!)], dtype: "activation", keep: "recompute" }],
  gradient(ctx) {
    const { a, b } = ctx.inputs;
    const want = (["a", "b"] as const).filter((part) => ctx.needs(part));
    const attrs = { aWidth: lastDim(a!), bWidth: lastDim(b!), want };
    const parts = ctx.graph.add(split, { y: ctx.dy() }, attrs);
    want.forEach((part, i) => ctx.contribute(part, parts[i]!));
  },
  lower(ctx) {
    const a = ctx.input("a");
    const b = ctx.input("b");
    return [
      { kernel, defines: { SPLIT: false }, bindings: { a, b, y: ctx.output() }, ...size(rowCount(a), lastDim(a), lastDim(b)) },
    ];
  },
  reference({ a, b }) {
    const [na, nb] = [a!.shape.at(-1)!, b!.shape.at(-1)!];
    const width = na + nb;
    const rows = a!.data.length / na;
    return [
      Float64Array.from({ length: rows * width }, (_, i) => {
        const [row, column] = [Math.floor(i / width), i % width];
        return column < na ? a!.data[row * na + column]! : b!.data[row * nb + column - na]!;
      }),
    ];
  },
};

/** y = [a, b] on the last dimension; rows must agree. */
export function concat(graph: Graph, a: Tensor, b: Tensor): Tensor {
  invariant(rowCount(a) === rowCount(b), `concat of ${rowCount(a)} and ${rowCount(b)} rows`);
  return single(graph.add(concatOp, { a, b }, {}));
}
