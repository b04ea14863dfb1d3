/** Training settings of a command: `--config` file, then `--set key=value`, and what the checkpoint itself tells. */
import { readFile } from "node:fs/promises";
import { dirname, extname, resolve } from "node:path";
import { parseConfig } from "../config/config.ts";
import { noiseAdvice, rateAdvice } from "../config/advice.ts";
import { readKohyaFile, parseSetOption, type KohyaFile } from "../config/kohya.ts";
import { defaultConfig, suggestedConfig, type TrainingConfig } from "../config/parameters.ts";
import { PRESET_KEYS, readPreset } from "../config/preset.ts";
import type { Preset } from "../config/preset.ts";
import { readPresetFile } from "../config/preset-file.ts";
import { rankAdvice } from "../config/rank-advice.ts";
import { startAdvice } from "../config/start-advice.ts";
import { isPromptFileName, readPromptFile } from "../config/sample-prompts.ts";
import { isShareLink, readShareLink } from "../config/share-link.ts";
import { InputError } from "../errors.ts";
import type { Checkpoint } from "../models/config.ts";

/** Options that commands with settings share. */
export const settingsOptions = {
  config: { type: "string" },
  set: { type: "string", multiple: true },
  kind: { type: "string" },
  suggested: { type: "boolean" },
} as const;

export const settingsHelp = `Settings (by kohya's names; what is not set means what sd-scripts means by default)
  --config FILE|LINK TOML or JSON of sd-scripts, a JSON of kohya_ss' GUI, a preset's file, or its link (…/#p=…)
  --set KEY=VALUE    one setting, e.g. network_dim=16; repeatable, wins over --config
  --kind KIND        what is trained: lora, textual-inversion or full; the same as --set training_kind=KIND
  --suggested        start from the values that the page suggests instead of sd-scripts' defaults
                     v2 and v_parameterization are read from the checkpoint unless they are set`;

export interface SettingsOptions {
  readonly config?: string | undefined;
  readonly set?: readonly string[] | undefined;
  readonly kind?: string | undefined;
  readonly suggested?: boolean | undefined;
}

/** What the user wrote, not yet judged. */
export interface GivenSettings {
  /** Raw values by kohya key. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly suggested: boolean;
  readonly warnings: readonly string[];
}

/** @throws InputError `file.*`, `config.syntax`, `config.set` */
export async function readGiven({ config, set = [], kind, suggested = false }: SettingsOptions): Promise<GivenSettings> {
  const file = config === undefined ? undefined : await readConfig(config);
  const chosen = kind === undefined ? {} : { training_kind: kind.replaceAll("-", "_") };
  const options: Readonly<Record<string, string>> = { ...chosen, ...Object.fromEntries(set.map(parseSetOption)) };
  const prompts = await promptsFrom({ file: file?.values["sample_prompts"], option: options["sample_prompts"] }, config);
  const thumbnail = await thumbnailFrom(options["metadata_thumbnail"] ?? file?.values["metadata_thumbnail"], config);
  const read = { ...(prompts === undefined ? {} : { sample_prompts: prompts }), ...(thumbnail === undefined ? {} : { metadata_thumbnail: thumbnail }) };
  return {
    values: { ...file?.values, ...options, ...read },
    suggested,
    warnings: file?.warnings.map(({ message }) => message) ?? [],
  };
}

/** A configuration of kohya's as it is written, or all that a preset means. */
async function readConfig(from: string): Promise<Pick<KohyaFile, "values" | "warnings">> {
  const { preset, text } = await readPresetOrText(from);
  if (preset === undefined) return readKohyaFile(text);
  const { config, unknownKeys } = readPreset(preset);
  // The checkpoint knows better whether it is of the other family.
  const keys = PRESET_KEYS.filter((key) => key !== "v2");
  const warnings = unknownKeys.map((param) => ({ code: "config.unknown", param, message: `Unknown setting, not used: ${param}` }));
  return { values: Object.fromEntries(keys.map((key) => [key, config[key]])), warnings };
}

/**
 * What an option with settings names: a preset's link, a preset's file, or another file, whose text it is.
 * @throws InputError `file.*`, `preset.*`
 */
export async function readPresetOrText(from: string): Promise<{ readonly preset: Preset | undefined; readonly text: string }> {
  const hash = from.slice(Math.max(0, from.indexOf("#")));
  if (isShareLink(hash)) return { preset: await readShareLink(hash), text: "" };
  const text = await readText(from);
  return { preset: readPresetFile(text), text };
}

/**
 * sd-scripts keeps prompts of samples in a file that `sample_prompts` names; here they are the text itself.
 * @returns undefined where no file is named, or the one that a configuration names is not on this computer
 */
async function promptsFrom(
  { file, option }: { readonly file: unknown; readonly option: unknown }, config: string | undefined,
): Promise<string | undefined> {
  if (isPromptFileName(option)) return readPromptFile(option, await readText(option));
  if (option !== undefined || !isPromptFileName(file) || config === undefined) return undefined;
  for (const path of [file, resolve(dirname(config), file)]) {
    const text = await readFile(path, "utf8").catch(() => undefined);
    if (text !== undefined) return readPromptFile(path, text);
  }
  return undefined;
}

const pictureTypes: Readonly<Record<string, string>> = { png: "image/png", jpg: "image/jpeg", jpeg: "image/jpeg", webp: "image/webp", gif: "image/gif" };

/**
 * The picture that a path names, as sd-scripts puts it into the file.
 * @returns undefined where no path is given
 * @throws InputError `file.missing`
 */
async function thumbnailFrom(path: unknown, config: string | undefined): Promise<string | undefined> {
  const type = typeof path === "string" ? pictureTypes[extname(path).slice(1).toLowerCase()] : undefined;
  if (typeof path !== "string" || path.startsWith("data:") || type === undefined) return undefined;
  for (const place of config === undefined ? [path] : [path, resolve(dirname(config), path)]) {
    const picture = await readFile(place).catch(() => undefined);
    if (picture !== undefined) return `data:${type};base64,${picture.toString("base64")}`;
  }
  throw new InputError("file.missing", `${path} cannot be read, so it cannot be the thumbnail; name a picture that is there`, { file: path });
}

/** A path that is given as an option, or else by the settings. */
export function pathFrom(option: string | undefined, given: GivenSettings, key: string): string | undefined {
  const value = option ?? given.values[key];
  return typeof value === "string" && value !== "" ? value : undefined;
}

/**
 * The complete configuration of a run with a checkpoint.
 * @param base values for what is not given, instead of the defaults: those of a run that is continued
 * @throws ConfigError for values that can't be used; InputError `config.v2` where the checkpoint contradicts
 */
export function settle(
  given: GivenSettings,
  checkpoint: Checkpoint,
  base?: TrainingConfig,
): { readonly config: TrainingConfig; readonly warnings: readonly string[] } {
  const isV2 = checkpoint.family === "sd2";
  const isV = checkpoint.predictionType === "v_prediction";
  const detected = { v2: isV2, v_parameterization: isV };
  const fallback = base ?? { ...(given.suggested ? startingValues(given.values) : defaultConfig()), ...detected };
  // A path, like that of the model: the command opens it itself.
  const { dataset_config: _, ...values } = given.values;
  const parsed = parseConfig(values, fallback);
  const { config } = parsed;
  if (config.v2 !== isV2) {
    const what = isV2 ? "a Stable Diffusion 2 checkpoint" : "a Stable Diffusion 1 checkpoint";
    throw new InputError("config.v2", `v2 is ${config.v2}, but ${checkpoint.file.source.name} is ${what}; leave v2 out`, {
      file: checkpoint.file.source.name,
    });
  }
  const warnings = [...given.warnings, ...parsed.warnings.map(({ message }) => message)];
  if (parsed.unknownKeys.length > 0) warnings.push(`Unknown settings, not used: ${parsed.unknownKeys.join(", ")}`);
  if (config.v_parameterization !== isV) {
    const { predictionType, predictionSource } = checkpoint;
    const values = `v_parameterization is ${config.v_parameterization}, but the checkpoint looks like ${predictionType}`;
    warnings.push(`${values} (${predictionSource}); the setting is used`);
  }
  warnings.push(...[...rateAdvice(config), ...noiseAdvice(config), ...rankAdvice(config), ...startAdvice(config)].map(({ text }) => text));
  return { config, warnings };
}

/** Suggestions, less those that what is set would otherwise be overruled by. */
function startingValues(values: Readonly<Record<string, unknown>>): TrainingConfig {
  const suggested = suggestedConfig();
  const isSet = (key: keyof TrainingConfig): boolean => Object.hasOwn(values, key);
  return {
    ...suggested,
    max_train_epochs: isSet("max_train_steps") ? null : suggested.max_train_epochs,
    text_encoder_lr: isSet("learning_rate") ? null : suggested.text_encoder_lr,
  };
}

/** @throws InputError `file.missing`, `file.cannotOpen` */
export async function readText(path: string): Promise<string> {
  return readFile(path, "utf8").catch((cause: unknown) => {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    const message = missing ? `${path} does not exist` : `${path} cannot be read`;
    throw new InputError(missing ? "file.missing" : "file.cannotOpen", message, { file: path }, { cause });
  });
}
