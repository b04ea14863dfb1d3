/** kohya's configuration files: the training TOML of sd-scripts, flat JSON of the same keys, and the GUI's JSON. */
import { parse, stringify, TomlError } from "smol-toml";
import { InputError } from "../errors.ts";
import type { ParsedConfig } from "./config.ts";
import { parseConfig } from "./config.ts";
import type { ConfigWarning } from "./errors.ts";
import { ConfigError } from "./errors.ts";
import { GUI_NAMES, fromGuiConfig, isGuiConfig } from "./kohya-gui.ts";
import type { ParameterKey, TrainingConfig } from "./parameters.ts";
import { PARAMETER_KEYS, isParameterKey, parameter } from "./parameters.ts";
import { GROUPS } from "./parameter.ts";
import { PRESET_KEYS } from "./preset.ts";
import { isPromptFileName } from "./sample-prompts.ts";
import { isSame } from "./same-value.ts";
import { isNetworkArg, joinNetworkArgs, takeNetworkArgs } from "./network-args.ts";
import { judgeUnusedKey } from "./unused-keys.ts";

export interface KohyaFile {
  readonly source: "toml" | "json" | "gui";
  /** What is written, under the file's own keys. */
  readonly raw: Readonly<Record<string, unknown>>;
  /** sd-scripts' keys with the values as written. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly warnings: readonly ConfigWarning[];
}

export interface LoadedConfig extends ParsedConfig {
  readonly source: KohyaFile["source"];
  readonly raw: KohyaFile["raw"];
  /** Everything in the file that is not a parameter here, to be written back on export. */
  readonly extra: Readonly<Record<string, unknown>>;
}

/**
 * Reads and checks a kohya configuration file; keys that it leaves out mean what sd-scripts means.
 * @param text contents; JSON if it starts with `{`, TOML otherwise
 * @param onproblem takes each value that can't be used, which then means its default; without it the first is thrown
 * @throws InputError `config.syntax` with the line; ConfigError for values that can't be used, by the file's own keys
 */
export function loadKohyaConfig(text: string, onproblem?: (problem: ConfigError) => void): LoadedConfig {
  const file = readKohyaFile(text);
  const parsed = parseConfig(file.values, undefined, (problem) => {
    const named = file.source === "gui" ? underGuiName(problem, file.raw) : problem;
    if (onproblem === undefined) throw named;
    onproblem(named);
  });
  const extra = Object.fromEntries(Object.entries(takeNetworkArgs(file.values)).filter(([key]) => !isParameterKey(key)));
  return { ...parsed, warnings: [...file.warnings, ...parsed.warnings], source: file.source, raw: file.raw, extra };
}

function underGuiName(problem: ConfigError, raw: KohyaFile["raw"]): ConfigError {
  const name = GUI_NAMES[problem.param];
  if (name === undefined || (Object.hasOwn(raw, problem.param) && !isSame(raw[name], problem.value))) return problem;
  return new ConfigError(problem.code.replace("config.", ""), name, problem.value, problem.rule);
}

/**
 * Reads a kohya configuration file without judging its values.
 * @throws InputError `config.syntax`
 */
export function readKohyaFile(text: string): KohyaFile {
  const content = text.replace(/^\uFEFF/, "");
  if (!content.trimStart().startsWith("{")) {
    const raw = readToml(content);
    return { source: "toml", raw, values: withKind(raw), warnings: [] };
  }
  const raw = readJson(content);
  if (!isGuiConfig(raw)) return { source: "json", raw, values: withKind(raw), warnings: [] };
  return { source: "gui", raw, ...fromGuiConfig(raw) };
}

/**
 * sd-scripts has a program for each kind of training, so that its files do not name theirs: one with a token teaches a word, and
 * one with what only train_db.py or fine_tune.py know trains a whole model.
 */
function withKind(values: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { training_kind: kind, token_string: token, network_module: network } = values;
  const isWord = kind === undefined && (network ?? "") === "" && typeof token === "string" && token !== "";
  // Left out, that program writes a .pt file.
  if (isWord) return { training_kind: "textual_inversion", save_model_as: "pt", ...values };
  const isModel = kind === undefined && (network ?? "") === "" && modelKeys.some((key) => Object.hasOwn(values, key)) && !networkKeys.some((key) => Object.hasOwn(values, key));
  if (!isModel) return values;
  // fine_tune.py leaves the text encoder alone unless it is told not to.
  const isFineTune = fineTuneKeys.some((key) => Object.hasOwn(values, key)) && !Object.hasOwn(values, "stop_text_encoder_training");
  const stop = isFineTune && values["train_text_encoder"] !== true ? { stop_text_encoder_training: -1 } : {};
  return { training_kind: "full", ...stop, ...values };
}

const fineTuneKeys = ["train_text_encoder", "in_json", "diffusers_xformers"];
const modelKeys = ["stop_text_encoder_training", "learning_rate_te", "no_token_padding", ...fineTuneKeys];
/** Old files of LoRAs have some of the above, too. */
const networkKeys = ["network_dim", "network_alpha", "unet_lr", "text_encoder_lr", "network_train_unet_only", "network_train_text_encoder_only", "network_weights"];

function readJson(text: string): Record<string, unknown> {
  try {
    // It starts with a brace, so what JSON.parse gives is an object.
    return JSON.parse(text) as Record<string, unknown>;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new InputError("config.syntax", `The configuration is not valid JSON: ${reason}`, { reason }, { cause });
  }
}

function readToml(text: string): Record<string, unknown> {
  try {
    return flattened(parse(text));
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const { line, column } = cause;
    const reason = cause.message.split("\n", 1)[0] ?? "";
    const message = `The configuration is not valid TOML at line ${line}, column ${column}: ${reason}`;
    throw new InputError("config.syntax", message, { line, column, reason }, { cause });
  }
}

/** sd-scripts ignores the names of sections; a later key wins. */
function flattened(table: Record<string, unknown>): Record<string, unknown> {
  const entries = Object.entries(table).flatMap(([key, value]) =>
    isTable(value) ? Object.entries(value) : [[key, value] as const],
  );
  return Object.fromEntries(entries);
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/**
 * Writes a configuration as sd-scripts reads it with `--config_file`: one section per group, every parameter that
 * is set, then `extra` keys that came with the file it was read from.
 */
export function writeKohyaToml(config: TrainingConfig, extra: Readonly<Record<string, unknown>> = {}): string {
  const sections = GROUPS.map((group) => {
    const keys = PARAMETER_KEYS.filter((key) => parameter(key).group === group && !isNetworkArg(key));
    const args = group === "network" ? joinNetworkArgs(config, extra["network_args"]) : [];
    const lines = [...keys.map((key) => tomlLine(config, key)), ...(args.length > 0 ? [stringify({ network_args: args })] : [])];
    return `[${group}]\n${lines.join("")}`;
  });
  const rest = Object.entries(extra).filter(([key, value]) => key !== "network_args" && value !== null && value !== undefined);
  if (rest.length > 0) sections.push(`[other]\n${stringify(Object.fromEntries(rest))}`);
  return sections.filter((section) => section.split("\n").length > 2).join("\n");
}

function tomlLine(config: TrainingConfig, key: keyof TrainingConfig): string {
  const value = config[key];
  // What goes with a file says nothing where none is named.
  if (value === null || value === "" || (!PRESET_KEYS.includes(key) && isSame(value, parameter(key).default))) return "";
  const { kind, isNumeric } = parameter(key);
  // sd-scripts wants the name of a file; the text itself is what this program reads back.
  const remark = key === "sample_prompts" && !isPromptFileName(value) ? "# For sd-scripts, save these lines as a .txt file and write its name here.\n" : "";
  return `${remark}${stringify({ [key]: writtenValue(key, value) }, { numbersAsFloat: kind === "float" || isNumeric === true }).trimEnd()}\n`;
}

/** A value as sd-scripts takes it from a file: it wants text like "512,512" for sizes and splits it itself. */
export function writtenValue(key: ParameterKey, value: TrainingConfig[ParameterKey]): unknown {
  const { kind, isNumeric } = parameter(key);
  if (isNumeric === true && Array.isArray(value)) return value.map(Number);
  return kind === "size" ? String(value) : value;
}

/**
 * Reads one `--set key=value`. The value is text; its type comes from the parameter's row.
 * @throws InputError `config.set` if there is no `=`, or neither this program nor kohya's knows the key
 */
export function parseSetOption(option: string): readonly [key: string, value: string] {
  const split = option.indexOf("=");
  const key = option.slice(0, Math.max(split, 0)).trim();
  if (split < 1) {
    throw new InputError("config.set", `--set ${option}: write it as key=value, for example network_dim=16.`, { option });
  }
  const value = option.slice(split + 1).trim();
  if (!isParameterKey(key) && judgeUnusedKey(key, value) === "unknown") {
    const message = `--set ${key}: there is no such parameter. Known ones: ${PARAMETER_KEYS.join(", ")}.`;
    throw new InputError("config.set", message, { option });
  }
  return [key, value];
}
