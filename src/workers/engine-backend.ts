/** The backend of the product: opens what was picked with the pure libraries, and trains with the engine. */
import { defaultConfig, type TrainingConfig } from "../config/parameters.ts";
import { blobFolder } from "../dataset/blob-folder.ts";
import { checkSubsets } from "../dataset/configured-folders.ts";
import { datasetError, inspectDataset } from "../dataset/inspect.ts";
import type { CaptionReading, InspectedDataset, Picture } from "../dataset/inspect.ts";
import type { RgbaImage } from "../dataset/image.ts";
import { blobSource } from "../formats/byte-source.ts";
import { openTensorFile } from "../formats/open-tensor-file.ts";
import type { Checkpoint } from "../models/config.ts";
import type { StartFile } from "../storage/database.ts";
import { openStartNetworks, type StartNetworks } from "../training/start-networks.ts";
import { planDataset, type TrainingPicture } from "../training/run-plan.ts";
import { describeDataset, stepsReport } from "./dataset-report.ts";
import { decodePicture } from "./decode-picture.ts";
import type { Engine } from "./engine.ts";
import { inspectGpu } from "./gpu-report.ts";
import { describeModel, openModelFile } from "./model-report.ts";
import type { DatasetFile, DatasetReport, ModelReport, PlanReport } from "./train-protocol.ts";
import type { RunHost, TrainingBackend, TrainJob } from "./training-backend.ts";

/** How captions are read until the settings say otherwise. */
const usualReading: CaptionReading = { caption_extension: ".txt", enable_wildcard: false };

/** What a plan asks of a picture; nothing is decoded for it. */
function planned(picture: Picture): Omit<TrainingPicture, "decode"> {
  const { maskPath, ...rest } = picture;
  return maskPath === undefined ? rest : { ...rest, decodeMask: () => Promise.reject(new Error(`invariant: ${maskPath} is only planned`)) };
}

function openNetworks(config: TrainingConfig, files: readonly StartFile[]): Promise<StartNetworks> {
  return openStartNetworks(config, async (wanted) => {
    const found = files.find(({ name }) => name === wanted);
    return found && openTensorFile(blobSource(found.file, found.name));
  });
}

export class EngineBackend implements TrainingBackend {
  readonly #engine: Engine;
  #checkpoint: Checkpoint | undefined;
  #files: readonly DatasetFile[] = [];
  #dataset: { readonly inspected: InspectedDataset; readonly reading: CaptionReading } | undefined;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  gpu = inspectGpu;

  async openModel(file: File): Promise<ModelReport> {
    const checkpoint = await openModelFile(file);
    this.#checkpoint = checkpoint;
    return describeModel(checkpoint);
  }

  async openDataset(files: readonly DatasetFile[]): Promise<DatasetReport> {
    this.#files = files;
    this.#dataset = undefined;
    return describeDataset(await this.#inspect(usualReading));
  }

  async plan(config: TrainingConfig, startFiles: readonly StartFile[] = []): Promise<PlanReport> {
    if (this.#files.length === 0) return { advice: [] };
    const dataset = await this.#inspect(config);
    checkSubsets(dataset.subsets, config);
    const plan = planDataset(dataset.pictures.map(planned), config);
    const known = {
      buckets: plan.buckets.buckets.map(({ resolution: [width, height], items }) => ({ width, height, count: items.length })),
      steps: stepsReport(dataset, config, plan),
      advice: [],
    };
    if (this.#checkpoint === undefined) return known;
    return { ...known, ...(await this.#engine.forecast({ config, checkpoint: this.#checkpoint, plan, networks: await openNetworks(config, startFiles) })) };
  }

  async train(job: TrainJob, host: RunHost): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const folder = blobFolder(job.dataset);
    const checkpoint = await openModelFile(job.model);
    // Runs that were stored before a parameter existed mean its default.
    const config = { ...defaultConfig(), ...job.config };
    const dataset = await inspectDataset(folder, config);
    if (dataset.problems.length > 0) throw datasetError(dataset.problems);
    checkSubsets(dataset.subsets, config);
    const decode = async (path: string): Promise<RgbaImage> => decodePicture((await folder.read(path)).slice(), path);
    const pictures = dataset.pictures.map((picture): TrainingPicture => {
      const { path, maskPath } = picture;
      return { ...picture, decode: () => decode(path), ...(maskPath === undefined ? {} : { decodeMask: () => decode(maskPath) }) };
    });
    const resume = job.checkpoint === undefined ? {} : { resume: job.checkpoint };
    const networks = await openNetworks(config, job.startFiles ?? []);
    const startWords = job.startWords === undefined ? {} : { startWords: job.startWords };
    return this.#engine.train({ config, checkpoint, dataset, pictures, networks, ...startWords, ...resume }, host);
  }

  exportAdapter: TrainingBackend["exportAdapter"] = async (checkpoint, job) =>
    this.#engine.exportAdapter(checkpoint, job, job.model === undefined ? undefined : await openModelFile(job.model));

  async #inspect({ caption_extension, enable_wildcard }: CaptionReading): Promise<InspectedDataset> {
    const known = this.#dataset?.reading;
    if (this.#dataset === undefined || known?.caption_extension !== caption_extension || known.enable_wildcard !== enable_wildcard) {
      const reading = { caption_extension, enable_wildcard };
      this.#dataset = { inspected: await inspectDataset(blobFolder(this.#files), reading), reading };
    }
    return this.#dataset.inspected;
  }
}
