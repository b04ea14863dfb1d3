/**
 * Puts the chunks of long captions together after the text encoder, as sd-scripts does, and weighs their tokens. Copying is
 * cheap: recomputed.
 */
import { invariant } from "../../errors.ts";
import { single } from "../graph/autodiff.ts";
import { dim, elementCount, type Tensor } from "../graph/tensor.ts";
import { ceilDiv, spread } from "../tier.ts";
import type { Graph } from "../graph/graph.ts";
import type { LowerContext } from "../graph/lower.ts";
import type { OpDef, RefMap, RefTensor } from "../graph/op.ts";
import source from "../kernels/join-chunks.wgsl?raw";

const kernel = { name: "join-chunks", source };

interface Attrs {
  readonly chunks: number;
  /** Tokens of a chunk, its start and end included. */
  readonly length: number;
}

const joinedLength = ({ chunks, length }: Attrs): number => chunks * (length - 2) + 2;

function lower(ctx: LowerContext, x: Tensor, weights: Tensor | undefined, attrs: Attrs, backward: boolean) {
  const y = ctx.output();
  const channels = dim(y, -1);
  invariant(channels % 4 === 0, "joinChunks needs channels in multiples of 4");
  const count = elementCount(y.shape) / 4;
  const bindings = { x, y, ...(weights === undefined ? {} : { weights }) };
  const defines = { BACKWARD: backward, WEIGHTED: weights !== undefined };
  return [{ kernel, defines, bindings, params: { count, channels: channels / 4, ...attrs }, grid: spread(ceilDiv(count, 256)) }];
}

/** Calls back with (element of the chunks, element of the text, weight) for all that is kept. */
function eachKept(hidden: readonly number[], attrs: Attrs, weights: RefTensor | undefined, visit: (from: number, to: number, weight: number) => void): void {
  const [rows = 0, , channels = 0] = hidden;
  const { chunks, length } = attrs;
  for (let row = 0; row < rows; row++) {
    const chunk = row % chunks;
    const start = Math.floor(row / chunks) * joinedLength(attrs) + chunk * (length - 2);
    const first = chunk === 0 ? 0 : 1;
    const end = chunk === chunks - 1 ? length : length - 1;
    for (let at = first; at < end; at++) {
      const weight = weights?.data[start + at] ?? 1;
      for (let c = 0; c < channels; c++) visit((row * length + at) * channels + c, (start + at) * channels + c, weight);
    }
  }
}

const joinChunksDx: OpDef<Attrs> = {
  kind: "joinChunksDx",
  outputs: ({ dy }, { chunks, length }) => [{ shape: [dim(dy!, 0) * chunks, length, dim(dy!, 2)], dtype: "activation" }],
  lower: (ctx, attrs) => lower(ctx, ctx.input("dy"), ctx.optional("weights"), attrs, true),
  reference({ dy, weights }, attrs) {
    const shape = [dy!.shape[0]! * attrs.chunks, attrs.length, dy!.shape[2]!];
    const dx = new Float64Array(elementCount(shape));
    eachKept(shape, attrs, weights, (from, to, weight) => (dx[from] = dy!.data[to]! * weight));
    return [dx];
  },
};

const joinChunksOp: OpDef<Attrs> = {
  kind: "joinChunks",
  outputs: ({ x }, attrs) => [{ shape: [dim(x!, 0) / attrs.chunks, joinedLength(attrs), dim(x!, 2)], dtype: "activation", keep: "recompute" }],
  gradient(ctx, attrs) {
    const { weights } = ctx.inputs;
    const inputs = { dy: ctx.dy(), ...(weights === undefined ? {} : { weights }) };
    if (ctx.needs("x")) ctx.contribute("x", single(ctx.graph.add(joinChunksDx, inputs, attrs)));
  },
  lower: (ctx, attrs) => lower(ctx, ctx.input("x"), ctx.optional("weights"), attrs, false),
  reference({ x, weights }: RefMap, attrs) {
    const y = new Float64Array((x!.shape[0]! / attrs.chunks) * joinedLength(attrs) * x!.shape[2]!);
    eachKept(x!.shape, attrs, weights, (from, to, weight) => (y[to] = x!.data[from]! * weight));
    return [y];
  },
};

/**
 * @param x hidden states [B·chunks, length, C], the chunks of a text behind each other
 * @param weights [B, chunks·(length − 2) + 2]: factor of each token of the joined text; no gradient reaches them
 * @returns [B, chunks·(length − 2) + 2, C]: the first chunk's start, what each chunk holds, the last chunk's end
 */
export function joinChunks(graph: Graph, x: Tensor, chunks: number, weights?: Tensor): Tensor {
  const attrs = { chunks, length: dim(x, 1) };
  invariant(dim(x, 0) % chunks === 0, `${dim(x, 0)} rows are no texts of ${chunks} chunks`);
  if (chunks === 1 && weights === undefined) return x;
  return single(graph.add(joinChunksOp, { x, ...(weights === undefined ? {} : { weights }) }, attrs));
}
