/** Times our ops beside tfjs and jax-js on the same adapter, interleaved in one process; see scripts/bench.mjs. */
import { f16ToF32, f32ToF16 } from "../tests/gpu/harness/half.ts";
import { random } from "../tests/gpu/harness/check-op.ts";
import { dawnGpu } from "../src/cli/dawn.ts";
import { openGpu, type Gpu } from "../src/gpu/device.ts";
import { benchCases } from "./cases.ts";
import { fullStep } from "./full-step.ts";
import { prepareOurs } from "./ours.ts";
import { formatCounts, stepCounts } from "./step-counts.ts";
import { openJax, prepareJax } from "./peer-jax.ts";
import { openTfjs, prepareTfjs } from "./peer-tfjs.ts";
import { formatTable, geometricMean, type Row } from "./table.ts";
import type { BenchCase, Runner } from "./case.ts";

export interface BenchOptions {
  /** Fewer and shorter samples. */
  readonly quick: boolean;
  /** Only cases whose name contains this. */
  readonly filter: string;
  readonly json: boolean;
  /** Times whole training steps of this checkpoint instead of single ops. */
  readonly model: string | undefined;
  readonly side: number;
  readonly batches: readonly number[];
}

export async function main(options: BenchOptions): Promise<void> {
  const webgpu = dawnGpu();
  Object.defineProperty(globalThis, "navigator", { value: { gpu: webgpu, userAgent: "node" }, configurable: true });
  const gpu = await openGpu(webgpu);
  if (options.model !== undefined) return fullStep(gpu, options.model, options);
  await openTfjs(webgpu);
  await openJax();
  const rows: Row[] = [];
  for (const bench of benchCases.filter(({ name }) => name.includes(options.filter))) {
    const row = await measure(gpu, bench, options.quick);
    rows.push(row);
    if (!options.json) console.log(formatTable([row], rows.length === 1));
  }
  const ratios = rows.map((row) => row.ratio);
  const counts = await stepCounts(gpu);
  const summary = { adapter: gpu.info.description || gpu.info.vendor, geometricMean: geometricMean(ratios), worst: Math.min(...ratios) };
  if (options.json) console.log(JSON.stringify({ ...summary, rows, counts }, undefined, 2));
  else {
    console.log(`\n${summary.adapter}: ${rows.length} ops, geometric mean ${summary.geometricMean.toFixed(2)}x the best peer, worst ${summary.worst.toFixed(2)}x`);
    console.log(formatCounts(counts));
  }
}

async function measure(gpu: Gpu, bench: BenchCase, quick: boolean): Promise<Row> {
  const data = makeData(bench);
  const runners: Runner[] = [await prepareOurs(gpu, bench, data), prepareTfjs(bench, data), prepareJax(bench, data)];
  const dispatches = runners[0]?.dispatches ?? 0;
  try {
    await compare(bench, runners);
    const repeats = new Map<Runner, number>();
    for (const runner of runners) {
      // One warm call, then as many as fill the sample: short ops would otherwise measure the wait.
      const once = await time(runner, 1);
      repeats.set(runner, Math.max(1, Math.min(32, Math.round((quick ? 5 : 25) / once))));
    }
    const best = new Map<Runner, number>();
    for (let sample = 0; sample < (quick ? 3 : 9); sample++) {
      for (const runner of runners) {
        const count = repeats.get(runner) ?? 1;
        best.set(runner, Math.min(best.get(runner) ?? Infinity, (await time(runner, count)) / count));
      }
    }
    const [ours = 0, tfjs = 0, jaxJs = 0] = runners.map((runner) => best.get(runner) ?? 0);
    return { name: bench.name, work: bench.work, dispatches, ours, tfjs, jaxJs, ratio: Math.min(tfjs, jaxJs) / ours };
  } finally {
    for (const runner of runners) runner.dispose();
  }
}

/** Milliseconds of `count` runs. */
async function time(runner: Runner, count: number): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < count; i++) runner.run();
  await runner.finish();
  return performance.now() - start;
}

function makeData(bench: BenchCase): Record<string, Float32Array<ArrayBuffer>> {
  const next = random(7);
  const data: Record<string, Float32Array<ArrayBuffer>> = {};
  for (const [name, { shape, role, values, concat, scale = 1 }] of Object.entries(bench.inputs)) {
    if (values !== undefined) data[name] = Float32Array.from(values);
    if (concat !== undefined) data[name] = sideBySide(data[concat[0]], data[concat[1]], shape);
    if (data[name] !== undefined) continue;
    const count = shape.reduce((a, b) => a * b, 1);
    data[name] = Float32Array.from({ length: count }, () => {
      const value = (next() * 2 - 1) * scale;
      return role === "weight" ? f16ToF32(f32ToF16(value)) : value;
    });
  }
  return data;
}

function sideBySide(a: ArrayLike<number> = [], b: ArrayLike<number> = [], shape: readonly number[]): Float32Array<ArrayBuffer> {
  const width = (shape.at(-1) ?? 0) / 2;
  return Float32Array.from({ length: a.length + b.length }, (_, i) => {
    const row = Math.floor(i / (2 * width));
    const column = i % (2 * width);
    return (column < width ? a[row * width + column] : b[row * width + column - width]) ?? 0;
  });
}

/** Numbers that differ are not a speed comparison. */
async function compare(bench: BenchCase, [ours, ...peers]: readonly Runner[]): Promise<void> {
  const expected = await ours?.results();
  for (const peer of peers) {
    const actual = await peer.results();
    expected?.forEach((values, i) => {
      const other = actual[i];
      if (other?.length !== values.length) throw new Error(`${bench.name}: ${peer.name} result ${i} has ${other?.length} elements, not ${values.length}`);
      let scale = 0;
      let worst = 0;
      values.forEach((value, j) => {
        scale = Math.max(scale, Math.abs(value));
        worst = Math.max(worst, Math.abs(value - (other[j] ?? NaN)));
      });
      if (!(worst <= (bench.tolerance ?? 2e-5) * scale)) {
        throw new Error(`${bench.name}: ${peer.name} result ${i} differs by ${worst} at scale ${scale}`);
      }
    });
  }
}
