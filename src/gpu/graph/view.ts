/** A view: the same values under another shape. No kernel; memory planning looks through it. */
import type { OpDef } from "./op.ts";

export const viewOp: OpDef<{ readonly shape: readonly number[] }> = {
  kind: "view",
  outputs: (_, { shape }) => [{ shape, keep: "recompute" }],
  gradient(ctx) {
    const x = ctx.inputs["x"];
    const dy = ctx.dy();
    if (x !== undefined && dy !== undefined && ctx.needs("x")) ctx.contribute("x", ctx.graph.view(dy, x.shape));
  },
  lower: () => [],
  reference: ({ x }) => (x === undefined ? [] : [x.data]),
};
