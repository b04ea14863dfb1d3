/** Runs a case on jax-js with its WebGPU backend, compiled by jit. */
import * as jax from "@jax-js/jax";
import { permuted, transpose, type BenchCase, type BenchInput, type Named, type Runner } from "./case.ts";

export async function openJax(): Promise<void> {
  await jax.init("webgpu");
  jax.defaultDevice("webgpu");
}

/** Our axes in jax-js's order, and back. */
const toJax: Readonly<Record<string, readonly number[]>> = { columns: [1, 0], nhwc: [0, 3, 1, 2], ohwi: [0, 3, 1, 2] };
const fromJax: Readonly<Record<string, readonly number[]>> = { nhwc: [0, 2, 3, 1] };

function load({ shape, layout = "rows" }: BenchInput, data: Float32Array<ArrayBuffer>): jax.Array {
  const perm = toJax[layout];
  if (perm === undefined) return jax.numpy.array(data, { shape: [...shape] });
  return jax.numpy.array(transpose(data, shape, perm) as Float32Array<ArrayBuffer>, { shape: permuted(shape, perm) });
}

export function prepareJax(bench: BenchCase, data: Named<Float32Array<ArrayBuffer>>): Runner {
  const names = Object.keys(bench.inputs);
  const inputs = names.map((name) => load(bench.inputs[name] ?? { shape: [] }, data[name] ?? new Float32Array()));
  const compiled = jax.jit((...values: jax.Array[]): jax.Array[] =>
    bench.jax(jax, Object.fromEntries(names.map((name, i) => [name, values[i] as jax.Array]))),
  );
  let last: jax.Array[] = [];
  const run = (): void => {
    for (const array of last) array.dispose();
    last = compiled(...inputs.map((array) => array.ref));
  };
  return {
    name: "jax-js",
    dispatches: undefined,
    run,
    async finish() {
      await jax.blockUntilReady(last);
    },
    async results() {
      run();
      const arrays: Float32Array[] = [];
      for (const [i, array] of last.entries()) {
        const shape = array.shape;
        const values = Float32Array.from(await array.ref.data());
        const perm = fromJax[bench.results[i] ?? "rows"];
        arrays.push(perm === undefined ? values : transpose(values, shape, perm));
      }
      return arrays;
    },
    dispose() {
      for (const array of [...last, ...inputs]) array.dispose();
      compiled.dispose();
    },
  };
}
