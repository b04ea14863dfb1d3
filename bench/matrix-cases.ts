/** Matrix products, convolutions and adapters at the UNet's shapes (reduced maps). */
import { conv2d } from "../src/gpu/ops/conv2d.ts";
import { conv2dDxOp } from "../src/gpu/ops/conv2d-dx.ts";
import { differentiate } from "../src/gpu/graph/autodiff.ts";
import { bindOp } from "../src/gpu/graph/op.ts";
import { linear } from "../src/gpu/ops/linear.ts";
import { addAdaptedDx } from "../src/gpu/ops/adapted-dx.ts";
import { linearDxOp } from "../src/gpu/ops/linear-dx.ts";
import { loraGradOp } from "../src/gpu/ops/lora-grad.ts";
import type * as tfjs from "@tensorflow/tfjs-core";
import type * as jax from "@jax-js/jax";
import type { BenchCase } from "./case.ts";

const same = { top: 1, left: 1, bottom: 1, right: 1 };

function gemm(m: number, k: number, n: number): BenchCase {
  return {
    name: `gemm_${m}x${n}x${k}`,
    inputs: { x: { shape: [m, k] }, w: { shape: [n, k], role: "weight", layout: "columns" } },
    results: ["rows"],
    work: { flops: 2 * m * n * k },
    ours: (graph, { x, w }) => [linear(graph, { x: x!, w: w! })],
    tfjs: (tf, { x, w }) => [tf.matMul(x!, w!)],
    jax: (jx, { x, w }) => [jx.numpy.matmul(x!, w!)],
  };
}

function linearDxCase(m: number, k: number, n: number): BenchCase {
  return {
    name: `linear_dx_${m}x${n}x${k}`,
    inputs: { dy: { shape: [m, n] }, w: { shape: [n, k], role: "weight" } },
    results: ["rows"],
    work: { flops: 2 * m * n * k },
    ours: (graph, { dy, w }) => {
      const frozen = { addend: undefined, down: undefined, up: undefined };
      return [addAdaptedDx(graph, linearDxOp, { dy: dy!, w: w!, ...frozen }, { dx: true, loraScale: 0, groups: 1 }).dx!];
    },
    tfjs: (tf, { dy, w }) => [tf.matMul(dy!, w!)],
    jax: (jx, { dy, w }) => [jx.numpy.matmul(dy!, w!)],
  };
}

function loraWeightGradient(m: number, k: number, rank: number): BenchCase {
  return {
    name: `lora_wgrad_M${m}_K${k}_R${rank}`,
    inputs: {
      x: { shape: [m, k] },
      dh: { shape: [m, rank] },
      dy: { shape: [m, k] },
      h: { shape: [m, rank] },
      down: { shape: [rank, k], role: "param" },
      up: { shape: [k, rank], role: "param" },
    },
    results: ["rows", "rows"],
    work: { flops: 4 * m * k * rank },
    ours: (graph, { x, dh, dy, h, down, up }) => {
      const grads = { down: graph.gradOf(down!), up: graph.gradOf(up!) };
      const op = bindOp(loraGradOp, { down: true, up: true, groups: 1 });
      graph.addBound(op, { x, dh, dy, h }, { accumulates: grads });
      return [grads.down, grads.up];
    },
    tfjs: (tf, { x, dh, dy, h }) => [tf.matMul(dh!, x!, true), tf.matMul(dy!, h!, true)],
    jax: ({ numpy }, { x, dh, dy, h, down, up }) => {
      down!.dispose();
      up!.dispose();
      return [numpy.matmul(numpy.transpose(dh!), x!), numpy.matmul(numpy.transpose(dy!), h!)];
    },
  };
}

function loraLinear(m: number, k: number, n: number, rank: number): BenchCase {
  const scale = 0.5;
  const adapted = (tf: typeof tfjs, w: tfjs.Tensor) => (x: tfjs.Tensor, down: tfjs.Tensor, up: tfjs.Tensor) =>
    tf.add(tf.matMul(x, w), tf.mul(tf.matMul(tf.matMul(x, down, false, true), up, false, true), scale));
  return {
    name: `lora_linear_fb_${m}x${n}x${k}_r${rank}`,
    inputs: {
      x: { shape: [m, k] },
      w: { shape: [n, k], role: "weight", layout: "columns" },
      down: { shape: [rank, k], role: "param" },
      up: { shape: [n, rank], role: "param" },
      dy: { shape: [m, n] },
    },
    results: ["rows", "rows", "rows", "rows"],
    work: { flops: 2 * m * (2 * n * k + 3 * rank * (n + k)) },
    ours: (graph, { x, w, down, up, dy }) => {
      const y = linear(graph, { x: x!, w: w!, adapter: { down: down!, up: up!, scale } });
      const gradients = differentiate(graph, [{ of: y, gradient: dy! }]);
      return [y, gradients.get(x!)!, graph.gradOf(down!), graph.gradOf(up!)];
    },
    tfjs: (tf, { x, w, down, up, dy }) => {
      const f = adapted(tf, w!);
      let y: tfjs.Tensor | undefined;
      const gradients = tf.grads((...args) => {
        const result = f(args[0]!, args[1]!, args[2]!);
        y = tf.keep(result);
        return result;
      })([x!, down!, up!], dy!);
      return [y!, ...gradients];
    },
    jax: ({ numpy, vjp }, { x, w, down, up, dy }) => {
      const f = (a: jax.Array, d: jax.Array, u: jax.Array): jax.Array =>
        numpy
          .matmul(a.ref, w!)
          .add(numpy.matmul(numpy.matmul(a, numpy.transpose(d)), numpy.transpose(u)).mul(scale));
      const [y, back] = vjp(f, [x!, down!, up!]);
      return [y, ...(back(dy!) as jax.Array[])];
    },
  };
}

function conv(size: number, channels: number, out: number): BenchCase {
  return {
    name: `conv3x3_${size}x${size}_${channels}to${out}`,
    inputs: {
      x: { shape: [1, size, size, channels], layout: "nhwc" },
      w: { shape: [out, 3, 3, channels], role: "weight", layout: "ohwi" },
    },
    results: ["nhwc"],
    work: { flops: 2 * size * size * 9 * channels * out },
    ours: (graph, { x, w }) => [conv2d(graph, { x: x!, w: w!, stride: 1, pad: same })],
    tfjs: (tf, { x, w }) => [tf.conv2d(x as tfjs.Tensor4D, w as tfjs.Tensor4D, 1, "same")],
    jax: ({ lax }, { x, w }) => [lax.convGeneralDilated(x!, w!, [1, 1], "SAME")],
  };
}

function convDx(size: number, channels: number, out: number): BenchCase {
  return {
    name: `conv3x3_dx_${size}x${size}_${channels}to${out}`,
    inputs: {
      dy: { shape: [1, size, size, out], layout: "nhwc" },
      w: { shape: [out, 3, 3, channels], role: "weight", layout: "ohwi" },
    },
    results: ["nhwc"],
    work: { flops: 2 * size * size * 9 * channels * out },
    ours: (graph, { dy, w }) => [
      ...graph.add(conv2dDxOp, { dy, w }, { stride: 1, pad: same, rowBiasOffset: 0, loraScale: 0, height: size, width: size, dx: true }),
    ],
    tfjs: (tf, { dy, w }) => [
      tf.conv2dTranspose(dy as tfjs.Tensor4D, w as tfjs.Tensor4D, [1, size, size, channels], 1, "same"),
    ],
    jax: ({ lax }, { dy, w }) => [lax.convTranspose(dy!, w!, [1, 1], "SAME", { transposeKernel: true })],
  };
}

export const matrixCases: readonly BenchCase[] = [
  gemm(1024, 320, 320),
  gemm(256, 320, 2560),
  gemm(256, 640, 640),
  gemm(64, 1280, 1280),
  gemm(77, 768, 768),
  linearDxCase(256, 320, 2560),
  linearDxCase(256, 640, 640),
  loraWeightGradient(1024, 320, 16),
  loraLinear(1024, 320, 320, 16),
  conv(16, 320, 320),
  conv(8, 640, 640),
  conv(4, 1280, 1280),
  convDx(16, 320, 320),
  convDx(8, 640, 640),
];
