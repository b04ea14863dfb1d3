/** The command `plan`: what a run will need, without a GPU. */
import { portableTier } from "../gpu/tier.ts";
import { bucketOptions, placeImage, predefinedBuckets } from "../dataset/buckets.ts";
import { forecast, type ForecastPart, type RunForecast } from "../training/forecast.ts";
import { memoryLevers, type MemoryLever } from "../training/memory-levers.ts";
import { planVae, type PixelSize } from "../training/latent-cache.ts";
import { planDataset } from "../training/run-plan.ts";
import { planRun, type PictureNeeds } from "../training/run-settings.ts";
import { baseMerges, type StartNetworks } from "../training/start-networks.ts";
import { planTextCache } from "../training/text-cache.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import type { Checkpoint } from "../models/config.ts";
import type { BatchShape } from "../training/training-plan.ts";
import { noMore, readOptions, usageError, type Command } from "./command.ts";
import { openDataset, type DatasetPlace } from "./open-dataset.ts";
import { withModel } from "./open-model.ts";
import { withStartNetworks } from "./open-networks.ts";
import { pathFrom, readGiven, settingsHelp, settingsOptions, settle } from "./settings.ts";
import { mebibytes, warn } from "./terminal.ts";

const help = `lorasmith plan --model FILE [--data FOLDER] [--json] [options]

Tells what a run will need on a device with WebGPU's default limits: bytes by part, dispatches and floating-point
operations of one step by kind. The engine allocates exactly these bytes. Needs no GPU.

  --model FILE       Stable Diffusion 1.x or 2.x checkpoint (.safetensors, .ckpt)
  --data FOLDER      pictures; without them, resolution and train_batch_size are taken as they are
  --reg FOLDER       regularization pictures for them
  --dataset-config FILE  dataset configuration of sd-scripts instead
  --json             everything as JSON

${settingsHelp}
`;

export const planCommand: Command = { name: "plan", summary: "forecast memory and work of a run", help, run: runPlan };

async function runPlan(argv: string[]): Promise<void> {
  const { values: options, positionals } = readOptions("plan", argv, {
    ...settingsOptions,
    model: { type: "string" },
    data: { type: "string" },
    reg: { type: "string" },
    "dataset-config": { type: "string" },
    json: { type: "boolean", default: false },
  });
  noMore("plan", positionals);
  const given = await readGiven(options);
  const model = pathFrom(options.model, given, "pretrained_model_name_or_path");
  if (model === undefined) throw usageError("plan", "--model is missing");
  const { data, "dataset-config": datasetConfig } = options;
  const place = { data, reg: pathFrom(options.reg, given, "reg_data_dir"), datasetConfig };
  const hasPictures = data !== undefined || datasetConfig !== undefined;
  await withModel(model, async (checkpoint) => {
    const { config, warnings } = settle(given, checkpoint);
    warnings.forEach(warn);
    const { shapes, sizes, ...needs } = hasPictures ? await datasetShapes(place, config) : assumedShapes(config);
    const { result, levers } = await withStartNetworks(config, async (networks) => forecastRun(checkpoint, config, shapes, sizes, needs, networks));
    process.stdout.write(options.json ? `${JSON.stringify({ ...result, levers }, null, 2)}
` : describe(result, levers, shapes));
  });
}

interface RunShapes extends PictureNeeds {
  readonly shapes: readonly BatchShape[];
  /** Pixel sizes of the pictures that are encoded. */
  readonly sizes: readonly PixelSize[];
}

/** Full batches of pictures that have the resolution's proportions. */
function assumedShapes(config: TrainingConfig): RunShapes {
  const options = bucketOptions(config);
  const { bucket } = placeImage(config.resolution, options, predefinedBuckets(options));
  const [width, height] = bucket;
  return { shapes: [{ batch: config.train_batch_size, height: height / 8, width: width / 8 }], sizes: [bucket] };
}

async function datasetShapes(place: DatasetPlace, config: TrainingConfig): Promise<RunShapes> {
  const { pictures } = await openDataset(place, config);
  return planDataset(pictures, config);
}

function forecastRun(
  checkpoint: Checkpoint,
  config: TrainingConfig,
  shapes: readonly BatchShape[],
  sizes: readonly PixelSize[],
  needs: PictureNeeds,
  networks: StartNetworks,
): { readonly result: RunForecast; readonly levers: readonly MemoryLever[] } {
  baseMerges(checkpoint, config, networks);
  const plan = planRun(checkpoint, config, shapes, portableTier, needs, networks.network);
  const vae = planVae(checkpoint, sizes, portableTier);
  const text = planTextCache(plan);
  return { result: forecast(plan, { vae, ...(text === undefined ? {} : { text }) }), levers: memoryLevers(plan) };
}

const partNames: Readonly<Record<ForecastPart, string>> = {
  weights: "Frozen weights",
  adapters: "LoRA or embedding",
  gradients: "Gradients",
  optimizer: "Optimizer state",
  savedActivations: "Saved activations",
  workspace: "Workspace",
  inputs: "Inputs, outputs, parameters",
  encoder: "VAE encoder",
  samples: "Samples (VAE decoder)",
};

const leverNames: Readonly<Record<MemoryLever["key"], string>> = {
  gradient_checkpointing: "gradient_checkpointing",
  mixed_precision: "mixed_precision",
  fp8_base: "fp8_base",
  attention: "xformers, sdpa, mem_eff_attn",
  full_fp16: "full_fp16, full_bf16",
};

const leverStates: Readonly<Record<MemoryLever["state"], string>> = {
  on: "on, saves",
  off: "off, would save",
  always: "always so, saves",
  never: "not done, would save",
};

const phaseNames = { cacheLatents: "Encoding pictures", cacheText: "Encoding captions", train: "Training", sample: "Making samples" } as const;

function describe(result: RunForecast, levers: readonly MemoryLever[], shapes: readonly BatchShape[]): string {
  const sizes = shapes.map(({ batch, height, width }) => `${width * 8}x${height * 8} batch ${batch}`);
  return [
    `Peak GPU memory: ${mebibytes(result.peakBytes)}`,
    `Batches: ${sizes.join(", ")}`,
    "",
    ...table("Memory while training", result.parts.map(({ key, bytes }) => [partNames[key], mebibytes(bytes)])),
    "",
    ...table(
      "What saves memory while training, each by itself",
      levers.map(({ key, state, bytes }) => [leverNames[key], leverStates[state], bytes === undefined ? "all: too large without" : mebibytes(bytes)]),
    ),
    "",
    ...table("Peak by phase", result.phases.map(({ phase, peakBytes }) => [phaseNames[phase], mebibytes(peakBytes)])),
    "",
    ...table(
      "One step of the largest batch",
      [
        ...result.byOp.map(({ op, dispatches, flops }) => [op, String(dispatches), gigaflops(flops)]),
        ["total", String(result.dispatches), gigaflops(result.flops)],
      ],
      ["", "dispatches", "GFLOP"],
    ),
    "",
  ].join("\n");
}

function gigaflops(flops: number): string {
  return (flops / 1e9).toFixed(2);
}

/** First column to the left, the others to the right. */
function table(title: string, rows: readonly (readonly string[])[], head?: readonly string[]): string[] {
  const all = head === undefined ? rows : [head, ...rows];
  const widths = (all[0] ?? []).map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const cell = (text: string, column: number): string =>
    column === 0 ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0);
  return [title, ...all.map((row) => `  ${row.map(cell).join("  ")}`)];
}
