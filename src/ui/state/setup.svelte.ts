/**
 * Preparing a run: the model, the pictures, the settings, and the plan that follows from them. Remembers the draft,
 * so that a reload finds everything as it was. Training facts (steps, bytes, buckets) come from the worker.
 */
import { serializeError } from "../../errors.ts";
import type { SerializedError } from "../../errors.ts";
import type { ParameterKey, TrainingConfig } from "../../config/parameters.ts";
import { PRESET_KEYS } from "../../config/preset.ts";
import type { DatasetRecord, ModelRef, ProvenanceRecord } from "../../storage/database.ts";
import { understandFolder } from "../../dataset/folders.ts";
import { isForRegularization } from "../../dataset/paths.ts";
import { changeDataset } from "../../storage/change-dataset.ts";
import type { DatasetChanges } from "../../storage/change-dataset.ts";
import { dataset as storedDataset, datasetFiles, deleteUnusedDatasets, saveDataset } from "../../storage/dataset-store.ts";
import { deleteCopiesExcept } from "../../storage/opfs.ts";
import { provenanceOf } from "../../storage/picture-to-dataset.ts";
import { isUnfinished, runStore } from "../../storage/run-store.ts";
import { readSetting, writeSetting } from "../../storage/settings-store.ts";
import type { TrainClient } from "../../workers/train-client.ts";
import type { DatasetFile, DatasetReport, ModelReport, ModelSource, PlanReport } from "../../workers/train-protocol.ts";
import { datasetNameOf } from "../platform/file-access.ts";
import type { PickedModel } from "../platform/file-access.ts";
import { ConfigForm } from "./config-form.svelte.ts";
import { promptFromCaptions } from "./first-prompt.ts";
import type { DemoSetup } from "./demo.ts";
import { referenceTo, reopenModel } from "./model-access.ts";
import type { ModelNeed } from "./model-access.ts";
import { FolderOptions } from "./folder-options.svelte.ts";
import { Tagging } from "./tagging.svelte.ts";

/** Set by what was picked or by the place where the page runs, so no fields for them are shown. */
export const impliedKeys: readonly ParameterKey[] = ["pretrained_model_name_or_path", "v2", "train_data_dir", "reg_data_dir", "output_dir"];

const settingName = "draft";
/** Where regularization pictures are put that were picked apart from the others. */
const regularizationDir = "reg";
/** Wait for typing to end before the worker plans again. */
const planDelayMs = 150;

interface Draft {
  readonly config?: unknown;
  readonly model?: ModelRef;
  readonly datasetId?: string;
  /** What the settings began as; without it, as the program suggests. */
  readonly preset?: ChosenPreset & { readonly settings?: unknown };
  /** The draft that the demo took the place of. */
  readonly replaced?: Draft;
}

/** A preset, link or file whose settings were taken: fields show what was changed since. */
export interface ChosenPreset {
  readonly name: string;
  /** Where it came with the program, which names it in every language. */
  readonly builtin?: string;
}

export interface OpenedModel {
  readonly ref: ModelRef;
  readonly source: ModelSource;
  readonly report: ModelReport;
}

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

export class Setup {
  readonly form = new ConfigForm();
  readonly tagging = new Tagging(this);
  readonly folderOptions = new FolderOptions(this);
  readonly #client: TrainClient;

  #model: OpenedModel | undefined = $state.raw();
  #modelBusy: string | undefined = $state();
  #modelError: SerializedError | undefined = $state.raw();
  /** A model of an earlier visit that cannot be read without the user. */
  #missingModel: { readonly ref: ModelRef; readonly need: ModelNeed } | undefined = $state.raw();
  #keepsCopy = $state(false);
  #replaced: Draft | undefined = $state.raw();
  #preset: ChosenPreset | undefined = $state.raw();

  #dataset: OpenedDataset | undefined = $state.raw();
  #datasetBusy: "listing" | "storing" | "reading" | undefined = $state();
  #datasetError: SerializedError | undefined = $state.raw();

  #plan: PlanReport | undefined = $state.raw();
  #planError: SerializedError | undefined = $state.raw();
  #isPlanning = $state(false);
  #planTimer: ReturnType<typeof setTimeout> | undefined;
  #planRequest = 0;

  constructor(client: TrainClient) {
    this.#client = client;
  }

  get model() {
    return this.#model;
  }
  get modelBusy() {
    return this.#modelBusy;
  }
  get modelError() {
    return this.#modelError;
  }
  get missingModel() {
    return this.#missingModel;
  }
  get keepsCopy() {
    return this.#keepsCopy;
  }
  set keepsCopy(keeps: boolean) {
    this.#keepsCopy = keeps;
  }
  get dataset() {
    return this.#dataset;
  }
  get datasetBusy() {
    return this.#datasetBusy;
  }
  get datasetError() {
    return this.#datasetError;
  }
  /** What the settings began as; undefined for the program's own suggestions. */
  get preset() {
    return this.#preset;
  }
  get plan() {
    return this.#plan;
  }
  get planError() {
    return this.#planError;
  }
  get isPlanning() {
    return this.#isPlanning;
  }
  /** Whether the demo took the place of a draft that can be brought back. */
  get hasReplacedDraft() {
    return this.#replaced !== undefined;
  }
  get isBusy() {
    return this.#modelBusy !== undefined || this.#datasetBusy !== undefined;
  }

  /** Brings back the draft of the last visit. */
  async restore(): Promise<void> {
    const draft = ((await readSetting(settingName).catch(() => undefined)) ?? {}) as Draft;
    this.#replaced = draft.replaced;
    await this.#load(draft);
  }

  /** Takes the demo's model, pictures and settings. What was set up before is kept for `bringBackDraft`. */
  async useDemo({ model, files, settings }: DemoSetup): Promise<void> {
    const draft = this.#draft();
    const isOwn = draft.model === undefined ? draft.datasetId !== undefined : draft.model.isDemo !== true;
    if (isOwn) this.#replaced = draft;
    this.#preset = undefined;
    this.form.loadSuggestions({});
    this.form.load(settings);
    await this.pickModel({ file: model, isDemo: true });
    await this.importDataset([...files]);
  }

  /** Undoes `useDemo`. */
  async bringBackDraft(): Promise<void> {
    const draft = this.#replaced;
    if (draft === undefined) return;
    this.#replaced = undefined;
    this.#model = undefined;
    this.#dataset = undefined;
    this.#plan = undefined;
    await this.#load(draft);
    this.#remember();
  }

  async pickModel(picked: PickedModel): Promise<void> {
    const ref = referenceTo(picked);
    this.#keepsCopy = await this.#shouldCopy(ref);
    await this.#openModel(ref, { kind: "file", file: picked.file });
  }

  /** After the user's click: asks the browser to trust the stored handle again. */
  async allowMissingModel(): Promise<void> {
    const missing = this.#missingModel?.ref;
    if (missing === undefined) return;
    const found = await reopenModel(missing, true);
    if (typeof found === "string") this.#missingModel = { ref: missing, need: found };
    else await this.#openModel(missing, found);
  }

  async importDataset(listing: DatasetFile[] | Promise<DatasetFile[]>): Promise<void> {
    this.#datasetError = undefined;
    this.#datasetBusy = "listing";
    try {
      const files = await listing;
      if (files.length === 0) return;
      this.#datasetBusy = "reading";
      const report = await this.#client.openDataset(files);
      this.#datasetBusy = "storing";
      const name = datasetNameOf(files);
      let record: DatasetRecord | undefined;
      try {
        record = await saveDataset(name, files);
      } catch (error) {
        this.#datasetError = serializeError(error);
      }
      this.#showDataset(record?.id ?? "", name, report, files, record !== undefined);
      await this.#suggestPrompt(files);
      this.#remember();
      const kept = [record?.id, this.#replaced?.datasetId].filter((id) => id !== undefined);
      if (record !== undefined) await deleteUnusedDatasets(kept).catch(() => undefined);
    } catch (error) {
      this.#datasetError = serializeError(error);
    } finally {
      this.#datasetBusy = undefined;
    }
  }

  /** Shows a dataset that is stored: after pictures were added to it, or another one took its place. */
  async showStoredDataset(id: string): Promise<void> {
    this.#datasetError = undefined;
    await this.#restoreDataset(id);
    this.#remember();
  }

  /** Files that a run does not start with. */
  get unusablePaths(): string[] {
    return (this.#dataset?.report.problems ?? []).filter(({ severity }) => severity === "error").map(({ path }) => path);
  }

  async leaveOutUnusable(): Promise<void> {
    const unusable = new Set(this.unusablePaths);
    await this.importDataset((this.#dataset?.files ?? []).filter(({ path }) => !unusable.has(path)));
  }

  /** Puts files into the dataset or takes them away; the stored copy follows. False, with the error shown, where that fails. */
  async changeDataset(changes: DatasetChanges): Promise<boolean> {
    const dataset = this.#dataset;
    if (dataset === undefined) return false;
    this.#datasetError = undefined;
    const put = [...changes].flatMap(([path, file]) => (file === null ? [] : [{ path, file }]));
    const files = [...dataset.files.filter(({ path }) => !changes.has(path)), ...put];
    try {
      const record = dataset.isKept ? await changeDataset(dataset.id, changes) : undefined;
      const report = await this.#client.openDataset(files);
      this.#showDataset(record?.id ?? "", dataset.name, report, files, record !== undefined, dataset.provenance);
      this.#remember();
      return true;
    } catch (error) {
      this.#datasetError = serializeError(error);
      return false;
    }
  }

  /** Puts regularization pictures beside the training pictures, in place of those that are there. */
  async setRegularization(listing: DatasetFile[] | Promise<DatasetFile[]>): Promise<void> {
    this.#datasetError = undefined;
    try {
      const files = await listing;
      // What holds no pictures is refused here: beside training pictures it would be passed over without a word.
      if (files.length > 0) understandFolder(files.map(({ path, file }) => ({ path, size: file.size })), this.form.config.caption_extension);
      const put = files.map(({ path, file }) => [isForRegularization(path) ? path : `${regularizationDir}/${path}`, file] as const);
      const old = (this.#dataset?.files ?? []).filter(({ path }) => isForRegularization(path));
      const configured = await this.folderOptions.withRegularization(put.map(([path, file]) => ({ path, file })));
      await this.changeDataset(new Map([...old.map(({ path }) => [path, null] as const), ...put, ...configured]));
    } catch (error) {
      this.#datasetError = serializeError(error);
    }
  }

  /** Takes the settings of a preset, and compares with them from now on. */
  adopt(next: TrainingConfig, preset: ChosenPreset): void {
    this.form.adopt(next, PRESET_KEYS);
    this.#preset = preset;
    // The model that is open knows better what it is.
    if (this.#model !== undefined) this.form.set("v2", this.#model.report.isV2);
    this.settingsChanged();
  }

  /** Takes a change of a setting; the plan follows. */
  setParameter(key: ParameterKey, raw: unknown): void {
    this.form.set(key, raw);
    this.settingsChanged();
  }

  /** Call after the form was changed as a whole. */
  settingsChanged(): void {
    this.#remember();
    this.#planSoon();
  }

  async #openModel(ref: ModelRef, source: ModelSource): Promise<void> {
    this.#modelError = undefined;
    this.#modelBusy = ref.name;
    try {
      const report = await this.#client.openModel(source);
      this.#model = { ref, source, report };
      this.#missingModel = undefined;
      this.form.set("v2", report.isV2);
      // Whoever made a preset or link may have corrected what is only assumed of the file.
      const isCorrected = report.isPredictionAssumed && this.#preset !== undefined && this.#preset.builtin === undefined;
      if (!isCorrected) this.form.set("v_parameterization", report.predictionType === "v_prediction");
      this.form.set("pretrained_model_name_or_path", ref.name);
      this.settingsChanged();
      void deleteUnusedCopies([ref.copyName, this.#replaced?.model?.copyName]).catch(() => undefined);
    } catch (error) {
      this.#modelError = serializeError(error);
    } finally {
      this.#modelBusy = undefined;
    }
  }

  async #load(draft: Draft): Promise<void> {
    this.#preset = draft.preset === undefined ? undefined : { name: draft.preset.name, ...(draft.preset.builtin && { builtin: draft.preset.builtin }) };
    this.form.loadSuggestions(draft.preset?.settings);
    this.form.load(draft.config);
    await Promise.all([this.#restoreDataset(draft.datasetId), this.#restoreModel(draft.model)]);
  }

  async #restoreModel(ref: ModelRef | undefined): Promise<void> {
    if (ref === undefined) return;
    const found = await reopenModel(ref);
    this.#keepsCopy = ref.copyName !== undefined || (await this.#shouldCopy(ref));
    if (typeof found === "string") {
      this.#missingModel = { ref, need: found };
      return;
    }
    const chosen = this.form.value("v_parameterization");
    await this.#openModel(ref, found);
    // The user may have corrected an assumption; the draft knows better than the file.
    if (this.#model?.report.isPredictionAssumed === true) this.setParameter("v_parameterization", chosen);
  }

  async #restoreDataset(id: string | undefined): Promise<void> {
    if (id === undefined || id === "") return;
    try {
      const record = await storedDataset(id);
      if (record === undefined) return;
      this.#datasetBusy = "reading";
      const [files, provenance] = await Promise.all([datasetFiles(id), provenanceOf(id)]);
      this.#showDataset(id, record.name, await this.#client.openDataset(files), files, true, provenance);
      await this.#suggestPrompt(files, true);
    } catch (error) {
      this.#datasetError = serializeError(error);
    } finally {
      this.#datasetBusy = undefined;
    }
  }

  #showDataset(
    id: string, name: string, report: DatasetReport, files: readonly DatasetFile[], isKept: boolean, provenance: Provenance = new Map(),
  ): void {
    const wanted = new Set(report.previewPaths);
    this.#dataset = { id, name, report, isKept, files, provenance, previews: files.filter(({ path }) => wanted.has(path)) };
    this.#planSoon();
  }

  /** Samples begin with what the first caption says; a draft's own prompts stay. */
  async #suggestPrompt(files: readonly DatasetFile[], isDraft = false): Promise<void> {
    const prompt = await promptFromCaptions(files, this.form.config.caption_extension);
    // What a preset or link wants to see, or not to see, is not replaced; those of the program leave it open.
    if (prompt === undefined || (this.#preset !== undefined && (isDraft || this.#preset.builtin === undefined))) return;
    this.form.suggest("sample_prompts", prompt, isDraft);
    this.#planSoon();
  }

  /** A copy is the default where the browser could not reopen the file after a reload and there is ample room. */
  async #shouldCopy(ref: ModelRef): Promise<boolean> {
    if (ref.handle !== undefined || ref.isDemo === true) return false;
    const { quota = 0, usage = 0 } = await navigator.storage.estimate().catch(() => ({ quota: 0, usage: 0 }));
    return quota - usage > 2 * ref.bytes;
  }

  #planSoon(): void {
    clearTimeout(this.#planTimer);
    if (!this.form.isValid || (this.#model === undefined && this.#dataset === undefined)) return;
    this.#isPlanning = true;
    this.#planTimer = setTimeout(() => void this.#planNow(), planDelayMs);
  }

  async #planNow(): Promise<void> {
    this.#planRequest += 1;
    const request = this.#planRequest;
    try {
      const plan = await this.#client.plan(this.form.config);
      if (request !== this.#planRequest) return;
      this.#plan = plan;
      this.#planError = undefined;
    } catch (error) {
      if (request !== this.#planRequest) return;
      this.#plan = undefined;
      this.#planError = serializeError(error);
    }
    this.#isPlanning = false;
  }

  #draft(): Draft {
    const model = this.#model?.ref ?? this.#missingModel?.ref;
    return {
      config: this.form.config,
      ...(model === undefined ? {} : { model }),
      ...(this.#dataset?.isKept === true ? { datasetId: this.#dataset.id } : {}),
      ...(this.#preset === undefined ? {} : { preset: { ...this.#preset, settings: this.form.suggestions } }),
    };
  }

  #remember(): void {
    const replaced = this.#replaced === undefined ? {} : { replaced: this.#replaced };
    void writeSetting(settingName, { ...this.#draft(), ...replaced }).catch(() => undefined);
  }

  /** The model's reference once a copy of it is kept, so that the next visit finds it. */
  useCopy(copyName: string): void {
    if (this.#model === undefined) return;
    this.#model = { ...this.#model, ref: { ...this.#model.ref, copyName } };
    this.#remember();
  }
}

/** Copies of models that neither the set-up nor a run that may continue needs. */
async function deleteUnusedCopies(current: readonly (string | undefined)[]): Promise<void> {
  const needed = (await runStore.runs()).filter(isUnfinished).map(({ model }) => model.copyName);
  await deleteCopiesExcept(new Set([...current, ...needed].filter((name) => name !== undefined)));
}
