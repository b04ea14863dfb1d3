/** Times warm training steps of a full-size checkpoint and says where the time goes, by kind of op. */
import { defaultConfig } from "../src/config/parameters.ts";
import { openNodeFile } from "../src/cli/node-file.ts";
import { openSafetensors } from "../src/formats/safetensors.ts";
import { openCheckpoint } from "../src/models/config.ts";
import { forecast } from "../src/training/forecast.ts";
import { initialAdapter } from "../src/training/adapter-init.ts";
import { gaussian } from "../src/random/rng.ts";
import { planRun } from "../src/training/run-settings.ts";
import { StepEngine } from "../src/training/step-engine.ts";
import type { Gpu } from "../src/gpu/device.ts";

interface Options {
  readonly side: number;
  readonly batches: readonly number[];
  readonly quick: boolean;
  readonly json: boolean;
}

export async function fullStep(gpu: Gpu, model: string, { side, batches, quick, json }: Options): Promise<void> {
  const file = await openNodeFile(model);
  const checkpoint = await openCheckpoint(await openSafetensors(file));
  const config = { ...defaultConfig(), network_dim: 16, network_alpha: 16, learning_rate: 1e-4, network_train_unet_only: true };
  const results: unknown[] = [];
  for (const batch of batches) {
    const shape = { batch, height: side / 8, width: side / 8 };
    const plan = planRun(checkpoint, config, [shape], gpu.tier);
    const engine = await StepEngine.create(gpu, plan);
    engine.adapters.write("params", initialAdapter(plan.options.adapters, 1));
    const count = batch * shape.height * shape.width * 4;
    const data = {
      shape,
      x: gaussian(1, "noise", 0, count),
      target: gaussian(1, "noise", 1, count),
      timesteps: Int32Array.from({ length: batch }, (_, b) => 100 + 200 * b),
      lossWeights: new Float32Array(batch).fill(1),
      text: { context: gaussian(1, "noise", 2, batch * 77 * checkpoint.unet.contextDim) },
    };
    const steps = quick ? 1 : 8;
    const times: number[] = [];
    for (let step = 0; step <= steps; step++) {
      const started = performance.now();
      await engine.runUpdate([data], { unet: 1e-4 }, step + 1, 1);
      // The first step warms pipelines and caches.
      if (step > 0 || quick) times.push(performance.now() - started);
    }
    const { flops, dispatches, peakBytes } = forecast(plan, {});
    const median = times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? NaN;
    const profile = [...(await engine.profile(shape, quick ? 1 : 3))].sort((a, b) => b[1] - a[1]);
    engine.destroy();
    const whole = profile.reduce((sum, [, ms]) => sum + ms, 0);
    const share = Object.fromEntries(profile.map(([op, ms]) => [op, Math.round((1000 * ms) / whole) / 10]));
    results.push({ adapter: gpu.info.description || gpu.info.vendor, side, batch, msPerStep: median, gigaflopsPerSecond: flops / median / 1e6, dispatches, peakMiB: peakBytes / 2 ** 20, sharePercent: share });
    if (json) continue;
    console.log(`${side}x${side}, batch ${batch}: ${median.toFixed(0)} ms a step, ${(flops / median / 1e6).toFixed(1)} GFLOP/s, ${dispatches} dispatches`);
    console.log(profile.map(([op, ms]) => `  ${op.padEnd(16)} ${ms.toFixed(1).padStart(9)} ms ${((100 * ms) / whole).toFixed(1).padStart(5)} %`).join("\n"));
  }
  await file.close();
  if (json) console.log(JSON.stringify(results, undefined, 2));
}
