import { afterAll, beforeAll, describe, it } from "vitest";
import { addOp } from "../../src/gpu/ops/add.ts";
import { checkOp } from "./harness/check-op.ts";
import { openTestGpu } from "./harness/adapter.ts";
import type { Gpu } from "../../src/gpu/device.ts";

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => gpu.destroy());

describe("add", () => {
  it.each([[[3, 5]], [[1, 1]], [[2, 7, 300]]])("adds elementwise, shape %j", async (shape) => {
    await checkOp(gpu, {
      build: (g) => {
        const a = g.input("a", shape, { differentiable: true });
        const b = g.input("b", shape, { differentiable: true });
        const [y] = g.add(addOp, { a, b }, {});
        return [y!];
      },
    });
  });
});
