/** Facts of a run that are known at its start and written into its LoRA file: model, pictures, buckets, length. */
import { configuredDirs, configuredTags, describeDatasets } from "./dataset-facts.ts";
import { bucketInfo } from "../dataset/buckets.ts";
import { tagFrequency } from "../dataset/captions.ts";
import { baseName } from "../dataset/paths.ts";
import { countWithRepeats } from "../dataset/regularization.ts";
import { shortModelHash } from "../formats/model-hash.ts";
import { implementation } from "../version.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import type { InspectedDataset } from "../dataset/inspect.ts";
import type { FolderFacts } from "../lora/metadata.ts";
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
  const hash = await shortModelHash(source);
  const idOf = (path: string, number = 0): string => `${number}/${path}`;
  const heldOut = new Set(dataset.pictures.filter((_, i) => plan.heldOut[i] === true).map((picture) => idOf(picture.path, picture.dataset)));
  const trained = dataset.subsets.map((subset) => ({ ...subset, images: subset.images.filter(({ path }) => !heldOut.has(idOf(path, subset.dataset))) }));
  const pictures = dataset.pictures.filter((picture) => !heldOut.has(idOf(picture.path, picture.dataset)));
  const isConfigured = trained.some((subset) => subset.dataset !== undefined);
  const foldersOf = (isReg: boolean): Record<string, FolderFacts> =>
    Object.fromEntries(
      trained
        .filter((subset) => subset.isReg === isReg)
        .map(({ dir, repeats, images }) => [baseName(dir), { repeats, images: images.length }]),
    );
  return {
    sessionId,
    startedAt,
    family: checkpoint.family,
    predictionType: config.v_parameterization ? "v_prediction" : "epsilon",
    numTrainImages: countWithRepeats(pictures, false),
    numRegImages: countWithRepeats(pictures, true),
    numValidationImages: heldOut.size,
    numBatchesPerEpoch: plan.steps.batchesPerEpoch,
    numEpochs: plan.steps.epochs,
    maxTrainSteps: plan.steps.totalUpdates,
    implementationVersion: implementation,
    model: { name: source.name, ...(hash === undefined ? {} : { hash }) },
    dataset: {
      ...(isConfigured
        ? { dirs: configuredDirs(trained), regDirs: {}, tagFrequency: configuredTags(trained), datasets: describeDatasets(trained, plan) }
        : { dirs: foldersOf(false), regDirs: foldersOf(true), tagFrequency: tagFrequency(trained) }),
      bucketInfo: bucketInfo(plan.buckets.groups[0]?.plan) as JsonLike,
    },
  };
}
