/** y = a + b, elementwise. */
import { elementCount } from "../graph/tensor.ts";
import { ceilDiv, spread } from "../tier.ts";
import type { OpDef } from "../graph/op.ts";
import source from "../kernels/add.wgsl?raw";

const kernel = { name: "add", source };

export const addOp: OpDef<object> = {
  kind: "add",
  outputs: ({ a, b }) => [{ shape: a!.shape, dtype: a!.dtype === b!.dtype ? a!.dtype : "f32" }],
  gradient(ctx) {
    const dy = ctx.dy()!;
    if (ctx.needs("a")) ctx.contribute("a", dy);
    if (ctx.needs("b")) ctx.contribute("b", dy);
  },
  lower(ctx) {
    const a = ctx.input("a");
    const count = elementCount(a.shape);
    return [
      {
        kernel,
        defines: {},
        bindings: { a, b: ctx.input("b"), y: ctx.output() },
        params: { count: ceilDiv(count, 4) },
        grid: spread(ceilDiv(count, 4 * 256)),
      },
    ];
  },
  reference: ({ a, b }) => [a!.data.map((value, i) => value + b!.data[i]!)],
};
