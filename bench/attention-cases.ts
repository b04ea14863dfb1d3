/** Attention at reduced sequence lengths. The peers store the score matrix and get their inputs already split by head. */
import { differentiate } from "../src/gpu/graph/autodiff.ts";
import { crossAttention } from "../src/gpu/ops/attention.ts";
import type * as tfjs from "@tensorflow/tfjs-core";
import type * as jax from "@jax-js/jax";
import type { BenchCase, BenchInput, Named } from "./case.ts";

interface Shape {
  readonly queries: number;
  readonly keys: number;
  readonly heads: number;
  readonly headDim: number;
}

function attentionInputs({ queries, keys, heads, headDim }: Shape): Named<BenchInput> {
  const width = heads * headDim;
  return {
    q: { shape: [1, queries, width], layout: "heads", heads },
    k: { shape: [1, keys, width], layout: "heads", heads },
    v: { shape: [1, keys, width], layout: "heads", heads },
    kv: { shape: [1, keys, 2 * width], concat: ["k", "v"] },
  };
}

const name = ({ queries, keys, heads, headDim }: Shape): string => `S${queries}_T${keys}_H${heads}_D${headDim}`;
const products = ({ queries, keys, heads, headDim }: Shape): number => 2 * queries * keys * heads * headDim;

const tfjsAttention =
  (tf: typeof tfjs, headDim: number) =>
  (q: tfjs.Tensor, k: tfjs.Tensor, v: tfjs.Tensor): tfjs.Tensor =>
    tf.matMul(tf.softmax(tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(headDim))), v);

const jaxAttention =
  ({ numpy, nn }: typeof jax, headDim: number) =>
  (q: jax.Array, k: jax.Array, v: jax.Array): jax.Array => {
    const scores = numpy.matmul(q, numpy.transpose(k, [0, 2, 1])).mul(1 / Math.sqrt(headDim));
    return numpy.matmul(nn.softmax(scores, -1), v);
  };

function forward(shape: Shape): BenchCase {
  const { heads, headDim } = shape;
  return {
    name: `attn_${name(shape)}`,
    inputs: attentionInputs(shape),
    results: ["heads"],
    work: { flops: 2 * products(shape) },
    ours: (graph, { q, kv }) => [crossAttention(graph, q!, kv!, { heads })],
    tfjs: (tf, { q, k, v }) => [tfjsAttention(tf, headDim)(q!, k!, v!)],
    jax: (jx, { q, k, v, kv }) => {
      kv!.dispose();
      return [jaxAttention(jx, headDim)(q!, k!, v!)];
    },
  };
}

function forwardBackward(shape: Shape): BenchCase {
  const { queries, keys, heads, headDim } = shape;
  const width = heads * headDim;
  return {
    name: `attn_fb_${name(shape)}`,
    inputs: { ...attentionInputs(shape), dy: { shape: [1, queries, width], layout: "heads", heads } },
    results: ["heads", "heads", "heads", "heads"],
    // The textbook count: 2 products forward, 5 back.
    work: { flops: 7 * products(shape) },
    ours: (graph, { q, kv, dy }) => {
      const y = crossAttention(graph, q!, kv!, { heads });
      const gradients = differentiate(graph, [{ of: y, gradient: dy! }]);
      return [y, gradients.get(q!)!, gradients.get(kv!)!];
    },
    split: ([y, dq, dkv]) => {
      const half = (from: number): Float32Array =>
        Float32Array.from({ length: keys * width }, (_, i) => dkv?.[Math.floor(i / width) * 2 * width + from + (i % width)] ?? NaN);
      return [y!, dq!, half(0), half(width)];
    },
    tfjs: (tf, { q, k, v, dy }) => {
      const f = tfjsAttention(tf, headDim);
      let y: tfjs.Tensor | undefined;
      const gradients = tf.grads((...args) => (y = tf.keep(f(args[0]!, args[1]!, args[2]!))))([q!, k!, v!], dy!);
      return [y!, ...gradients];
    },
    jax: (jx, { q, k, v, kv, dy }) => {
      kv!.dispose();
      const [y, back] = jx.vjp(jaxAttention(jx, headDim), [q!, k!, v!]);
      return [y, ...(back(dy!) as jax.Array[])];
    },
  };
}

const self40: Shape = { queries: 256, keys: 256, heads: 8, headDim: 40 };
const self80: Shape = { queries: 256, keys: 256, heads: 8, headDim: 80 };
const cross40: Shape = { queries: 256, keys: 77, heads: 8, headDim: 40 };

export const attentionCases: readonly BenchCase[] = [
  forward(self40),
  forward(self80),
  forward(cross40),
  forwardBackward(self40),
  forwardBackward(cross40),
];
