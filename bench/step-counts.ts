/**
 * What one training step costs in things that can be counted exactly, whatever the adapter's speed: for the real
 * SD1.5 layout from its plan, and for a mini model measured on the device, so that the plan is held to what happens.
 */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { defaultConfig, type TrainingConfig } from "../src/config/parameters.ts";
import { blobSource } from "../src/formats/byte-source.ts";
import { openSafetensors } from "../src/formats/safetensors.ts";
import { byteLength } from "../src/gpu/graph/tensor.ts";
import { sliceCalls } from "../src/gpu/program/program.ts";
import { portableTier } from "../src/gpu/tier.ts";
import { openCheckpoint } from "../src/models/config.ts";
import { forecast } from "../src/training/forecast.ts";
import { planRun } from "../src/training/run-settings.ts";
import { StepEngine } from "../src/training/step-engine.ts";
import { headerOnlyCheckpoint } from "../tests/unit/harness/header-only.ts";
import type { Gpu } from "../src/gpu/device.ts";
import type { BatchShape, TrainingPlan } from "../src/training/training-plan.ts";

export interface StepCounts {
  readonly name: string;
  readonly [counter: string]: number | string;
}

const base: TrainingConfig = { ...defaultConfig(), network_dim: 16, network_alpha: 16, learning_rate: 1e-4 };
const mebibytes = (bytes: number): number => Math.round((bytes / 2 ** 20) * 10) / 10;

export async function stepCounts(gpu: Gpu): Promise<StepCounts[]> {
  const sd15 = await headerOnlyCheckpoint("sd15");
  const shape = { batch: 1, height: 64, width: 64 };
  const unetOnly = { ...base, network_train_unet_only: true };
  return [
    planned("SD1.5 512x512 b1 r16, UNet", planRun(sd15, unetOnly, [shape], portableTier), shape),
    planned("SD1.5 512x512 b1 r16, UNet + TE, checkpointed", planRun(sd15, { ...base, gradient_checkpointing: true }, [shape], portableTier), shape),
    await measured(gpu),
  ];
}

function planned(name: string, plan: TrainingPlan, shape: BatchShape): StepCounts {
  const prediction = forecast(plan, {});
  const calls = [...plan.steps.values()][0]?.calls ?? [];
  const inputs = [...plan.steps.values(), plan.update].flatMap((program) => program.residents.filter(({ role }) => role === "input"));
  const shaders = new Set([...calls, ...plan.update.calls].map((call) => call.shader.code));
  return {
    name,
    dispatches: prediction.dispatches,
    // One more for each of the two results that are copied out.
    submits: sliceCalls(calls).length + sliceCalls(plan.update.calls).length + 2,
    pipelines: shaders.size,
    wgslKiB: Math.round([...shaders].reduce((sum, code) => sum + code.length, 0) / 1024),
    writtenKiB: Math.round(inputs.reduce((sum, tensor) => sum + byteLength(tensor), 0) / 1024),
    readBytes: 16 + 4 * shape.batch,
    teraflops: Math.round(prediction.flops / 1e10) / 100,
    savedMiB: mebibytes(prediction.savedActivationBytes),
    arenaMiB: mebibytes(plan.arenaBytes.reduce((a, b) => a + b, 0)),
    arenaSlackMiB: mebibytes(prediction.arenaSlackBytes),
    largestBindingMiB: mebibytes(prediction.largestBindingBytes),
    weightsMiB: mebibytes(prediction.weightsBytes),
    peakMiB: mebibytes(prediction.peakBytes),
  };
}

async function measured(gpu: Gpu): Promise<StepCounts> {
  const path = fileURLToPath(new URL("../tests/reference/data/mini-sd1.safetensors", import.meta.url));
  const checkpoint = await openCheckpoint(await openSafetensors(blobSource(new Blob([await readFile(path)]), "mini-sd1")));
  const shape = { batch: 1, height: 8, width: 8 };
  const plan = planRun(checkpoint, { ...base, network_train_unet_only: true }, [shape], gpu.tier);
  const engine = await StepEngine.create(gpu, plan);
  const ones = new Float32Array(8 * 8 * 4).fill(0.5);
  const batch = { shape, x: ones, target: ones, timesteps: [10], lossWeights: [1], text: { context: new Float32Array(77 * checkpoint.unet.contextDim) } };
  await engine.runUpdate([batch], { unet: 1e-4 }, 1, 1);
  const before = { ...gpu.counters };
  await engine.runUpdate([batch], { unet: 1e-4 }, 2, 1);
  const after = { ...gpu.counters };
  engine.destroy();
  const grew = (key: keyof typeof before): number => after[key] - before[key];
  return {
    name: "mini SD1, one warm update, counted on this adapter",
    dispatches: forecast(plan, {}).dispatches,
    submits: grew("submits"),
    passes: grew("passes"),
    buffersCreated: grew("buffers"),
    bindGroupsCreated: grew("bindGroups"),
    pipelinesCreated: grew("pipelines"),
    writtenBytes: grew("writeBytes"),
    readBytes: grew("readBytes"),
  };
}

export function formatCounts(counts: readonly StepCounts[]): string {
  return counts
    .map(({ name, ...rest }) => `\n${name}\n${Object.entries(rest).map(([key, value]) => `  ${key.padEnd(20)} ${value}`).join("\n")}`)
    .join("\n");
}
