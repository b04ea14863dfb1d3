/** What the page shows of an inspected dataset. */
import type { TrainingConfig } from "../config/parameters.ts";
import type { InspectedDataset } from "../dataset/inspect.ts";
import type { Ignored, IgnoredReason } from "../dataset/report.ts";
import type { DatasetPlan } from "../training/run-plan.ts";
import type { DatasetProblem, DatasetReport, StepsReport, TextData } from "./train-protocol.ts";

const previewCount = 8;

/** Left-out files that may be a misunderstanding. The others (system files, sidecars of other tools) are not told. */
const toldReasons: Partial<Record<IgnoredReason, string>> = {
  unsupportedPicture: "This picture format is not read. Save it as PNG, JPEG or WebP.",
  captionWithoutPicture: "There is no picture beside this caption.",
  nested: "In a folder inside a repeats folder; only pictures directly in it are used.",
  notConfigured: "In no folder of the dataset configuration, so it is passed over.",
  outsideRepeatsFolders: "Beside folders with repeats in their names, so it is passed over.",
};

export function describeDataset(dataset: InspectedDataset): DatasetReport {
  const { subsets, pictures, problems, ignored, notices } = dataset;
  const unusable = new Set(problems.map(({ path }) => path));
  const training = pictures.filter(({ isReg }) => isReg !== true);
  return {
    pictureCount: training.length,
    captionCount: subsets.reduce((sum, { isReg, images }) => sum + (isReg ? 0 : images.filter(hasCaption).length), 0),
    regCount: pictures.length - training.length,
    subsets: subsets.map(({ dir, repeats, hasRepeatsPrefix, classTokens, isReg, images, dataset, table, overrides, maskDir }) => ({
      path: dir,
      repeats,
      hasRepeatsPrefix,
      classTokens,
      isReg,
      pictureCount: images.filter(({ path }) => !unusable.has(path)).length,
      captionCount: images.filter(hasCaption).length,
      ...(dataset === undefined ? {} : { dataset }),
      ...(table === undefined ? {} : { table }),
      ...(overrides === undefined ? {} : { overrides }),
      ...(maskDir === undefined ? {} : { maskDir }),
    })),
    problems: [
      ...problems.map(({ path, code, data, text }): DatasetProblem => ({
        severity: "error",
        code,
        path,
        data: asTextData(data),
        text,
      })),
      ...ignored.flatMap(ignoredFile),
      ...notices.map(({ code, data, text }): DatasetProblem => ({ severity: "note", code, path: "", data, text })),
    ],
    previewPaths: training.slice(0, previewCount).map(({ path }) => path),
  };
}

function hasCaption({ captionPath }: { readonly captionPath: string | null }): boolean {
  return captionPath !== null;
}

function ignoredFile({ path, reason }: Ignored): DatasetProblem[] {
  const text = toldReasons[reason];
  return text === undefined ? [] : [{ severity: "warning", code: `ignored.${reason}`, path, data: {}, text }];
}

function asTextData(data: Readonly<Record<string, unknown>>): TextData {
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, typeof value === "number" ? value : String(value)]),
  );
}

export function stepsReport({ pictures }: InspectedDataset, config: TrainingConfig, { buckets, steps: plan }: DatasetPlan): StepsReport {
  const repeats = new Set(pictures.map((picture) => picture.repeats));
  const [only] = repeats;
  const shown = buckets.buckets.flatMap(({ items }) => items);
  const regPerEpoch = shown.filter((picture) => pictures[picture]?.isReg === true).length;
  return {
    samplesPerEpoch: shown.length,
    regPerEpoch,
    pictureCount: pictures.filter(({ isReg }) => isReg !== true).length,
    ...(repeats.size === 1 && only !== undefined && regPerEpoch === 0 ? { repeats: only } : {}),
    batchSize: config.train_batch_size,
    gradientAccumulationSteps: plan.accumulation,
    batchesPerEpoch: plan.batchesPerEpoch,
    updatesPerEpoch: plan.updatesPerEpoch,
    epochs: plan.epochs,
    totalSteps: plan.totalUpdates,
  };
}
