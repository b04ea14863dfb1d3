/**
 * A deterministic engine for looking at the page and driving it in tests, without a GPU and in seconds. Never part of
 * the product. What it does is chosen by words in `training_comment`: `fast`, `nan@N`, `lose@N`, `hang@N`.
 */
import { LorasmithError } from "../../src/errors.ts";
import { DeviceLostError } from "../../src/gpu/errors.ts";
import type { Phase, Verdict } from "../../src/training/events.ts";
import { planDataset } from "../../src/training/run-plan.ts";
import { parseSamplePrompts } from "../../src/config/sample-prompts.ts";
import type { TrainingConfig } from "../../src/config/parameters.ts";
import { isSampleDue, momentOf } from "../../src/training/sample-schedule.ts";
import { savesAfter } from "../../src/training/save-schedule.ts";
import type { StepPlan } from "../../src/training/steps.ts";
import { isValidationDue } from "../../src/training/validation-schedule.ts";
import { validationEntry } from "../../src/training/validator.ts";
import type { RunHost, StoredState } from "../../src/workers/training-backend.ts";
import type { Engine, EngineRun } from "../../src/workers/engine.ts";

const mebi = 2 ** 20;

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Noise in [0, 1) that depends on the step alone, so a continued run draws the same curve. */
function noise(step: number): number {
  const x = Math.sin(step * 12.9898) * 43758.5453;
  return x - Math.floor(x);
}

function stepOf(comment: string, word: string): number {
  return Number(new RegExp(`${word}@(\\d+)`).exec(comment)?.[1] ?? -1);
}

function encode(step: number): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify({ step }));
}

function decode(bytes: StoredState | undefined): number {
  if (bytes === undefined || bytes instanceof Blob) return 0;
  return (JSON.parse(new TextDecoder().decode(bytes)) as { step: number }).step;
}

let hasLostDevice = false;

async function prepare(run: EngineRun, stepMs: number, host: Parameters<Engine["train"]>[1]): Promise<void> {
  const units: [Phase, number][] = [
    ["load", 1_700_000_000],
    ["cacheLatents", run.dataset.pictures.length],
    ["cacheText", run.dataset.pictures.length],
    ["compile", 84],
  ];
  for (const [phase, total] of units) {
    for (let part = 0; part <= 4; part += 1) {
      host.phase({ phase, done: Math.round((total * part) / 4), total });
      host.signal.throwIfAborted();
      await wait(stepMs);
    }
  }
  host.log({ level: "info", code: "fake.ready", text: `Prepared ${run.dataset.pictures.length} pictures.` });
}

const side = 128;

/** A disc on stripes, sharper and rounder the longer the run; each prompt has its own colour. */
async function drawSample(index: number, step: number, total: number): Promise<Blob> {
  const canvas = new OffscreenCanvas(side, side);
  const context = canvas.getContext("2d")!;
  const learned = step / Math.max(1, total);
  const hue = (index * 97 + 20) % 360;
  for (let y = 0; y < side; y += 8) {
    context.fillStyle = `hsl(${hue + 180 - 120 * learned} 40% ${50 + 20 * noise(y + index)}%)`;
    context.fillRect(0, y, side, 8);
  }
  context.fillStyle = `hsl(${hue} ${30 + 60 * learned}% 55%)`;
  context.beginPath();
  context.ellipse(64, 64, 20 + 30 * learned, 44 - 14 * (1 - learned), 0, 0, 7);
  context.fill();
  return canvas.convertToBlob({ type: "image/png" });
}

async function drawSamples(config: TrainingConfig, steps: StepPlan, step: number, stepMs: number, host: RunHost): Promise<Verdict> {
  const { prompts } = parseSamplePrompts(config.sample_prompts);
  if (prompts.length === 0) return "continue";
  const moment = momentOf(steps, step);
  const rows = prompts.map(({ prompt }, index) => ({ index, prompt }));
  await host.sampling({ kind: "begin", ...moment, prompts: rows });
  for (const { index, prompt } of rows) {
    for (let done = 1; done <= 10; done += 1) {
      await wait(stepMs);
      const progress = { kind: "progress", ...moment, index, done, total: 10 } as const;
      if ((await host.sampling(progress, async () => encode(step))) === "stop") return "stop";
    }
    const png = await drawSample(index, step, steps.totalUpdates);
    await host.sample({ ...moment, index, prompt, seed: index + 1, width: side, height: side, milliseconds: 10 * stepMs, png });
  }
  await host.sampling({ kind: "end", ...moment });
  return "continue";
}

export const fakeEngine: Engine = {
  async forecast({ config, plan }) {
    const scale = (config.resolution[0] * config.resolution[1] * config.train_batch_size) / 512 ** 2;
    const saved = (config.gradient_checkpointing ? 120 : 485) * scale;
    const parts = [
      { key: "weights", bytes: 1874 * mebi },
      { key: "adapters", bytes: config.network_dim * 1.18 * mebi },
      { key: "optimizer", bytes: config.network_dim * 2.36 * mebi },
      { key: "savedActivations", bytes: saved * mebi },
      { key: "workspace", bytes: 148 * scale * mebi },
      { key: "inputs", bytes: 0.4 * scale * mebi },
    ];
    const peakBytes = parts.reduce((sum, { bytes }) => sum + bytes, 0);
    return {
      forecast: {
        parts,
        phases: [
          { phase: "cacheLatents", peakBytes: 612 * mebi },
          { phase: "cacheText", peakBytes: 251 * mebi },
          { phase: "train", peakBytes },
        ],
        peakBytes,
        weightsBytes: 1874 * mebi,
        savedActivationBytes: saved * mebi,
        dispatches: 1984 + plan.steps.accumulation,
        flops: 2.41e12 * scale,
        levers: [
          { key: "gradient_checkpointing", state: config.gradient_checkpointing ? "on" : "off", bytes: 365 * scale * mebi },
          { key: "mixed_precision", state: config.mixed_precision === "no" ? "off" : "on", bytes: (saved / 2) * mebi },
          { key: "fp8_base", state: config.fp8_base ? "on" : "off", bytes: 930 * mebi },
          { key: "attention", state: "always", bytes: 2100 * scale * mebi },
          { key: "full_fp16", state: "never", bytes: config.network_dim * 1.77 * mebi },
        ],
      },
      resultBytes: config.network_dim * 0.59 * mebi,
      advice: [],
    };
  },

  async train(run, host) {
    const { config } = run;
    const comment = config.training_comment;
    const stepMs = comment.includes("fast") ? 4 : 60;
    const { steps: plan, validation } = planDataset(run.pictures, config);
    await prepare(run, stepMs, host);
    const first = decode(run.resume) + 1;
    const draw = (step: number) => drawSamples(config, plan, step, stepMs, host);
    if (first === 1 && isSampleDue(config, plan, 0)) await draw(0);
    host.phase({ phase: "train", done: first - 1, total: plan.totalUpdates });
    for (let step = first; step <= plan.totalUpdates; step += 1) {
      await wait(stepMs);
      if (step === stepOf(comment, "hang")) await wait(1e9);
      if (step === stepOf(comment, "nan")) {
        await host.keepCheckpoint(step - 1, encode(step - 1));
        throw new LorasmithError("train.notFinite", `The loss became invalid at step ${step}.`, { step });
      }
      if (step === stepOf(comment, "lose") && !hasLostDevice) {
        hasLostDevice = true;
        throw new DeviceLostError("as asked");
      }
      const loss = 0.085 + 0.07 * Math.exp(-step / 60) + (noise(step) - 0.5) * 0.09 * (0.5 + noise(step + 7));
      const report = {
        step,
        totalSteps: plan.totalUpdates,
        epoch: Math.ceil(step / plan.updatesPerEpoch),
        totalEpochs: plan.epochs,
        loss,
        gradNorm: 0.02 + 0.05 * noise(step + 3),
        lr: { unet: 1e-4 * Math.cos((Math.PI * step) / plan.totalUpdates / 2), textEncoder: 5e-5 },
        stepMs,
      };
      // New pictures are best after two thirds of the run.
      if (validation !== undefined && isValidationDue(config, plan, step)) {
        host.log(validationEntry(step, 0.1 + 0.06 * Math.abs(1 - (1.5 * step) / plan.totalUpdates)));
      }
      for (const save of savesAfter(config, plan, step)) await host.save({ ...save, bytes: new Uint8Array(1_980_000) });
      if ((await host.afterStep(report, async () => encode(step), () => draw(step))) === "stop") break;
      if (isSampleDue(config, plan, step) && (await draw(step)) === "stop") break;
    }
    host.phase({ phase: "save", done: 0, total: 1 });
    await wait(stepMs);
    return new Uint8Array(19_800_000);
  },

  async exportAdapter() {
    return new Uint8Array(19_800_000);
  },
};
