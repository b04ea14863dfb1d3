/**
 * Settings from elsewhere: presets of the program, the user's own, links and files. Whatever it is becomes a proposal
 * first, which shows what would change; and the way out: links, files of kohya's, presets as files.
 */
import type { ConfigWarning } from "../../config/errors.ts";
import { ConfigError } from "../../config/errors.ts";
import { loadKohyaConfig } from "../../config/kohya.ts";
import { exportForSdScripts } from "../../config/kohya-export.ts";
import { writeKohya } from "../../config/kohya-write.ts";
import type { KohyaFormat, WrittenConfig } from "../../config/kohya-write.ts";
import type { TrainingConfig } from "../../config/parameters.ts";
import type { Difference, ModelHint, Preset } from "../../config/preset.ts";
import { differencesBetween, longestPresetName, presetOf, readPreset } from "../../config/preset.ts";
import type { BuiltinPreset } from "../../config/preset-builtin.ts";
import { withBuiltin } from "../../config/preset-builtin.ts";
import { readPresetFile, writePresetFile } from "../../config/preset-file.ts";
import { readShareLink, writeShareLink } from "../../config/share-link.ts";
import { blobFolder } from "../../dataset/blob-folder.ts";
import { understandDataset } from "../../dataset/inspect.ts";
import { serializeError } from "../../errors.ts";
import type { SerializedError } from "../../errors.ts";
import { blobSource } from "../../formats/byte-source.ts";
import { shortModelHash } from "../../formats/model-hash.ts";
import { writeZip } from "../../formats/zip.ts";
import type { PresetRecord } from "../../storage/database.ts";
import { openCopy } from "../../storage/opfs.ts";
import { deletePreset, ownPresets, savePreset } from "../../storage/preset-store.ts";
import { ConfigOrigin } from "./config-origin.svelte.ts";
import type { Setup } from "./setup.svelte.ts";

/** Settings that wait for a yes. */
export interface Proposal {
  /** Undefined for a preset of the program, which has a name in every language. */
  readonly name: string | undefined;
  readonly builtin?: BuiltinPreset;
  readonly differences: readonly Difference[];
  readonly next: TrainingConfig;
  /** What can't be used; those settings are not changed. */
  readonly problems: readonly ConfigError[];
  readonly warnings: readonly ConfigWarning[];
  readonly unknownKeys: readonly string[];
  readonly model?: ModelHint;
  /** The file of kohya's that it is. */
  readonly origin?: string;
}

export class Presets {
  readonly origin = new ConfigOrigin();
  readonly #setup: Setup;
  #own: readonly PresetRecord[] = $state.raw([]);
  #proposal: Proposal | undefined = $state.raw();
  #error: SerializedError | undefined = $state.raw();
  #exportError: SerializedError | undefined = $state.raw();

  constructor(setup: Setup) {
    this.#setup = setup;
  }

  get own() {
    return this.#own;
  }
  get proposal() {
    return this.#proposal;
  }
  get error() {
    return this.#error;
  }
  /** Why the last export failed. */
  get exportError() {
    return this.#exportError;
  }

  async wake(): Promise<void> {
    this.#own = await ownPresets().catch(() => []);
    await this.origin.wake();
  }

  proposeBuiltin(builtin: BuiltinPreset): void {
    this.#propose({ name: undefined, builtin, next: withBuiltin(builtin, this.#setup.form.config) });
  }

  proposeOwn(record: PresetRecord): void {
    this.#attempt(() => this.#proposePreset(record));
  }

  /** A preset's link, as the address's hash. */
  async openLink(hash: string): Promise<void> {
    try {
      const preset = await readShareLink(hash);
      this.#attempt(() => this.#proposePreset(preset));
    } catch (error) {
      this.#fail(error);
    }
  }

  /** A preset's file, or a configuration of kohya's in any format. */
  async openFile(file: File): Promise<void> {
    try {
      const text = await file.text();
      this.#attempt(() => {
        const preset = readPresetFile(text);
        if (preset === undefined) this.#proposeKohya(file.name, text);
        else this.#proposePreset(preset);
      });
    } catch (error) {
      this.#fail(error);
    }
  }

  apply(): void {
    const proposal = this.#proposal;
    if (proposal === undefined) return;
    this.#setup.adopt(proposal.next, {
      name: proposal.name ?? proposal.builtin?.label.en ?? "", ...(proposal.builtin && { builtin: proposal.builtin.id }),
    });
    this.origin.set(proposal.origin);
    this.dismiss();
  }

  dismiss(): void {
    this.#proposal = undefined;
    this.#error = undefined;
  }

  /** Keeps the settings at hand under a name; one of that name is replaced. */
  async save(name: string): Promise<void> {
    try {
      const { settings } = presetOf(name, this.#setup.form.config);
      await savePreset({ name, settings });
      this.#own = await ownPresets();
    } catch (error) {
      this.#fail(error);
    }
  }

  async remove(name: string): Promise<void> {
    try {
      await deletePreset(name);
      this.#own = await ownPresets();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The settings at hand as a preset, with a hint of the base model. */
  async present(name: string): Promise<Preset> {
    return presetOf(name.slice(0, longestPresetName), $state.snapshot(this.#setup.form.config) as TrainingConfig, await this.#modelHint());
  }

  /** Hash of the address of a preset; undefined where it would be too long. */
  async linkOf(preset: Preset): Promise<string | undefined> {
    return writeShareLink(preset);
  }

  fileOf(preset: Preset): Blob {
    return new Blob([writePresetFile(preset)], { type: "application/json" });
  }

  /** The settings at hand for kohya, with everything foreign of the file that they came from. */
  write(format: KohyaFormat): WrittenConfig {
    return writeKohya(this.#setup.form.config, format, this.origin.text);
  }

  /**
   * The run as sd-scripts would have it, pictures and all, as a zip file.
   * @param save takes what writes the file, and says whether that happened
   * @returns undefined where it did not; an error is shown
   */
  async exportZip(save: (write: (to: WritableStream<Uint8Array<ArrayBuffer>>) => Promise<void>) => Promise<boolean>): Promise<readonly ConfigWarning[] | undefined> {
    const { dataset, form, model, networks } = this.#setup;
    this.#exportError = undefined;
    if (dataset === undefined) return undefined;
    try {
      const modelName = model?.ref.name ?? "model.safetensors";
      const { subsets } = await understandDataset(blobFolder(dataset.files), form.config.caption_extension);
      const { files, warnings } = exportForSdScripts(form.config, subsets, modelName, this.origin.text, (name) => networks.has(name));
      const blobs = new Map(dataset.files.map(({ path, file }) => [path, file]));
      const entries = files.map((file) => {
        const known = "text" in file ? new Blob([file.text]) : "start" in file ? networks.contents(file.start) : blobs.get(file.from);
        const contents = known ?? new Blob();
        return { path: `${form.config.output_name}/${file.path}`, size: contents.size, open: () => contents.stream() };
      });
      return (await save((to) => writeZip(entries, to))) ? warnings : undefined;
    } catch (error) {
      this.#exportError = serializeError(error);
      return undefined;
    }
  }

  dismissExportError(): void {
    this.#exportError = undefined;
  }

  #proposePreset(preset: Preset): void {
    const { config, unknownKeys } = readPreset(preset);
    this.#propose({ name: preset.name, next: config, unknownKeys, ...(preset.model === undefined ? {} : { model: preset.model }) });
  }

  #proposeKohya(name: string, text: string): void {
    const problems: ConfigError[] = [];
    const { config, warnings, unknownKeys } = loadKohyaConfig(text, (problem) => problems.push(problem));
    this.#propose({ name, next: config, problems, warnings, unknownKeys, origin: text });
  }

  #propose(what: Omit<Proposal, "differences" | "problems" | "warnings" | "unknownKeys"> & Partial<Proposal>): void {
    const differences = differencesBetween(this.#setup.form.config, what.next);
    this.#error = undefined;
    this.#proposal = { problems: [], warnings: [], unknownKeys: [], ...what, differences };
  }

  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#proposal = undefined;
    this.#error = serializeError(error);
  }

  async #modelHint(): Promise<ModelHint | undefined> {
    const { model } = this.#setup;
    if (model === undefined) return undefined;
    const { source, ref } = model;
    const file = source.kind === "file" ? source.file : await openCopy(source.copyName);
    const hash = file === undefined ? undefined : await shortModelHash(blobSource(file, ref.name)).catch(() => undefined);
    return { name: ref.name, ...(hash === undefined ? {} : { hash }) };
  }
}
