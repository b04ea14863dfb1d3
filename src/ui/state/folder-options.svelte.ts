/**
 * What holds for single folders of the dataset. It is kept as sd-scripts' dataset configuration, a file beside the
 * pictures, so that it goes wherever they go: into a run, a reload, and the export.
 */
import { settingOfKey } from "../../config/dataset-keys.ts";
import { changeSubset, replaceRegularization, subsetValue, writeDatasetConfig, type SubsetValue, type WrittenSubset } from "../../config/dataset-write.ts";
import { parameter } from "../../config/parameters.ts";
import { parseValue } from "../../config/parse-value.ts";
import { understandConfigured, findDatasetConfig } from "../../dataset/configured-folders.ts";
import { understandFolder } from "../../dataset/folders.ts";
import { InputError, serializeError, type SerializedError } from "../../errors.ts";
import type { DatasetFile, SubsetReport } from "../../workers/train-protocol.ts";
import type { Setup } from "./setup.svelte.ts";

export class FolderOptions {
  readonly #setup: Setup;
  /** What the last change came to, and of which folder; none where it was of the whole configuration. */
  #problem: { readonly error: SerializedError; readonly subset: SubsetReport | undefined } | undefined = $state.raw();

  constructor(setup: Setup) {
    this.#setup = setup;
  }

  /** What is wrong with the last change, where it was of this folder; without one, of the whole configuration. */
  errorOf(subset?: SubsetReport): SerializedError | undefined {
    return this.#problem?.subset === subset ? this.#problem?.error : undefined;
  }

  /** Of the dataset's configuration; undefined where its folders are understood by their names. */
  get path(): string | undefined {
    return findDatasetConfig(this.#entries);
  }

  /**
   * Gives a folder a value of its own.
   * @param text as typed; undefined takes the run's value again
   */
  async set(subset: SubsetReport, key: string, text: string | boolean | undefined): Promise<void> {
    await this.#reporting(async () => {
      const base = (await this.#text()) ?? writeDatasetConfig(this.#subsets.map((own) => this.#written(own)));
      const number = subset.table?.split(" ").at(-1) ?? this.#subsets.indexOf(subset) + 1;
      await this.#put(changeSubset(base, Number(number), key, valueOf(key, text)));
    }, subset);
  }

  /** Takes a configuration in place of the present one. */
  async take(file: File): Promise<void> {
    await this.#reporting(async () => this.#put(await file.text(), file.name.toLowerCase().endsWith(".json") ? "json" : "toml"));
  }

  async remove(): Promise<void> {
    const { path } = this;
    if (path !== undefined) await this.#reporting(async () => void (await this.#setup.pictures.change(new Map([[path, null]]))));
  }

  /** How the configuration changes with other regularization pictures; nothing where there is none. */
  async withRegularization(files: readonly DatasetFile[]): Promise<readonly (readonly [string, Blob])[]> {
    const { path } = this;
    const text = await this.#text();
    if (path === undefined || text === undefined) return [];
    const entries = files.map((file) => ({ path: file.path, size: file.file.size }));
    const subsets = files.length === 0 ? [] : understandFolder(entries, this.#setup.form.config.caption_extension).subsets;
    const added = subsets.map((own): WrittenSubset => ({ ...own, imageDir: this.#relative(own.dir), isReg: true }));
    return [[path, new Blob([replaceRegularization(text, added)])]];
  }

  get #entries(): { readonly path: string; readonly size: number }[] {
    return (this.#setup.dataset?.files ?? []).map(({ path, file }) => ({ path, size: file.size }));
  }

  get #subsets(): readonly SubsetReport[] {
    return this.#setup.dataset?.report.subsets ?? [];
  }

  async #text(): Promise<string | undefined> {
    const { path } = this;
    return this.#setup.dataset?.files.find((file) => file.path === path)?.file.text();
  }

  #written({ path, repeats, classTokens, isReg }: SubsetReport): WrittenSubset {
    return { imageDir: this.#relative(path), repeats, classTokens, isReg };
  }

  /** The folder that all pictures are in, if there is one that is not itself a folder of pictures. */
  get #root(): string {
    const roots = new Set(this.#entries.map(({ path }) => (path.includes("/") ? path.slice(0, path.indexOf("/")) : "")));
    const [only = ""] = roots;
    return roots.size === 1 && this.#subsets.every(({ path }) => path !== only) ? only : "";
  }

  #relative(path: string): string {
    const root = this.#root;
    const inner = root !== "" && path.startsWith(`${root}/`) ? path.slice(root.length + 1) : path;
    return inner === "" ? "." : inner;
  }

  /** Puts a configuration that is right into the dataset. @throws InputError `datasetConfig.*` */
  async #put(text: string, kind?: "toml" | "json"): Promise<void> {
    const old = this.path;
    const root = this.#root;
    const path = kind === undefined && old !== undefined ? old : `${root === "" ? "" : `${root}/`}dataset.${kind ?? "toml"}`;
    understandConfigured(this.#entries, { path, text }, this.#setup.form.config.caption_extension);
    const replaced = old === undefined || old === path ? [] : [[old, null] as const];
    await this.#setup.pictures.change(new Map<string, Blob | null>([...replaced, [path, new Blob([text])]]));
  }

  async #reporting(work: () => Promise<void>, subset?: SubsetReport): Promise<void> {
    this.#problem = undefined;
    try {
      await work();
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      this.#problem = { error: serializeError(error), subset };
    }
  }
}

/** What was typed, as a dataset configuration has it. @throws ConfigError */
function valueOf(key: string, text: string | boolean | undefined): SubsetValue {
  if (text === undefined || (text === "" && key !== "class_tokens")) return undefined;
  if (key === "num_repeats") return Number(text);
  const setting = settingOfKey(key);
  if (setting === undefined) return text === "" ? undefined : text;
  const value = parseValue(setting, parameter(setting), text);
  return value === null ? undefined : subsetValue(setting, value as string | number | boolean);
}
