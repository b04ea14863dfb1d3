/** Textual inversion against PyTorch's trajectory (tests/reference/make_word_replays.py), and the op behind it. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { embedding } from "../../src/gpu/ops/embedding.ts";
import { replay } from "../../src/training/replay.ts";
import { openMini, openReference } from "./harness/reference-data.ts";
import { isSlowAdapter, openTestGpu } from "./harness/adapter.ts";
import { checkOp } from "./harness/check-op.ts";
import type { Gpu } from "../../src/gpu/device.ts";

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => gpu.destroy());

interface Expected {
  readonly losses: readonly number[];
  readonly grad_norms: readonly number[];
}

describe("words that are trained", () => {
  it("stand for ids behind the vocabulary, and gather the gradients of all their places", async () => {
    await checkOp(gpu, {
      build: (g) => {
        const source = { parts: [], layout: "rows" as const };
        const ids = g.input("ids", [2, 5], { dtype: "i32" });
        const tables = [g.weight("table", [11, 12], "f16", source), g.weight("positions", [7, 12], "f16", source)] as const;
        return [embedding(g, ids, ...tables, g.param("vectors", [3, 12], "textEncoder").value)];
      },
      values: { ids: [0, 11, 12, 3, 7, 12, 2, 9, 10, 12] },
    });
  });

  it.skipIf(isSlowAdapter).each(["sd1-adamw", "sd2-adamw-accumulate-clip"])("follow PyTorch: %s", async (name) => {
    const trace = await openReference(`replay-words/${name}.safetensors`);
    const expected = JSON.parse(trace.metadata.get("expected") ?? "") as Expected;
    const { losses, gradNorms, words } = await replay(gpu, await openMini(name.startsWith("sd1") ? "sd1" : "sd2"), trace);
    expect(losses).toHaveLength(expected.losses.length);
    losses.forEach((loss, i) => expect(Math.abs(loss / expected.losses[i]! - 1), `loss ${i}`).toBeLessThan(1e-4));
    gradNorms.forEach((norm, i) => expect(Math.abs(norm / expected.grad_norms[i]! - 1), `norm ${i}`).toBeLessThan(1e-4));
    const [start, end] = [await trace.readF32("words"), await trace.readF32("expected.words")];
    const moved = end.map((value, i) => value - start[i]!);
    const ours = words!.vectors.map((value, i) => value - start[i]!);
    expect(cosine(ours, moved)).toBeGreaterThan(0.9999);
    expect(Math.abs(length(ours) / length(moved) - 1)).toBeLessThan(1e-3);
  });
});

const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
const length = (a: Float32Array): number => Math.sqrt(dot(a, a));
const cosine = (a: Float32Array, b: Float32Array): number => dot(a, b) / (length(a) * length(b));
