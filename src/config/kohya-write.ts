/** Writes settings for kohya: new files, and files that were read before, in which everything else stays as it was. */
import { stringify } from "smol-toml";
import type { ConfigWarning } from "./errors.ts";
import { ConfigError, shown } from "./errors.ts";
import type { KohyaFile, LoadedConfig } from "./kohya.ts";
import { loadKohyaConfig, readKohyaFile, writeKohyaToml, writtenValue } from "./kohya.ts";
import { GUI_NAMES } from "./kohya-gui.ts";
import { changeGuiConfig, toGuiConfig } from "./kohya-gui-write.ts";
import { changeLines, jsonLines, tomlLines } from "./kohya-lines.ts";
import { isNetworkArg, joinNetworkArgs } from "./network-args.ts";
import type { TrainingConfig } from "./parameters.ts";
import { PARAMETER_KEYS, isParameterKey, parameter } from "./parameters.ts";
import { isSame } from "./same-value.ts";
import { judgeUnusedKey } from "./unused-keys.ts";

/** `toml` and `json` have sd-scripts' keys, `gui` those of a JSON saved by kohya_ss. */
export type KohyaFormat = KohyaFile["source"];

export interface WrittenConfig {
  readonly text: string;
  /** `config.notInGui` for what the format has no way to say, `config.keptAsWritten` for what can't be used here. */
  readonly warnings: readonly ConfigWarning[];
}

/**
 * Writes settings in a format of kohya's. With the file that they came from, its other keys are kept: in the same
 * format byte for byte, but for the values of settings that are other ones now.
 * @param origin text of the file that the settings were read from
 */
export function writeKohya(config: TrainingConfig, format: KohyaFormat, origin?: string): WrittenConfig {
  const loaded = origin === undefined ? undefined : readAgain(origin);
  if (origin !== undefined && loaded?.source === format) return changed(config, origin, loaded);
  const extra = loaded === undefined ? {} : worthKeeping(loaded);
  if (format === "toml") return newToml(config, extra);
  if (format === "gui") {
    const { values, warnings } = toGuiConfig(config, extra);
    return { text: jsonText(values), warnings };
  }
  const keys = PARAMETER_KEYS.filter((key) => config[key] !== null && config[key] !== "" && !isNetworkArg(key));
  const values = Object.fromEntries(keys.map((key) => [key, writtenValue(key, config[key])]));
  const args = joinNetworkArgs(config, extra["network_args"]);
  return { text: jsonText({ ...values, ...extra, ...(args.length > 0 && { network_args: args }) }), warnings: [] };
}

function newToml(config: TrainingConfig, extra: Readonly<Record<string, unknown>>): WrittenConfig {
  const impossible = Object.keys(extra).filter((key) => !fitsToml(extra[key]));
  const possible = Object.fromEntries(Object.entries(extra).filter(([key]) => !impossible.includes(key)));
  const warnings = impossible.map((key): ConfigWarning => {
    const message = `${key} = ${shown(extra[key])} cannot be written as TOML and is left out.`;
    return { code: "config.notInToml", param: key, message };
  });
  return { text: writeKohyaToml(config, possible), warnings };
}

/** TOML has no null. */
function fitsToml(value: unknown): boolean {
  if (typeof value !== "object" || value instanceof Date) return true;
  return value !== null && Object.values(value).every(fitsToml);
}

interface Origin extends LoadedConfig {
  /** What is wrong with values that can't be used. */
  readonly problems: readonly ConfigError[];
}

function readAgain(text: string): Origin {
  const problems: ConfigError[] = [];
  return { ...loadKohyaConfig(text, (problem) => problems.push(problem)), problems };
}

/** kohya's other keys, less those that say nothing: an empty text or a 0 there means "not set" to the GUI alone. */
function worthKeeping({ source, extra }: LoadedConfig): Readonly<Record<string, unknown>> {
  const isEmpty = (value: unknown): boolean => value === "" || value === null || value === false || value === 0;
  const saysNothing = (key: string, value: unknown): boolean =>
    source === "gui" && isEmpty(value) && key !== "max_data_loader_n_workers" && isKnown(key, value);
  return Object.fromEntries(Object.entries(extra).filter(([key, value]) => !saysNothing(key, value)));
}

/** What the file asks for in vain is known too. */
function isKnown(key: string, value: unknown): boolean {
  try {
    return judgeUnusedKey(key, value) !== "unknown";
  } catch (error) {
    if (error instanceof ConfigError) return true;
    throw error;
  }
}

function changed(config: TrainingConfig, text: string, origin: Origin): WrittenConfig {
  const keys = PARAMETER_KEYS.filter((key) => !isSame(config[key], origin.config[key]));
  const kept = origin.problems.filter(({ param }) => !keys.some((key) => key === param || GUI_NAMES[key] === param)).map(keptAsWritten);
  if (keys.length === 0) return { text, warnings: kept };
  if (origin.source === "gui") {
    const { values, warnings } = changeGuiConfig(origin.raw, config, keys);
    return { text: rewritten(text, origin, values), warnings: [...kept, ...warnings] };
  }
  const values = new Map(Object.entries(origin.raw));
  for (const key of keys) {
    if (config[key] === null || isNetworkArg(key)) values.delete(key);
    else values.set(key, writtenValue(key, config[key]));
  }
  if (keys.some(isNetworkArg)) {
    const args = joinNetworkArgs(config, values.get("network_args"));
    if (args.length > 0) values.set("network_args", args);
    else values.delete("network_args");
  }
  return { text: rewritten(text, origin, Object.fromEntries(values)), warnings: kept };
}

function keptAsWritten({ param, value, rule }: ConfigError): ConfigWarning {
  const message = `${param} stays ${shown(value)} as in the file it came from, although here it ${rule}.`;
  return { code: "config.keptAsWritten", param, message };
}

/** The text with other values: by lines where that gives exactly those values, otherwise anew. */
function rewritten(text: string, { raw, source }: Origin, values: Readonly<Record<string, unknown>>): string {
  const isToml = source === "toml";
  const literal = isToml ? tomlLiteral : (_: string, value: unknown): string => JSON.stringify(value);
  const others = Object.entries(values).filter(([key, value]) => !isSame(raw[key], value));
  const changes = new Map<string, string | undefined>(others.map(([key, value]) => [key, literal(key, value)]));
  for (const key of Object.keys(raw)) if (!Object.hasOwn(values, key)) changes.set(key, undefined);
  const lines = changeLines(text, changes, isToml ? tomlLines : jsonLines);
  if (lines !== undefined && hasValues(lines, values)) return lines;
  return isToml ? stringify(values) : jsonText(values);
}

function tomlLiteral(key: string, value: unknown): string {
  const isFloat = isParameterKey(key) && (parameter(key).kind === "float" || parameter(key).isNumeric === true);
  return stringify({ x: value }, { numbersAsFloat: isFloat }).trimEnd().replace(/^x = /, "");
}

function hasValues(text: string, values: Readonly<Record<string, unknown>>): boolean {
  try {
    const { raw } = readKohyaFile(text);
    const sorted = (table: Readonly<Record<string, unknown>>) => Object.entries(table).toSorted(([a], [b]) => (a < b ? -1 : 1));
    return isSame(sorted(raw), sorted(values));
  } catch {
    return false;
  }
}

/** As kohya_ss saves it: keys sorted, two blanks. */
function jsonText(values: Readonly<Record<string, unknown>>): string {
  const sorted = Object.entries(values).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `${JSON.stringify(Object.fromEntries(sorted), null, 2)}\n`;
}
