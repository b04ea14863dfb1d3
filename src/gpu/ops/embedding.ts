/**
 * Token plus position embedding of a CLIP text encoder. The tables are frozen; vectors for words that the vocabulary
 * lacks (textual inversion) may be trained.
 */
import { invariant } from "../../errors.ts";
import { single } from "../graph/autodiff.ts";
import { dim, elementCount, type Tensor } from "../graph/tensor.ts";
import { ceilDiv, spread } from "../tier.ts";
import type { Graph } from "../graph/graph.ts";
import type { OpDef } from "../graph/op.ts";
import gradSource from "../kernels/embedding-grad.wgsl?raw";
import source from "../kernels/embedding.wgsl?raw";

const kernel = { name: "embedding", source };
const gradKernel = { name: "embedding-grad", source: gradSource };

const embeddingOp: OpDef<object> = {
  kind: "embedding",
  outputs: ({ ids, table }) => [{ shape: [dim(ids!, 0), dim(ids!, 1), dim(table!, 1)], dtype: "activation" }],
  gradient(ctx) {
    const { ids, table, vectors } = ctx.inputs;
    const dy = ctx.dy();
    if (dy === undefined || vectors === undefined || !ctx.needs("vectors")) return;
    ctx.accumulateParam(embeddingGradOp, { ids, dy }, { grad: ctx.gradOf("vectors") }, { vocabulary: dim(table!, 0) });
  },
  lower(ctx) {
    const [ids, table, positions] = [ctx.input("ids"), ctx.input("table"), ctx.input("positions")];
    const channels = dim(table, 1) / 4;
    invariant(Number.isInteger(channels), "embedding width must be a multiple of 4");
    const tokens = dim(ids, 1);
    invariant(tokens <= dim(positions, 0), `${tokens} tokens, only ${dim(positions, 0)} positions`);
    const count = dim(ids, 0) * tokens * channels;
    const vectors = ctx.optional("vectors");
    return [
      {
        kernel,
        defines: { VECTORS: vectors !== undefined },
        bindings: { ids, table, positions, ...(vectors && { vectors }), y: ctx.output() },
        params: { count, channels, tokens, vocabulary: dim(table, 0) },
        grid: spread(ceilDiv(count, 64)),
      },
    ];
  },
  reference({ ids, table, positions, vectors }) {
    const [vocabulary = 0, width = 0] = table!.shape;
    const tokens = ids!.shape[1]!;
    return [
      Float64Array.from({ length: ids!.data.length * width }, (_, i) => {
        const [row, c] = [Math.floor(i / width), i % width];
        const id = ids!.data[row]!;
        const own = id < vocabulary ? table!.data[id * width + c]! : vectors!.data[(id - vocabulary) * width + c]!;
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

/**
 * ids [B,T] i32, table [V,C] f16, positions [P,C] f16 → [B,T,C].
 * @param vectors f32 [n,C]: what ids from V on mean
 */
export function embedding(graph: Graph, ids: Tensor, table: Tensor, positions: Tensor, vectors?: Tensor): Tensor {
  return single(graph.add(embeddingOp, { ids, table, positions, vectors }, {}));
}
