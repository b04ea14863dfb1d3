import { expect, it } from "vitest";
import { differentiate } from "../../src/gpu/graph/autodiff.ts";
import { Graph } from "../../src/gpu/graph/graph.ts";
import { elementCount, type Tensor } from "../../src/gpu/graph/tensor.ts";
import { selfAttention } from "../../src/gpu/ops/attention.ts";
import { expectClose, random, runOnGpu } from "./harness/check-op.ts";
import { openTestGpu } from "./harness/adapter.ts";

const length = 4096;
const heads = 8;
const size = 40;
const width = heads * size;
const scale = size ** -0.5;

/** Softmax row of one query in float64, from plain loops over the stacked tensor. */
function weightsOf(qkv: Float64Array, head: number, query: number): Float64Array {
  const scores = new Float64Array(length);
  for (let t = 0; t < length; t++) {
    let sum = 0;
    for (let d = 0; d < size; d++) sum += qkv[query * 3 * width + head * size + d]! * qkv[t * 3 * width + width + head * size + d]!;
    scores[t] = sum * scale;
  }
  const max = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  let total = 0;
  for (let t = 0; t < length; t++) total += scores[t] = Math.exp(scores[t]! - max);
  return scores.map((value) => value / total);
}

it("attends over 4096 positions with 8 heads of 40 on default limits, forward and backward", { timeout: 1_200_000 }, async ({ skip }) => {
  const gpu = await openTestGpu({ defaultLimitsOnly: true });
  skip(/swiftshader/i.test(gpu.info.description + gpu.info.architecture), "SwiftShader takes ten minutes for this");
  const graph = new Graph();
  const input = graph.input("qkv", [1, length, 3 * width], { differentiable: true });
  const output = selfAttention(graph, input, { heads });
  const seed = graph.input("dy", output.shape);
  const gradient = differentiate(graph, [{ of: output, gradient: seed }]).get(input)!;
  graph.keep(output);
  graph.keep(gradient);
  const next = random(11);
  const fill = (tensor: Tensor, amount: number): Float64Array =>
    Float64Array.from({ length: elementCount(tensor.shape) }, () => Math.fround((next() * 2 - 1) * amount));
  const qkv = fill(input, 2);
  const dy = fill(seed, 1);
  let result: Map<Tensor, Float32Array>;
  try {
    result = await runOnGpu(gpu, graph, new Map([[input, qkv], [seed, dy]]), [output, gradient]);
  } finally {
    gpu.destroy();
  }
  const o = result.get(output)!;
  const dx = result.get(gradient)!;
  const cut = (data: ArrayLike<number>, at: number): number[] => Array.from({ length: size }, (_, d) => data[at + d]!);

  // Every query of one head passes by for the keys' gradients; some of them are looked at themselves.
  const head = 5;
  const keys = [0, 31, 2047, 4095];
  const queries = new Set([0, 1, 63, 64, 1000, 4094, 4095]);
  const column = head * size;
  const wanted = { o: [] as number[], dq: [] as number[] };
  const got = { o: [] as number[], dq: [] as number[] };
  const dk = keys.map(() => new Float64Array(size));
  const dv = keys.map(() => new Float64Array(size));
  for (let s = 0; s < length; s++) {
    const weights = weightsOf(qkv, head, s);
    const dyRow = cut(dy, s * width + column);
    const dp = weights.map((_, t) => {
      let sum = 0;
      for (let d = 0; d < size; d++) sum += dyRow[d]! * qkv[t * 3 * width + 2 * width + column + d]!;
      return sum;
    });
    const delta = weights.reduce((sum, w, t) => sum + w * dp[t]!, 0);
    const ds = weights.map((w, t) => w * (dp[t]! - delta) * scale);
    keys.forEach((t, i) => {
      for (let d = 0; d < size; d++) {
        dk[i]![d]! += ds[t]! * qkv[s * 3 * width + column + d]!;
        dv[i]![d]! += weights[t]! * dyRow[d]!;
      }
    });
    if (!queries.has(s)) continue;
    for (let d = 0; d < size; d++) {
      wanted.o.push(weights.reduce((sum, w, t) => sum + w * qkv[t * 3 * width + 2 * width + column + d]!, 0));
      wanted.dq.push(ds.reduce((sum, w, t) => sum + w * qkv[t * 3 * width + width + column + d]!, 0));
    }
    got.o.push(...cut(o, s * width + column));
    got.dq.push(...cut(dx, s * 3 * width + column));
  }
  expectClose(got.o, wanted.o, 1e-5, "o");
  expectClose(got.dq, wanted.dq, 1e-5, "dq");
  expectClose(keys.flatMap((t) => cut(dx, t * 3 * width + width + column)), dk.flatMap((row) => [...row]), 1e-5, "dk");
  expectClose(keys.flatMap((t) => cut(dx, t * 3 * width + 2 * width + column)), dv.flatMap((row) => [...row]), 1e-5, "dv");
  expect(o.every(Number.isFinite) && dx.every(Number.isFinite)).toBe(true);
});
