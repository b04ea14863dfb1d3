/** A run goes on from its state file as if it had never stopped: with everything random, and other state than moments. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { loadKohyaConfig } from "../../src/config/kohya.ts";
import { describeOrigin } from "../../src/training/run-origin.ts";
import { planDataset, type TrainingPicture } from "../../src/training/run-plan.ts";
import { decodeState, encodeState, type RunState } from "../../src/training/state-file.ts";
import { train } from "../../src/training/trainer.ts";
import { openStartNetworks } from "../../src/training/start-networks.ts";
import { isSlowAdapter, openTestGpu } from "./harness/adapter.ts";
import { openWideMini } from "./harness/generation-models.ts";
import type { LogEntry, StepReport } from "../../src/training/events.ts";
import { openReference } from "./harness/reference-data.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import type { Checkpoint } from "../../src/models/checkpoint-types.ts";

let gpu: Gpu;
let checkpoint: Checkpoint;
beforeAll(async () => {
  gpu = await openTestGpu();
  checkpoint = await openWideMini("sd1");
});
afterAll(() => gpu.destroy());

/** Five showings in an epoch, in updates of two: the fourth update is within the second epoch. */
const pictures = ["sls, hat, red, {big|small}", "a cat, round, tree", "sls, sky"].map((caption, i): TrainingPicture => ({
  path: `${i}.png`,
  size: [64, 64],
  repeats: i === 2 ? 1 : 2,
  caption,
  decode: async () => ({ width: 64, height: 64, data: Uint8Array.from({ length: 64 * 64 * 4 }, (_, at) => (at % 4 === 3 ? 255 : (at * (3 + i)) & 255)) }),
}));

const random = {
  network_dim: 2, seed: 3, resolution: 64, max_train_steps: 5, gradient_accumulation_steps: 2, network_dropout: 0.1,
  network_args: ["rank_dropout=0.1", "module_dropout=0.1"], shuffle_caption: true, caption_dropout_rate: 0.2, caption_tag_dropout_rate: 0.2,
  enable_wildcard: true, token_warmup_step: 4, flip_aug: true, noise_offset: 0.1, noise_offset_random_strength: true,
  multires_noise_iterations: 3, ip_noise_gamma: 0.1,
};

/** @returns the state at the end, and after the fourth update */
async function run(
  settings: object, resume?: RunState,
): Promise<{ readonly end: RunState; readonly fourth: RunState | undefined; readonly reports: readonly StepReport[]; readonly logged: readonly LogEntry[] }> {
  const { config } = loadKohyaConfig(JSON.stringify({ ...random, ...settings }));
  const plan = planDataset(pictures, config);
  const facts = await describeOrigin({ checkpoint, config, dataset: { subsets: [], pictures }, plan, sessionId: 1, startedAt: 0 });
  let fourth: RunState | undefined;
  const reports: StepReport[] = [];
  const logged: LogEntry[] = [];
  const networks = await openStartNetworks(config, (name) => openReference(`matrix-networks/${name}`));
  const end = await train(gpu, { checkpoint, config, pictures, facts, networks, ...(resume !== undefined && { resume }) }, {
    signal: new AbortController().signal,
    phase: () => undefined,
    log: (entry) => void logged.push(entry),
    keepCheckpoint: async () => undefined,
    afterStep: async (report, snapshot) => {
      reports.push(report);
      if (report.step === 4) fourth = await snapshot();
      return "continue";
    },
  });
  return { end, fourth, reports, logged };
}

it.skipIf(isSlowAdapter).each([
  ["8-bit state and restarts", {
    optimizer_type: "AdamW8bit", optimizer_args: ["min_8bit_size=16"], learning_rate: 1e-2, lr_scheduler: "cosine_with_restarts",
    lr_scheduler_num_cycles: 2, lr_warmup_steps: 1, network_train_unet_only: true,
  }],
  ["a loss scale", { mixed_precision: "fp16", learning_rate: 1e-2, lr_scheduler: "cosine", network_train_unet_only: true }],
  ["ranks and alphas of a file on a base with another in it", {
    learning_rate: 1e-2, network_weights: "ranks.safetensors", dim_from_weights: true, base_weights: ["start.safetensors"], base_weights_multiplier: [0.7],
    network_dropout: 0, network_args: [],
  }],
  ["values of a file whose alpha is another, and layers that no gradient reaches", {
    learning_rate: 1e-2, network_weights: "start.safetensors", network_alpha: 2, clip_skip: 2,
  }],
  ["a running estimate of the step", { optimizer_type: "Prodigy", learning_rate: 1, lr_scheduler: "cosine", optimizer_args: ["d0=1e-3"] }],
])("ends in the same bytes when it goes on from a state file: %s", async (_, settings) => {
  const whole = await run(settings);
  const kept = encodeState(whole.fourth!);
  const continued = await run(settings, await decodeState(kept));
  expect(continued.fourth).toBeUndefined();
  expect(encodeState(continued.end)).toEqual(encodeState(whole.end));
  expect(kept).not.toEqual(encodeState(whole.end));
});

it.skipIf(isSlowAdapter)("leaves an update out whose gradients overflow fp16, tells it, and goes on with half the loss scale", async () => {
  const settings = { mixed_precision: "fp16", learning_rate: 1e-2, lr_scheduler: "linear", network_train_unet_only: true };
  const { fourth, reports } = await run(settings);
  expect(reports.map(({ lossScale, isSkipped }) => [lossScale, isSkipped])).toEqual(Array.from({ length: 5 }, () => [65536, false]));
  expect(fourth!.lossScale).toEqual({ scale: 65536, clean: 4, skipped: 0 });

  const high = { ...fourth!, lossScale: { scale: 2 ** 45, clean: 4, skipped: 1 } };
  const { end, reports: [last], logged } = await run(settings, await decodeState(encodeState(high)));
  expect(last).toMatchObject({ step: 5, lossScale: 2 ** 45, isSkipped: true });
  // One update was left out before, so the schedule is one behind.
  expect(last!.lr.unet).toBe(reports[3]!.lr.unet);
  expect(logged.find(({ code }) => code === "train.skipped")?.data).toEqual({ step: 5, scale: 2 ** 44 });
  expect(end.lossScale).toEqual({ scale: 2 ** 44, clean: 0, skipped: 2 });
  expect(end.weights).toEqual(fourth!.weights);
  expect(end.optimizer).toEqual(fourth!.optimizer);
});
