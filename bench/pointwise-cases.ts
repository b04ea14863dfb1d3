/** Norms, GEGLU and the optimizer. `_dx` cases go from (x, dy) to dx, so everybody computes the statistics too. */
import { adamW, adamWDefaults } from "../src/gpu/optimizers/adamw.ts";
import { scalarsPerGroup } from "../src/gpu/optimizers/optimizer.ts";
import { addUpdate } from "../src/gpu/optimizers/update-graph.ts";
import { differentiate } from "../src/gpu/graph/autodiff.ts";
import { geglu } from "../src/gpu/ops/geglu.ts";
import { groupNorm } from "../src/gpu/ops/group-norm.ts";
import { layerNorm } from "../src/gpu/ops/layer-norm.ts";
import type * as tfjs from "@tensorflow/tfjs-core";
import type * as jax from "@jax-js/jax";
import type { Graph } from "../src/gpu/graph/graph.ts";
import type { Tensor } from "../src/gpu/graph/tensor.ts";
import type { BenchCase, BenchInput, Layout, Named } from "./case.ts";

const eps = 1e-5;

/** One function of x (and constants), as a forward case and as a gradient case. */
interface Pointwise {
  readonly name: string;
  readonly x: BenchInput;
  readonly y: BenchInput;
  readonly constants: Named<BenchInput>;
  ours(graph: Graph, x: Tensor, constants: Named<Tensor>): Tensor;
  tfjs(tf: typeof tfjs, x: tfjs.Tensor, constants: Named<tfjs.Tensor>): tfjs.Tensor;
  jax(jx: typeof jax, x: jax.Array, constants: Named<jax.Array>): jax.Array;
}

const bytes = ({ shape }: BenchInput): number => 4 * shape.reduce((a, b) => a * b, 1);
const layoutOf = ({ layout = "rows" }: BenchInput): Layout => layout;

function bothWays(size: string, f: Pointwise): BenchCase[] {
  const tolerance = 5e-5;
  return [
    {
      name: `${f.name}_${size}`,
      inputs: { x: f.x, ...f.constants },
      results: [layoutOf(f.y)],
      work: { bytes: bytes(f.x) + bytes(f.y) },
      tolerance,
      ours: (graph, { x, ...constants }) => [f.ours(graph, x!, constants)],
      tfjs: (tf, { x, ...constants }) => [f.tfjs(tf, x!, constants)],
      jax: (jx, { x, ...constants }) => [f.jax(jx, x!, constants)],
    },
    {
      name: `${f.name}_dx_${size}`,
      inputs: { x: f.x, dy: f.y, ...f.constants },
      results: [layoutOf(f.x)],
      work: { bytes: 2 * bytes(f.x) + bytes(f.y) },
      tolerance,
      ours: (graph, { x, dy, ...constants }) => {
        const y = f.ours(graph, x!, constants);
        return [differentiate(graph, [{ of: y, gradient: dy! }]).get(x!)!];
      },
      tfjs: (tf, { x, dy, ...constants }) => [tf.grad((value) => f.tfjs(tf, value, constants))(x!, dy!)],
      jax: (jx, { x, dy, ...constants }) => {
        const [y, back] = jx.vjp((value: jax.Array) => f.jax(jx, value, constants), [x!]);
        y.dispose();
        return back(dy!) as jax.Array[];
      },
    },
  ];
}

function groupNormSilu(size: number, channels: number, groups: number): BenchCase[] {
  const x: BenchInput = { shape: [1, size, size, channels], layout: "nhwc" };
  const perGroup = channels / groups;
  return bothWays(`${size}x${size}x${channels}`, {
    name: "groupnorm_silu",
    x,
    y: x,
    constants: { gamma: { shape: [channels], role: "input" }, beta: { shape: [channels], role: "input" } },
    ours: (graph, value, { gamma, beta }) =>
      groupNorm(graph, { x: value, gamma: frozen(graph, gamma!), beta: frozen(graph, beta!), groups, eps, silu: true }),
    tfjs: (tf, value, { gamma, beta }) => {
      const grouped = tf.reshape(value, [size * size, groups, perGroup]);
      const mean = tf.mean(grouped, [0, 2], true);
      const centred = tf.sub(grouped, mean);
      const variance = tf.mean(tf.square(centred), [0, 2], true);
      const normalized = tf.reshape(tf.mul(centred, tf.rsqrt(tf.add(variance, eps))), [1, size, size, channels]);
      const z = tf.add(tf.mul(normalized, gamma!), beta!);
      return tf.mul(z, tf.sigmoid(z));
    },
    jax: ({ numpy, nn }, value, { gamma, beta }) => {
      const grouped = value.reshape([groups, perGroup * size * size]);
      const centred = grouped.ref.sub(numpy.mean(grouped, 1, { keepdims: true }));
      const variance = numpy.mean(numpy.square(centred.ref), 1, { keepdims: true });
      const normalized = centred.div(numpy.sqrt(variance.add(eps))).reshape([1, channels, size, size]);
      return nn.silu(normalized.mul(gamma!.reshape([1, channels, 1, 1])).add(beta!.reshape([1, channels, 1, 1])));
    },
  });
}

function layerNormCases(rows: number, channels: number): BenchCase[] {
  const x: BenchInput = { shape: [rows, channels] };
  return bothWays(`${rows}x${channels}`, {
    name: "layernorm",
    x,
    y: x,
    constants: { gamma: { shape: [channels] }, beta: { shape: [channels] } },
    ours: (graph, value, { gamma, beta }) =>
      layerNorm(graph, { x: value, gamma: frozen(graph, gamma!), beta: frozen(graph, beta!), eps }),
    tfjs: (tf, value, { gamma, beta }) => {
      const centred = tf.sub(value, tf.mean(value, -1, true));
      const variance = tf.mean(tf.square(centred), -1, true);
      return tf.add(tf.mul(tf.mul(centred, tf.rsqrt(tf.add(variance, eps))), gamma!), beta!);
    },
    jax: ({ numpy }, value, { gamma, beta }) => {
      const centred = value.ref.sub(numpy.mean(value, -1, { keepdims: true }));
      const variance = numpy.mean(numpy.square(centred.ref), -1, { keepdims: true });
      return centred.div(numpy.sqrt(variance.add(eps))).mul(gamma!).add(beta!);
    },
  });
}

function gegluCases(rows: number, width: number): BenchCase[] {
  return bothWays(`${rows}x${width}`, {
    name: "geglu",
    x: { shape: [rows, 2 * width] },
    y: { shape: [rows, width] },
    constants: {},
    ours: (graph, value) => geglu(graph, value),
    tfjs: (tf, value) => {
      const a = tf.slice(value, [0, 0], [rows, width]);
      const g = tf.slice(value, [0, width], [rows, width]);
      return tf.mul(a, tf.mul(g, tf.mul(tf.add(tf.erf(tf.mul(g, Math.SQRT1_2)), 1), 0.5)));
    },
    jax: ({ numpy, nn }, value) => {
      const [a, g] = numpy.split(value, 2, -1) as [jax.Array, jax.Array];
      return a.mul(nn.gelu(g, { approximate: false }));
    },
  });
}

/** Norms take frozen weights; the bench's constants are inputs of the graph, which come to the same buffer. */
function frozen(graph: Graph, tensor: Tensor): Tensor {
  graph.differentiableInputs.delete(tensor);
  return tensor;
}

function adamWCase(count: number): BenchCase {
  const settings = adamWDefaults;
  const optimizer = adamW(settings);
  const [beta1, beta2] = settings.betas;
  const [lr, step] = [1e-2, 3];
  const scalars = [...optimizer.scalars({ lr, step })];
  while (scalars.length < scalarsPerGroup) scalars.push(0);
  const rate = lr / (1 - beta1 ** step);
  const correction = 1 / Math.sqrt(1 - beta2 ** step);
  return {
    name: `adamw_${count}`,
    inputs: {
      param: { shape: [count], role: "state" },
      grad: { shape: [count], role: "state" },
      m: { shape: [count], role: "state", scale: 0.1 },
      // Squared gradients are not negative.
      v: { shape: [count], role: "state", values: Array.from({ length: count }, (_, i) => ((i * 37) % 101) / 101) },
      scalars: { shape: [scalarsPerGroup], values: scalars },
      // Norm, clip factor, finite flag.
      report: { shape: [4], values: [1, 1, 1, 0] },
    },
    results: ["rows", "rows", "rows"],
    work: { bytes: 7 * 4 * count },
    ours: (graph, { param, grad, m, v, scalars: perGroup, report }) => {
      const buffers = [{ key: "", group: 0, param: param!, grad: grad!, state: [m!, v!], tensors: [] }];
      addUpdate(optimizer, { graph, scalars: perGroup!, report: report!, buffers });
      return [param!, m!, v!];
    },
    tfjs: (tf, { param, grad, m, v }) => {
      const nextM = tf.add(tf.mul(m!, beta1), tf.mul(grad!, 1 - beta1));
      const nextV = tf.add(tf.mul(v!, beta2), tf.mul(tf.square(grad!), 1 - beta2));
      const change = tf.div(nextM, tf.add(tf.mul(tf.sqrt(nextV), correction), settings.eps));
      return [tf.sub(tf.mul(param!, 1 - lr * settings.weightDecay), tf.mul(change, rate)), nextM, nextV];
    },
    jax: ({ numpy }, { param, grad, m, v, scalars: perGroup, report }) => {
      perGroup!.dispose();
      report!.dispose();
      const nextM = m!.mul(beta1).add(grad!.ref.mul(1 - beta1));
      const nextV = v!.mul(beta2).add(numpy.square(grad!).mul(1 - beta2));
      const change = nextM.ref.div(numpy.sqrt(nextV.ref).mul(correction).add(settings.eps));
      return [param!.mul(1 - lr * settings.weightDecay).sub(change.mul(rate)), nextM, nextV];
    },
  };
}

export const pointwiseCases: readonly BenchCase[] = [
  ...groupNormSilu(32, 320, 32),
  ...layerNormCases(1024, 320),
  ...gegluCases(256, 1280),
  adamWCase(262144),
];
