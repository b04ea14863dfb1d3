/** Runs a case on jax-js with its WebGPU backend, compiled by jit. */
import * as jax from "@jax-js/jax";
import { arrange, joinHeads, permuted, transpose, type BenchCase, type BenchInput, type Named, type Runner } from "./case.ts";

export async function openJax(): Promise<void> {
  await jax.init("webgpu");
  jax.defaultDevice("webgpu");
}

const perms = { columns: [1, 0], nhwc: [0, 3, 1, 2], ohwi: [0, 3, 1, 2] } as const;

function load(input: BenchInput, data: Float32Array<ArrayBuffer>): jax.Array {
  const order = arrange(input, perms);
  if (order === undefined) return jax.numpy.array(data, { shape: [...input.shape] });
  const values = transpose(data, order.from, order.perm);
  return jax.numpy.array(values, { shape: permuted(order.from, order.perm) });
}

export function prepareJax(bench: BenchCase, data: Named<Float32Array<ArrayBuffer>>): Runner {
  const names = Object.keys(bench.inputs);
  const inputs = names.map((name) => load(bench.inputs[name] ?? { shape: [] }, data[name] ?? new Float32Array()));
  const compiled = jax.jit((...values: jax.Array[]): jax.Array[] =>
    bench.jax(jax, Object.fromEntries(names.map((name, i) => [name, values[i] as jax.Array]))),
  );
  // Work is lazy: a result that is disposed before somebody waits for it is never computed. So all are kept.
  let started: jax.Array[][] = [];
  const release = (): void => {
    for (const array of started.flat()) array.dispose();
    started = [];
  };
  const run = (): void => {
    started.push(compiled(...inputs.map((array) => array.ref)));
  };
  return {
    name: "jax-js",
    dispatches: undefined,
    run,
    async finish() {
      // The outputs of one call hang together: waiting for the first computes all.
      await jax.blockUntilReady(started.map((outputs) => outputs[0]));
      release();
    },
    async results() {
      run();
      const arrays: Float32Array[] = [];
      for (const [i, array] of (started[0] ?? []).entries()) {
        const shape = array.shape;
        const values = Float32Array.from(await array.ref.data());
        const layout = bench.results[i];
        if (layout === "nhwc") arrays.push(transpose(values, shape, [0, 2, 3, 1]));
        else if (layout === "heads") arrays.push(joinHeads(values, shape[0] ?? 1, shape[2] ?? 1));
        else arrays.push(values);
      }
      release();
      return arrays;
    },
    dispose() {
      release();
      for (const array of inputs) array.dispose();
      compiled.dispose();
    },
  };
}
