/** Presets: settings under a name, as what differs from sd-scripts' defaults. Those never change, and the advice may. */
import { ConfigError } from "./errors.ts";
import { parseConfig } from "./config.ts";
import type { ParameterKey, TrainingConfig } from "./parameters.ts";
import { PARAMETER_KEYS, defaultConfig, isParameterKey } from "./parameters.ts";
import { isSame } from "./same-value.ts";

export interface Preset {
  readonly name: string;
  /** What differs from sd-scripts' defaults; nothing about files and folders of a computer. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** The base model that it was made with. */
  readonly model?: ModelHint;
}

export interface ModelHint {
  readonly name: string;
  /** The web UI's short hash of it. */
  readonly hash?: string;
}

/** Longest name, in characters. */
export const longestPresetName = 80;

/** Files and folders: they are of one computer, and nobody else's business. So may be the picture of one result. */
const LOCAL = new Set(
  `pretrained_model_name_or_path train_data_dir reg_data_dir output_dir logging_dir vae resume weights network_weights dim_from_weights base_weights
  base_weights_multiplier
  in_json dataset_config conditioning_data_dir metadata_thumbnail`.split(/\s+/),
);

/** Settings that a preset speaks about, in the table's order. */
export const PRESET_KEYS: readonly ParameterKey[] = PARAMETER_KEYS.filter((key) => !LOCAL.has(key));

export function presetOf(name: string, config: TrainingConfig, model?: ModelHint): Preset {
  const defaults = defaultConfig();
  const keys = PRESET_KEYS.filter((key) => !isSame(config[key], defaults[key]));
  const settings = Object.fromEntries(keys.map((key) => [key, config[key]]));
  return { name, settings, ...(model === undefined ? {} : { model }) };
}

export interface ReadPreset {
  /** All settings as the preset means them; those of the computer at their defaults. */
  readonly config: TrainingConfig;
  /** Settings that this version does not know. */
  readonly unknownKeys: readonly string[];
}

/**
 * What a preset says. Nothing in it is bent to fit: a value that is not exactly one of its setting is a problem.
 * @throws ConfigError naming the setting
 */
export function readPreset({ settings }: Preset): ReadPreset {
  const entries = Object.entries(settings);
  const unknownKeys = entries.map(([key]) => key).filter((key) => !isParameterKey(key) || LOCAL.has(key));
  const { config } = parseConfig(Object.fromEntries(entries.filter(([key]) => !unknownKeys.includes(key))));
  for (const [key, value] of entries) {
    if (!unknownKeys.includes(key) && !isSame(config[key as ParameterKey], value)) throw notExact(key, value);
  }
  return { config, unknownKeys };
}

function notExact(key: string, value: unknown): ConfigError {
  return new ConfigError("type", key, value, "must be written as this program writes it");
}

/** One setting that would change. */
export interface Difference {
  readonly key: ParameterKey;
  readonly from: TrainingConfig[ParameterKey];
  readonly to: TrainingConfig[ParameterKey];
}

/** What changes where `next` takes the place of `current`, in the table's order. */
export function differencesBetween(
  current: TrainingConfig, next: TrainingConfig, keys: readonly ParameterKey[] = PRESET_KEYS,
): Difference[] {
  return keys.filter((key) => !isSame(current[key], next[key])).map((key) => ({ key, from: current[key], to: next[key] }));
}
