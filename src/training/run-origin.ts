/** Facts of a run that are known at its start and written into its LoRA file: model, pictures, buckets, length. */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { bucketInfo } from "../dataset/buckets.ts";
import { tagFrequency } from "../dataset/captions.ts";
import { baseName } from "../dataset/paths.ts";
import { implementation } from "../version.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import type { InspectedDataset } from "../dataset/inspect.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import type { JsonLike } from "../lora/python-text.ts";
import type { Checkpoint } from "../models/checkpoint-types.ts";
import type { DatasetPlan } from "./run-plan.ts";
import type { RunOrigin } from "./state-file.ts";

export interface RunOriginInput {
  readonly checkpoint: Pick<Checkpoint, "file" | "family">;
  readonly config: TrainingConfig;
  readonly dataset: Pick<InspectedDataset, "subsets" | "pictures">;
  readonly plan: DatasetPlan;
  /** Random, below 2^32; the same for all files of a run. */
  readonly sessionId: number;
  /** Seconds since 1970. */
  readonly startedAt: number;
}

/** Reads 64 KiB of the checkpoint for its short hash. @throws InputError `file.unreadable` */
export async function describeOrigin(input: RunOriginInput): Promise<RunOrigin> {
  const { checkpoint, config, dataset, plan, sessionId, startedAt } = input;
  const { source } = checkpoint.file;
  const hash = await shortHash(source);
  const dirs = dataset.subsets.map(({ dir, repeats, images }) => [baseName(dir), { repeats, images: images.length }] as const);
  return {
    sessionId,
    startedAt,
    family: checkpoint.family,
    predictionType: config.v_parameterization ? "v_prediction" : "epsilon",
    numTrainImages: dataset.pictures.reduce((sum, { repeats }) => sum + repeats, 0),
    numRegImages: 0,
    numBatchesPerEpoch: plan.steps.batchesPerEpoch,
    numEpochs: plan.steps.epochs,
    maxTrainSteps: plan.steps.totalUpdates,
    implementationVersion: implementation,
    model: { name: source.name, ...(hash === undefined ? {} : { hash }) },
    dataset: {
      dirs: Object.fromEntries(dirs),
      regDirs: {},
      tagFrequency: tagFrequency(dataset.subsets),
      bucketInfo: bucketInfo(plan.buckets) as JsonLike,
    },
  };
}

/** Where the web UI's old model hash looks: 64 KiB from 1 MiB on. */
const hashStart = 0x10_0000;
const hashLength = 0x1_0000;

/** The old short hash (`ss_sd_model_hash`), by which web UIs find the base model; files that end before it have none. */
async function shortHash(source: ByteSource): Promise<string | undefined> {
  const length = Math.min(hashLength, source.size - hashStart);
  if (length <= 0) return undefined;
  return bytesToHex(sha256(await source.read(hashStart, length))).slice(0, 8);
}
