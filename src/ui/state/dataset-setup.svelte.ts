/** The pictures of the run that is prepared: understood by the worker, stored so that a reload finds them, and changed. */
import { serializeError } from "../../errors.ts";
import type { SerializedError } from "../../errors.ts";
import type { DatasetRecord, ProvenanceRecord } from "../../storage/database.ts";
import { isForRegularization } from "../../dataset/paths.ts";
import { changeDataset } from "../../storage/change-dataset.ts";
import type { DatasetChanges } from "../../storage/change-dataset.ts";
import { dataset as storedDataset, datasetFiles, deleteUnusedDatasets, saveDataset } from "../../storage/dataset-store.ts";
import { provenanceOf } from "../../storage/picture-to-dataset.ts";
import type { TrainClient } from "../../workers/train-client.ts";
import type { DatasetFile, DatasetReport } from "../../workers/train-protocol.ts";
import { datasetNameOf } from "../platform/file-access.ts";
import { asRegularization } from "./regularization.ts";

export type Provenance = ReadonlyMap<string, ProvenanceRecord>;

export interface OpenedDataset {
  readonly id: string;
  readonly name: string;
  readonly report: DatasetReport;
  readonly files: readonly DatasetFile[];
  /** The first usable pictures, for thumbnails. */
  readonly previews: readonly DatasetFile[];
  /** Of pictures that were made on the Test screen, by path. */
  readonly provenance: Provenance;
  /** False where there was no room: a reload will ask again. */
  readonly isKept: boolean;
}

interface Surroundings {
  readonly captionExtension: () => string;
  /** What else changes in the dataset with other regularization pictures. */
  readonly withRegularization: (files: readonly DatasetFile[]) => Promise<readonly (readonly [string, Blob])[]>;
  /** Called when other pictures are there; `isDraft`: those of an earlier visit. */
  readonly onopened: (files: readonly DatasetFile[], isDraft: boolean) => Promise<void>;
  /** Called after every change, to remember and plan. */
  readonly onchanged: () => void;
  /** Stored datasets that something else needs. */
  readonly datasetsNeeded: () => readonly (string | undefined)[];
}

export class DatasetSetup {
  readonly #client: TrainClient;
  readonly #surroundings: Surroundings;
  #dataset: OpenedDataset | undefined = $state.raw();
  #busy: "listing" | "storing" | "reading" | undefined = $state();
  #error: SerializedError | undefined = $state.raw();

  constructor(client: TrainClient, surroundings: Surroundings) {
    this.#client = client;
    this.#surroundings = surroundings;
  }

  get dataset() {
    return this.#dataset;
  }
  get busy() {
    return this.#busy;
  }
  get error() {
    return this.#error;
  }
  /** Files that a run does not start with. */
  get unusablePaths(): string[] {
    return (this.#dataset?.report.problems ?? []).filter(({ severity }) => severity === "error").map(({ path }) => path);
  }

  /** @param called what the dataset is called; by its folder where nothing is said */
  async import(listing: DatasetFile[] | Promise<DatasetFile[]>, called?: string): Promise<void> {
    this.#error = undefined;
    this.#busy = "listing";
    try {
      const files = await listing;
      if (files.length === 0) return;
      this.#busy = "reading";
      const report = await this.#client.openDataset(files);
      this.#busy = "storing";
      const name = called ?? datasetNameOf(files);
      let record: DatasetRecord | undefined;
      try {
        record = await saveDataset(name, files);
      } catch (error) {
        this.#error = serializeError(error);
      }
      this.#show(record?.id ?? "", name, report, files, record !== undefined);
      await this.#surroundings.onopened(files, false);
      this.#surroundings.onchanged();
      const kept = [record?.id, ...this.#surroundings.datasetsNeeded()].filter((id) => id !== undefined);
      if (record !== undefined) await deleteUnusedDatasets(kept).catch(() => undefined);
    } catch (error) {
      this.#error = serializeError(error);
    } finally {
      this.#busy = undefined;
    }
  }

  /** Shows a dataset that is stored: after pictures were added to it, or another one took its place. */
  async showStored(id: string): Promise<void> {
    this.#error = undefined;
    await this.restore(id);
    this.#surroundings.onchanged();
  }

  async leaveOutUnusable(): Promise<void> {
    const unusable = new Set(this.unusablePaths);
    await this.import((this.#dataset?.files ?? []).filter(({ path }) => !unusable.has(path)));
  }

  /** Puts files into the dataset or takes them away; the stored copy follows. False, with the error shown, where that fails. */
  async change(changes: DatasetChanges): Promise<boolean> {
    const dataset = this.#dataset;
    if (dataset === undefined) return false;
    this.#error = undefined;
    const put = [...changes].flatMap(([path, file]) => (file === null ? [] : [{ path, file }]));
    const files = [...dataset.files.filter(({ path }) => !changes.has(path)), ...put];
    try {
      const record = dataset.isKept ? await changeDataset(dataset.id, changes) : undefined;
      const report = await this.#client.openDataset(files);
      this.#show(record?.id ?? "", dataset.name, report, files, record !== undefined, dataset.provenance);
      this.#surroundings.onchanged();
      return true;
    } catch (error) {
      this.#error = serializeError(error);
      return false;
    }
  }

  /** Puts regularization pictures beside the training pictures, in place of those that are there. */
  async setRegularization(listing: DatasetFile[] | Promise<DatasetFile[]>): Promise<void> {
    this.#error = undefined;
    try {
      const put = asRegularization(await listing, this.#surroundings.captionExtension());
      const old = (this.#dataset?.files ?? []).filter(({ path }) => isForRegularization(path));
      const others = await this.#surroundings.withRegularization(put);
      await this.change(new Map([...old.map(({ path }) => [path, null] as const), ...put.map(({ path, file }) => [path, file] as const), ...others]));
    } catch (error) {
      this.#error = serializeError(error);
    }
  }

  /** Shows a stored dataset again; nothing where it is gone. */
  async restore(id: string | undefined): Promise<void> {
    if (id === undefined || id === "") return;
    try {
      const record = await storedDataset(id);
      if (record === undefined) return;
      this.#busy = "reading";
      const [files, provenance] = await Promise.all([datasetFiles(id), provenanceOf(id)]);
      this.#show(id, record.name, await this.#client.openDataset(files), files, true, provenance);
      await this.#surroundings.onopened(files, true);
    } catch (error) {
      this.#error = serializeError(error);
    } finally {
      this.#busy = undefined;
    }
  }

  clear(): void {
    this.#dataset = undefined;
  }

  #show(
    id: string, name: string, report: DatasetReport, files: readonly DatasetFile[], isKept: boolean, provenance: Provenance = new Map(),
  ): void {
    const wanted = new Set(report.previewPaths);
    this.#dataset = { id, name, report, isKept, files, provenance, previews: files.filter(({ path }) => wanted.has(path)) };
  }
}
