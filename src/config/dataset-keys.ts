/** Which keys a dataset configuration of sd-scripts may have, where, and of which type: its `config_util.py`. */
import type { ParameterKey, TrainingConfig } from "./parameters.ts";
import { isParameterKey } from "./parameters.ts";

type ValueType = "bool" | "int" | "number" | "text" | "size" | "range" | "table";

/** May stand in `[general]`, `[[datasets]]` and `[[datasets.subsets]]`; the innermost wins. */
const SUBSET_KEYS = {
  num_repeats: "int",
  shuffle_caption: "bool",
  caption_separator: "text",
  keep_tokens: "int",
  keep_tokens_separator: "text",
  secondary_separator: "text",
  enable_wildcard: "bool",
  caption_prefix: "text",
  caption_suffix: "text",
  caption_dropout_rate: "number",
  caption_dropout_every_n_epochs: "int",
  caption_tag_dropout_rate: "number",
  token_warmup_min: "int",
  token_warmup_step: "number",
  color_aug: "bool",
  flip_aug: "bool",
  random_crop: "bool",
  face_crop_aug_range: "range",
  resize_interpolation: "text",
  custom_attributes: "table",
  caption_extension: "text",
  class_tokens: "text",
  cache_info: "bool",
} as const satisfies Record<string, ValueType>;

/** May stand in `[general]` and `[[datasets]]`. */
const DATASET_KEYS = {
  batch_size: "int",
  resolution: "size",
  enable_bucket: "bool",
  min_bucket_reso: "int",
  max_bucket_reso: "int",
  bucket_reso_steps: "int",
  bucket_no_upscale: "bool",
  network_multiplier: "number",
  validation_seed: "int",
  validation_split: "number",
  resize_interpolation: "text",
} as const satisfies Record<string, ValueType>;

/** Stand in `[[datasets.subsets]]` alone. */
const OWN_SUBSET_KEYS = {
  image_dir: "text",
  is_reg: "bool",
  alpha_mask: "bool",
  conditioning_data_dir: "text",
  metadata_file: "text",
} as const satisfies Record<string, ValueType>;

export type TableKind = "general" | "dataset" | "subset";

const KEYS: Readonly<Record<TableKind, Readonly<Record<string, ValueType>>>> = {
  general: { ...SUBSET_KEYS, ...DATASET_KEYS },
  dataset: { ...SUBSET_KEYS, ...DATASET_KEYS },
  subset: { ...SUBSET_KEYS, ...OWN_SUBSET_KEYS },
};

/** @returns undefined for keys that sd-scripts refuses there */
export function typeOfKey(kind: TableKind, key: string): ValueType | undefined {
  return Object.hasOwn(KEYS[kind], key) ? KEYS[kind][key] : undefined;
}

/** The setting that a key is of a run; undefined for those that are none. */
export function settingOfKey(key: string): ParameterKey | undefined {
  const name = key === "batch_size" ? "train_batch_size" : key;
  return isParameterKey(name) ? name : undefined;
}

/** The key that a setting has in a dataset configuration. */
export function keyOfSetting(setting: ParameterKey): string {
  return setting === "train_batch_size" ? "batch_size" : setting;
}

/** Settings that a folder may have for itself, in the order in which they are shown. */
export const SUBSET_SETTINGS: readonly ParameterKey[] = Object.keys({ alpha_mask: "bool", ...SUBSET_KEYS })
  .flatMap((key) => settingOfKey(key) ?? []);

/** Settings that a group of folders may have for itself. */
export const DATASET_SETTINGS: readonly ParameterKey[] = Object.keys(DATASET_KEYS).flatMap((key) => settingOfKey(key) ?? []);

/** Settings of some pictures in place of the run's. */
export type Overrides = Readonly<Partial<TrainingConfig>>;

const merged = new WeakMap<TrainingConfig, WeakMap<Overrides, TrainingConfig>>();

/** The settings that hold for pictures; the same object for the same pair. */
export function configOf(config: TrainingConfig, overrides: Overrides | undefined): TrainingConfig {
  if (overrides === undefined) return config;
  const known = merged.get(config) ?? new WeakMap<Overrides, TrainingConfig>();
  merged.set(config, known);
  const own = known.get(overrides) ?? { ...config, ...overrides };
  known.set(overrides, own);
  return own;
}
