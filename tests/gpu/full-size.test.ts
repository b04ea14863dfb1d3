/**
 * Real Stable Diffusion sizes on this machine. Takes minutes and a 2 GB file, so it runs only when asked:
 *   npm run make-checkpoint -- --arch sd15 --seed 1 --out /tmp/sd15.safetensors
 *   LORASMITH_FULL_SIZE=/tmp/sd15.safetensors node scripts/test-gpu.mjs tests/gpu/full-size.test.ts
 */
import { describe, expect, it } from "vitest";
import { openNodeFile } from "../../src/cli/node-file.ts";
import { defaultConfig } from "../../src/config/parameters.ts";
import { openSafetensors } from "../../src/formats/safetensors.ts";
import { openCheckpoint } from "../../src/models/config.ts";
import { train } from "../../src/training/trainer.ts";
import { openTestGpu } from "./harness/adapter.ts";
import { random } from "./harness/check-op.ts";
import type { StepReport } from "../../src/training/events.ts";

const file = process.env["LORASMITH_FULL_SIZE"];
const side = Number(process.env["LORASMITH_FULL_SIDE"] ?? 256);
const steps = Number(process.env["LORASMITH_FULL_STEPS"] ?? 1);

describe.skipIf(file === undefined)("a full-size checkpoint", () => {
  it(`trains ${steps} real steps at ${side}x${side} within 400 MiB of JavaScript memory`, { timeout: 3_600_000 }, async () => {
    const gpu = await openTestGpu();
    const source = await openNodeFile(file!);
    const checkpoint = await openCheckpoint(await openSafetensors(source));
    let peak = 0;
    const sample = (): void => {
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      peak = Math.max(peak, heapUsed + arrayBuffers);
    };
    const timer = setInterval(sample, 50);
    const next = random(7);
    const data = Uint8Array.from({ length: side * side * 4 }, () => Math.floor(next() * 256));
    const reports: StepReport[] = [];
    const seen: string[] = [];
    const config = {
      ...defaultConfig(),
      resolution: [side, side] as const,
      network_dim: 16,
      network_alpha: 16,
      learning_rate: 1e-4,
      max_train_steps: steps,
      seed: 1,
      network_train_unet_only: process.env["LORASMITH_FULL_UNET_ONLY"] === "1",
      gradient_checkpointing: process.env["LORASMITH_FULL_CHECKPOINTING"] === "1",
    };
    const started = performance.now();
    const facts = {
      sessionId: 1, startedAt: 0, family: checkpoint.family, predictionType: checkpoint.predictionType, numTrainImages: 1, numRegImages: 0,
      numBatchesPerEpoch: 1, numEpochs: 1, maxTrainSteps: steps, implementationVersion: "test",
      dataset: { dirs: {}, regDirs: {}, tagFrequency: {}, bucketInfo: null },
    };
    const picture = { path: "a.png", size: [side, side] as const, repeats: 1, caption: "a photo of sks", decode: async () => ({ width: side, height: side, data }) };
    const state = await train(gpu, { checkpoint, config, pictures: [picture], facts }, {
      signal: new AbortController().signal,
      phase: ({ phase, done, total }) => {
        sample();
        if (done === total || done === 0) seen.push(`${((performance.now() - started) / 1000).toFixed(1)} s ${phase} ${done}/${total}`);
      },
      log: () => undefined,
      keepCheckpoint: async () => undefined,
      afterStep: async (report) => {
        reports.push(report);
        return "continue";
      },
    });
    clearInterval(timer);
    sample();
    console.log(seen.join("\n"));
    console.log(reports.map((r) => `step ${r.step} loss ${r.loss} norm ${r.gradNorm} ${(r.stepMs / 1000).toFixed(1)} s`).join("\n"));
    console.log(`peak JavaScript memory ${(peak / 2 ** 20).toFixed(0)} MiB, GPU buffers left ${gpu.counters.bufferBytes}`);
    expect(reports).toHaveLength(steps);
    expect(reports.every(({ loss, gradNorm }) => Number.isFinite(loss) && Number.isFinite(gradNorm) && gradNorm > 0)).toBe(true);
    expect(state.weights.size).toBe(config.network_train_unet_only ? 192 : 264);
    expect(peak / 2 ** 20).toBeLessThanOrEqual(400);
    expect(gpu.counters.bufferBytes, "everything was freed").toBe(0);
    gpu.destroy();
    await source.close();
  });
});
