/** The command `train`: from a checkpoint and a folder of pictures to the file of what was trained. */
import { randomInt } from "node:crypto";
import { join } from "node:path";
import { CancelledError, InputError } from "../errors.ts";
import { fileEnding } from "../config/file-ending.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import { trainsWords } from "../config/trained-words.ts";
import { readEmbedding } from "../formats/embedding-file.ts";
import { openTensorFile } from "../formats/open-tensor-file.ts";
import type { Checkpoint } from "../models/config.ts";
import { describeOrigin } from "../training/run-origin.ts";
import { planDataset, type DatasetPlan } from "../training/run-plan.ts";
import { decodeState, type RunState } from "../training/state-file.ts";
import { train, type TrainJob } from "../training/trainer.ts";
import { noMore, readOptions, usageError, type Command } from "./command.ts";
import { describeGpu, openNodeGpu } from "./dawn.ts";
import { openNodeFile, reopenedFile } from "./node-file.ts";
import { openDataset, type NodeDataset } from "./open-dataset.ts";
import { withModel } from "./open-model.ts";
import { withStartNetworks } from "./open-networks.ts";
import { withRecovery } from "./recovery.ts";
import { RunHost } from "./run-host.ts";
import { pathFrom, readGiven, settingsHelp, settingsOptions, settle, type GivenSettings } from "./settings.ts";
import { say, warn } from "./terminal.ts";
import { makeFolder } from "./write-file.ts";

const help = `lorasmith train --model FILE --data FOLDER --out FOLDER [options]

Trains a LoRA, with --kind textual-inversion an embedding, with --kind full the model itself (DreamBooth, fine-tuning), and
writes OUT/<output_name>.safetensors, or .pt or .ckpt as save_model_as says. Ctrl-C finishes the update at hand, writes what was learned so far and a state to continue from, and
exits with 130; a second Ctrl-C leaves at once.

With sample_prompts it draws pictures on the way, into OUT/sample: see sample_every_n_epochs, sample_every_n_steps and
sample_at_first. The signal SIGUSR1 asks for some at any time (kill -USR1 PID).

With save_every_n_epochs or save_every_n_steps it writes files on the way, OUT/<output_name>-000001.safetensors and
OUT/<output_name>-step00000100.safetensors; save_last_n_epochs and save_last_n_steps delete older ones again. With
save_state each has a state beside it, <name>.state.safetensors, that --resume continues from.

  --model FILE       Stable Diffusion 1.x or 2.x checkpoint (.safetensors, .ckpt); or pretrained_model_name_or_path
  --data FOLDER      pictures, or folders of pictures such as "10_sls 1girl"; or train_data_dir. A dataset.toml in it
                     is followed as --dataset-config
  --reg FOLDER       regularization pictures, in folders such as "1_1girl"; or reg_data_dir. Without it, what lies below a
                     folder named "reg" inside of --data
  --dataset-config FILE  dataset configuration of sd-scripts (TOML, JSON) instead of --data; or dataset_config. Its
                     folders count from here, or from the file
  --out FOLDER       where to write; or output_dir
  --resume FILE      continue from a state file, with its settings unless others are given
  --save-state       keep the state file of the finished run, to train it further; or save_state_on_train_end

${settingsHelp}
`;

export const trainCommand: Command = { name: "train", summary: "train a LoRA, an embedding or a model", help, run: runTrain };

async function runTrain(argv: string[]): Promise<number> {
  const { values: options, positionals } = readOptions("train", argv, {
    ...settingsOptions,
    model: { type: "string" },
    data: { type: "string" },
    reg: { type: "string" },
    "dataset-config": { type: "string" },
    out: { type: "string" },
    resume: { type: "string" },
    "save-state": { type: "boolean", default: false },
  });
  noMore("train", positionals);
  const given = await readGiven(options);
  const required = (option: "model" | "data" | "out", key: string): string => {
    const path = pathFrom(options[option], given, key);
    if (path === undefined) throw usageError("train", `--${option} is missing`);
    return path;
  };
  const model = required("model", "pretrained_model_name_or_path");
  const datasetConfig = pathFrom(options["dataset-config"], given, "dataset_config");
  const place = datasetConfig === undefined
    ? { data: required("data", "train_data_dir"), reg: pathFrom(options.reg, given, "reg_data_dir") }
    : { datasetConfig };
  const out = required("out", "output_dir");
  const resume = options.resume === undefined ? undefined : await readState(options.resume);
  return withModel(model, async (checkpoint) => {
    const config = settledConfig(given, checkpoint, resume);
    const dataset = await openDataset(place, config);
    for (const { text } of dataset.inspected.notices) say(text);
    const startWords = await readStartWords(config);
    const prepared = { ...(await prepare(checkpoint, config, dataset, resume)), ...(startWords && { startWords }) };
    return withStartNetworks(config, async (networks) => {
      await makeFolder(out);
      return trainAndWrite({ ...prepared, networks }, out, options["save-state"] || config.save_state || config.save_state_on_train_end);
    });
  });
}

function settledConfig(given: GivenSettings, checkpoint: Checkpoint, resume: RunState | undefined): TrainingConfig {
  const { config, warnings } = settle(given, checkpoint, resume?.config);
  warnings.forEach(warn);
  const rates = ["learning_rate", "unet_lr", "text_encoder_lr"];
  if (resume === undefined && !given.suggested && !rates.some((key) => Object.hasOwn(given.values, key))) {
    warn(`no learning rate is set, so sd-scripts' default of ${config.learning_rate} is used, which hardly learns; --suggested starts from 1e-4`);
  }
  return config;
}

async function prepare(
  checkpoint: Checkpoint,
  config: TrainingConfig,
  { inspected, pictures }: NodeDataset,
  resume: RunState | undefined,
): Promise<TrainJob> {
  const plan = planDataset(pictures, config);
  const { steps } = plan;
  const origin = { checkpoint, config, dataset: inspected, plan };
  const facts = await describeOrigin(
    resume === undefined
      ? { ...origin, sessionId: randomInt(2 ** 32), startedAt: Date.now() / 1000 }
      : { ...origin, sessionId: resume.facts.sessionId, startedAt: resume.facts.startedAt },
  );
  say(`Model: ${checkpoint.file.source.name}, Stable Diffusion ${config.v2 ? 2 : 1}, ${facts.predictionType}`);
  const trained = pictures.filter(({ isReg }) => isReg !== true).length;
  say(`Pictures: ${trained}, ${facts.numTrainImages} with repeats; ${steps.totalUpdates} steps, ${steps.updatesPerEpoch} per epoch`);
  if (trained < pictures.length) say(describeRegularization(pictures, plan));
  return { checkpoint, config, pictures, facts, ...(resume === undefined ? {} : { resume }) };
}

/** The embedding that a textual inversion goes on from. @throws InputError `file.*`, `embedding.*` */
async function readStartWords(config: TrainingConfig): Promise<TrainJob["startWords"]> {
  if (!trainsWords(config) || config.weights === "") return undefined;
  const source = await openNodeFile(config.weights);
  try {
    const { vectors, width } = await readEmbedding(await openTensorFile(source));
    return { name: source.name, vectors, width };
  } finally {
    await source.close();
  }
}

function describeRegularization(pictures: NodeDataset["pictures"], { buckets, shows }: DatasetPlan): string {
  const isReg = (picture: number): boolean => pictures[picture]?.isReg === true;
  const all = pictures.filter((_, picture) => isReg(picture)).length;
  const used = pictures.filter((_, picture) => isReg(picture) && shows[picture] === true).length;
  const shown = buckets.buckets.flatMap(({ items }) => items.filter(isReg)).length;
  return `Regularization pictures: ${used} of ${all}, shown ${shown} times per epoch`;
}

/** @returns the exit code */
async function trainAndWrite(job: TrainJob, out: string, keepsState: boolean): Promise<number> {
  const name = job.config.output_name;
  const outPath = join(out, name);
  const ending = fileEnding(job.config);
  const statePath = `${outPath}.state.safetensors`;
  const host = new RunHost(statePath, { out, name, ending }, { path: `${outPath}${ending}`, base: job.checkpoint, keepsState });
  const stopListening = onSignals(host);
  let state: RunState;
  try {
    state = await withRecovery({
      attempt: (from) => trainOnGpu(from === undefined ? job : { ...job, resume: from }, host),
      latest: () => host.latest,
      onLost: (error) => warn(`${error.message}; going on from ${host.latest === undefined ? "the start" : `step ${host.latest.update}`}`),
    }, job.resume);
  } catch (error) {
    if (host.latest !== undefined) say(`Kept the state after step ${host.latest.update}: ${statePath}`);
    if (!(error instanceof CancelledError)) throw error;
    say("Stopped before the first update; nothing was written.");
    return 130;
  } finally {
    stopListening();
  }
  if (state.update >= job.facts.maxTrainSteps) return 0;
  say(`To continue: the same command with --resume "${statePath}"`);
  return 130;
}

async function trainOnGpu(job: TrainJob, host: RunHost): Promise<RunState> {
  const gpu = await openNodeGpu();
  say(`GPU: ${describeGpu(gpu)}`);
  try {
    return await train(gpu, job, host);
  } catch (error) {
    if (host.isStopping && host.signal.aborted) throw new CancelledError();
    throw error;
  } finally {
    gpu.destroy();
  }
}

/**
 * Ctrl-C and a polite kill stop the run, the second one ends the program; SIGUSR1, where there is such a signal, asks
 * for samples. @returns what undoes it
 */
function onSignals(host: RunHost): () => void {
  const listener = (): void => {
    if (host.isStopping) process.exit(130);
    host.stop();
  };
  const sample = (): void => host.sampleNow();
  process.on("SIGINT", listener).on("SIGTERM", listener);
  // Windows has no such signal, and refuses to listen for it. Elsewhere it stays listened to until the program ends: with
  // no listener left it would kill the program, and one sent as training ends must not cost the result.
  if (process.platform !== "win32") process.on("SIGUSR1", sample);
  return () => process.off("SIGINT", listener).off("SIGTERM", listener);
}

async function readState(path: string): Promise<RunState> {
  const file = await reopenedFile(path).catch((cause: unknown) => {
    throw new InputError("file.missing", `${path} cannot be read, so there is no state to continue from`, { file: path }, { cause });
  });
  return decodeState(file);
}
