/**
 * Token plus position embedding of a CLIP text encoder. Trained may be the tables, or vectors for words that the
 * vocabulary lacks (textual inversion). A token table that is larger than one binding comes in two parts.
 */
import { invariant } from "../../errors.ts";
import { single } from "../graph/autodiff.ts";
import { dim, elementCount, type Tensor } from "../graph/tensor.ts";
import { ceilDiv, spread } from "../tier.ts";
import { addBiasGradient } from "./bias-grad.ts";
import type { Graph } from "../graph/graph.ts";
import type { OpDef } from "../graph/op.ts";
import gradSource from "../kernels/embedding-grad.wgsl?raw";
import source from "../kernels/embedding.wgsl?raw";
import tokenSource from "../kernels/token-grad.wgsl?raw";

const kernel = { name: "embedding", source };
const gradKernel = { name: "embedding-grad", source: gradSource };
const tokenKernel = { name: "token-grad", source: tokenSource };

const vocabularyOf = (table: Tensor, rest: Tensor | undefined): number => dim(table, 0) + (rest === undefined ? 0 : dim(rest, 0));

const embeddingOp: OpDef<object> = {
  kind: "embedding",
  outputs: ({ ids, table }) => [{ shape: [dim(ids!, 0), dim(ids!, 1), dim(table!, 1)], dtype: "activation" }],
  gradient(ctx) {
    const { ids, table, rest, vectors } = ctx.inputs;
    const dy = ctx.dy();
    if (dy === undefined) return;
    if (vectors !== undefined && ctx.needs("vectors")) {
      ctx.accumulateParam(embeddingGradOp, { ids, dy }, { grad: ctx.gradOf("vectors") }, { vocabulary: vocabularyOf(table!, rest) });
    }
    if (ctx.needs("table")) ctx.accumulateParam(tokenGradOp, { ids, dy }, { grad: ctx.gradOf("table") }, { first: 0 });
    if (rest !== undefined && ctx.needs("rest")) {
      ctx.accumulateParam(tokenGradOp, { ids, dy }, { grad: ctx.gradOf("rest") }, { first: dim(table!, 0) });
    }
    addBiasGradient(ctx, "positions", dy, dim(dy, 1) * dim(dy, 2));
  },
  lower(ctx) {
    const [ids, table, positions] = [ctx.input("ids"), ctx.input("table"), ctx.input("positions")];
    const channels = dim(table, 1) / 4;
    invariant(Number.isInteger(channels), "embedding width must be a multiple of 4");
    const tokens = dim(ids, 1);
    invariant(tokens <= dim(positions, 0), `${tokens} tokens, only ${dim(positions, 0)} positions`);
    const count = dim(ids, 0) * tokens * channels;
    const [rest, vectors] = [ctx.optional("rest"), ctx.optional("vectors")];
    const isHalf = table.dtype === "f16";
    invariant(positions.dtype === table.dtype && (rest === undefined || !isHalf), "both tables have one format");
    return [
      {
        kernel,
        defines: { F16: isHalf, REST: rest !== undefined, VECTORS: vectors !== undefined },
        bindings: { ids, table, positions, ...(rest && { rest }), ...(vectors && { vectors }), y: ctx.output() },
        params: { count, channels, tokens, vocabulary: vocabularyOf(table, rest), tableRows: dim(table, 0) },
        grid: spread(ceilDiv(count, 64)),
      },
    ];
  },
  reference({ ids, table: first, rest, positions, vectors }) {
    const width = first!.shape[1]!;
    const table = { data: Float64Array.from([...first!.data, ...(rest?.data ?? [])]) };
    const vocabulary = table.data.length / width;
    const tokens = ids!.shape[1]!;
    return [
      Float64Array.from({ length: ids!.data.length * width }, (_, i) => {
        const [row, c] = [Math.floor(i / width), i % width];
        const id = ids!.data[row]!;
        const own = id < vocabulary ? table.data[id * width + c]! : vectors!.data[(id - vocabulary) * width + c]!;
        return own + positions!.data[(row % tokens) * width + c]!;
      }),
    ];
  },
};

/** grad[v, :] += Σ of dy[b, t, :] where ids[b, t] = vocabulary + v. */
const embeddingGradOp: OpDef<{ readonly vocabulary: number }> = {
  kind: "embeddingGrad",
  outputs: () => [],
  lower(ctx, { vocabulary }) {
    const [ids, dy, grad] = [ctx.input("ids"), ctx.input("dy"), ctx.accumulated("grad")];
    const channels = dim(grad, 1) / 4;
    const count = dim(grad, 0) * channels;
    const params = { count, channels, rows: elementCount(ids.shape), vocabulary };
    return [{ kernel: gradKernel, defines: {}, bindings: { ids, dy, grad }, params, grid: spread(ceilDiv(count, 64)) }];
  },
  reference({ ids, dy, grad }, { vocabulary }) {
    const width = grad!.shape[1]!;
    const sum = Float64Array.from(grad!.data);
    ids!.data.forEach((id, row) => {
      if (id < vocabulary) return;
      for (let c = 0; c < width; c++) sum[(id - vocabulary) * width + c]! += dy!.data[row * width + c]!;
    });
    return [sum];
  },
};

/** grad[id - first, :] += Σ of dy[b, t, :] where ids[b, t] = id, of the ids that the gradient has rows for. */
const tokenGradOp: OpDef<{ readonly first: number }> = {
  kind: "tokenGrad",
  outputs: () => [],
  lower(ctx, { first }) {
    const [ids, dy, grad] = [ctx.input("ids"), ctx.input("dy"), ctx.accumulated("grad")];
    const [channels, rows] = [dim(grad, 1) / 4, elementCount(ids.shape)];
    const params = { channels, rows, first, count: dim(grad, 0) };
    return [{ kernel: tokenKernel, defines: {}, bindings: { ids, dy, grad }, params, grid: spread(ceilDiv(rows * channels, 64)) }];
  },
  reference({ ids, dy, grad }, { first }) {
    const [count = 0, width = 0] = grad!.shape;
    const sum = Float64Array.from(grad!.data);
    ids!.data.forEach((id, row) => {
      if (id < first || id >= first + count) return;
      for (let c = 0; c < width; c++) sum[(id - first) * width + c]! += dy!.data[row * width + c]!;
    });
    return [sum];
  },
};

/**
 * ids [B,T] i32, table [V,C] and positions [P,C], f16 or both f32 → [B,T,C].
 * @param vectors f32 [n,C]: what ids from V on mean
 * @param rest f32: further rows of the table
 */
export function embedding(graph: Graph, ids: Tensor, table: Tensor, positions: Tensor, vectors?: Tensor, rest?: Tensor): Tensor {
  return single(graph.add(embeddingOp, { ids, table, rest, positions, vectors }, {}));
}
