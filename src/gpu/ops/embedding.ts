/** Token plus position embedding of a CLIP text encoder. The tables are frozen, so there is no gradient. */
import { invariant } from "../../errors.ts";
import { single } from "../graph/autodiff.ts";
import { dim, type Tensor } from "../graph/tensor.ts";
import { ceilDiv, spread } from "../tier.ts";
import type { Graph } from "../graph/graph.ts";
import type { OpDef } from "../graph/op.ts";
import source from "../kernels/embedding.wgsl?raw";

const kernel = { name: "embedding", source };

const embeddingOp: OpDef<object> = {
  kind: "embedding",
  outputs: ({ ids, table }) => [{ shape: [dim(ids!, 0), dim(ids!, 1), dim(table!, 1)] }],
  lower(ctx) {
    const [ids, table, positions] = [ctx.input("ids"), ctx.input("table"), ctx.input("positions")];
    const channels = dim(table, 1) / 4;
    invariant(Number.isInteger(channels), "embedding width must be a multiple of 4");
    const tokens = dim(ids, 1);
    invariant(tokens <= dim(positions, 0), `${tokens} tokens, only ${dim(positions, 0)} positions`);
    const count = dim(ids, 0) * tokens * channels;
    return [
      {
        kernel,
        defines: {},
        bindings: { ids, table, positions, y: ctx.output() },
        params: { count, channels, tokens, vocabulary: dim(table, 0) },
        grid: spread(ceilDiv(count, 64)),
      },
    ];
  },
  reference({ ids, table, positions }) {
    const width = table!.shape[1]!;
    const tokens = ids!.shape[1]!;
    return [
      Float64Array.from({ length: ids!.data.length * width }, (_, i) => {
        const [row, c] = [Math.floor(i / width), i % width];
        return table!.data[ids!.data[row]! * width + c]! + positions!.data[(row % tokens) * width + c]!;
      }),
    ];
  },
};

/** ids [B,T] i32, table [V,C] f16, positions [P,C] f16 → [B,T,C]. */
export function embedding(graph: Graph, ids: Tensor, table: Tensor, positions: Tensor): Tensor {
  return single(graph.add(embeddingOp, { ids, table, positions }, {}));
}
