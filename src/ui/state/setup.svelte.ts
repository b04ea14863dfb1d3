/**
 * Preparing a run: the model, the pictures, the settings, and the plan that follows from them. Remembers the draft,
 * so that a reload finds everything as it was.
 */
import type { ParameterKey, TrainingConfig } from "../../config/parameters.ts";
import { PRESET_KEYS } from "../../config/preset.ts";
import type { ModelRef } from "../../storage/database.ts";
import { readSetting, writeSetting } from "../../storage/settings-store.ts";
import type { TrainClient } from "../../workers/train-client.ts";
import type { DatasetFile } from "../../workers/train-protocol.ts";
import { ConfigForm } from "./config-form.svelte.ts";
import { DatasetSetup } from "./dataset-setup.svelte.ts";
import type { DemoSetup } from "./demo.ts";
import { promptFromCaptions } from "./first-prompt.ts";
import { FolderOptions } from "./folder-options.svelte.ts";
import { ModelSetup } from "./model-setup.svelte.ts";
import type { OpenedModel } from "./model-setup.svelte.ts";
import { Planner } from "./planner.svelte.ts";
import { StartNetworks } from "./start-networks.svelte.ts";
import { Tagging } from "./tagging.svelte.ts";

/** Set by what was picked or by the place where the page runs, so no fields for them are shown. */
export const impliedKeys: readonly ParameterKey[] = ["pretrained_model_name_or_path", "v2", "train_data_dir", "reg_data_dir", "output_dir"];

const settingName = "draft";

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

export class Setup {
  readonly form = new ConfigForm();
  readonly models: ModelSetup;
  readonly pictures: DatasetSetup;
  readonly planner: Planner;
  readonly tagging: Tagging;
  readonly folderOptions = new FolderOptions(this);
  readonly networks: StartNetworks;
  #replaced: Draft | undefined = $state.raw();
  #preset: ChosenPreset | undefined = $state.raw();

  constructor(client: TrainClient) {
    this.planner = new Planner(client);
    this.networks = new StartNetworks(this, client);
    this.models = new ModelSetup(client, {
      onopened: (model) => this.#takeModel(model),
      copiesNeeded: () => [this.#replaced?.model?.copyName],
    });
    this.pictures = new DatasetSetup(client, {
      captionExtension: () => this.form.config.caption_extension,
      withRegularization: (files) => this.folderOptions.withRegularization(files),
      onopened: (files, isDraft) => this.#takePictures(files, isDraft),
      onchanged: () => this.settingsChanged(),
      datasetsNeeded: () => [this.#replaced?.datasetId],
    });
    this.tagging = new Tagging(this.pictures);
  }

  get model() {
    return this.models.model;
  }
  get dataset() {
    return this.pictures.dataset;
  }
  get plan() {
    return this.planner.plan;
  }
  /** What the settings began as; undefined for the program's own suggestions. */
  get preset() {
    return this.#preset;
  }
  /** Whether the demo took the place of a draft that can be brought back. */
  get hasReplacedDraft() {
    return this.#replaced !== undefined;
  }
  get isBusy() {
    return this.models.busy !== undefined || this.pictures.busy !== undefined;
  }

  /** Brings back the draft of the last visit. */
  async restore(): Promise<void> {
    const draft = ((await readSetting(settingName).catch(() => undefined)) ?? {}) as Draft;
    this.#replaced = draft.replaced;
    await this.networks.restore();
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
    await this.models.pick({ file: model, isDemo: true });
    await this.pictures.import([...files]);
  }

  /** Undoes `useDemo`. */
  async bringBackDraft(): Promise<void> {
    const draft = this.#replaced;
    if (draft === undefined) return;
    this.#replaced = undefined;
    this.models.clear();
    this.pictures.clear();
    this.planner.clear();
    await this.#load(draft);
    this.#remember();
  }

  /** Takes the settings of a preset, and compares with them from now on. */
  adopt(next: TrainingConfig, preset: ChosenPreset): void {
    this.form.adopt(next, PRESET_KEYS);
    this.#preset = preset;
    // The model that is open knows better what it is.
    if (this.model !== undefined) this.form.set("v2", this.model.report.isV2);
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

  /** The model's reference once a copy of it is kept, so that the next visit finds it. */
  useCopy(copyName: string): void {
    this.models.useCopy(copyName);
    this.#remember();
  }

  #takeModel({ ref, report }: OpenedModel): void {
    this.form.set("v2", report.isV2);
    // Whoever made a preset or link may have corrected what is only assumed of the file.
    const isCorrected = report.isPredictionAssumed && this.#preset !== undefined && this.#preset.builtin === undefined;
    if (!isCorrected) this.form.set("v_parameterization", report.predictionType === "v_prediction");
    this.form.set("pretrained_model_name_or_path", ref.name);
    this.settingsChanged();
  }

  /** Samples begin with what the first caption says; a draft's own prompts stay. */
  async #takePictures(files: readonly DatasetFile[], isDraft: boolean): Promise<void> {
    this.#planSoon();
    const prompt = await promptFromCaptions(files, this.form.config.caption_extension);
    // What a preset or link wants to see, or not to see, is not replaced; those of the program leave it open.
    if (prompt === undefined || (this.#preset !== undefined && (isDraft || this.#preset.builtin === undefined))) return;
    this.form.suggest("sample_prompts", prompt, isDraft);
    this.#planSoon();
  }

  async #load({ preset, config, datasetId, model }: Draft): Promise<void> {
    this.#preset = preset === undefined ? undefined : { name: preset.name, ...(preset.builtin && { builtin: preset.builtin }) };
    this.form.loadSuggestions(preset?.settings);
    this.form.load(config);
    await Promise.all([this.pictures.restore(datasetId), this.#restoreModel(model)]);
  }

  async #restoreModel(ref: ModelRef | undefined): Promise<void> {
    const chosen = this.form.value("v_parameterization");
    await this.models.restore(ref);
    // The user may have corrected an assumption; the draft knows better than the file.
    if (this.model?.report.isPredictionAssumed === true) this.setParameter("v_parameterization", chosen);
  }

  #planSoon(): void {
    this.planner.soon(() =>
      this.form.isValid && (this.model !== undefined || this.dataset !== undefined) ? { config: this.form.config, startFiles: this.networks.chosen } : undefined,
    );
  }

  #draft(): Draft {
    const { ref } = this.models;
    return {
      config: this.form.config,
      ...(ref === undefined ? {} : { model: ref }),
      ...(this.dataset?.isKept === true ? { datasetId: this.dataset.id } : {}),
      ...(this.#preset === undefined ? {} : { preset: { ...this.#preset, settings: this.form.suggestions } }),
    };
  }

  #remember(): void {
    const replaced = this.#replaced === undefined ? {} : { replaced: this.#replaced };
    void writeSetting(settingName, { ...this.#draft(), ...replaced }).catch(() => undefined);
  }
}
