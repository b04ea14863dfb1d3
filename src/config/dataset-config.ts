/** sd-scripts' dataset configuration (`--dataset_config`), TOML or JSON: which folders there are, and what holds for each. */
import { parse, TomlError } from "smol-toml";
import { InputError } from "../errors.ts";
import { configOf, settingOfKey, typeOfKey, type Overrides, type TableKind } from "./dataset-keys.ts";
import { ConfigError, shown } from "./errors.ts";
import type { ParameterValue } from "./parameter.ts";
import { parameter, type TrainingConfig } from "./parameters.ts";
import { parseValue } from "./parse-value.ts";
import { checkRules } from "./rules.ts";

export interface ConfiguredSubset {
  /** How messages call it, e.g. `[[datasets.subsets]] 2`. */
  readonly table: string;
  /** As written. */
  readonly imageDir: string;
  /** Of the pictures that are masks, where `masked_loss` is on. */
  readonly maskDir: string | undefined;
  /** From 0: which of `[[datasets]]`. */
  readonly dataset: number;
  readonly repeats: number;
  readonly classTokens: string;
  readonly isReg: boolean;
  /** All that stands in the subset, its dataset or `[general]`. */
  readonly overrides: Overrides;
}

type Table = Readonly<Record<string, unknown>>;

/**
 * Reads a dataset configuration by sd-scripts' rules: an unknown key is an error.
 * @throws InputError `datasetConfig.*` naming the table and the key
 */
export function readDatasetConfig(text: string): ConfiguredSubset[] {
  const raw = parseTables(text);
  for (const key of Object.keys(raw)) if (key !== "general" && key !== "datasets") throw unknownKey("the file", key);
  const general = tableOf(raw["general"] ?? {}, "the file", "general");
  const generalValues = readTable(general, "general", "[general]");
  const datasets = tablesOf(raw["datasets"], "the file", "datasets");
  let number = 0;
  return datasets.flatMap((dataset, index) => {
    const name = `[[datasets]] ${index + 1}`;
    const { subsets, ...own } = dataset;
    const datasetValues = { ...generalValues, ...readTable(own, "dataset", name) };
    return tablesOf(subsets, name, "subsets").map((subset): ConfiguredSubset => {
      number++;
      const table = `[[datasets.subsets]] ${number}`;
      const values = { ...datasetValues, ...readTable(subset, "subset", table) };
      return configured(values, table, index);
    });
  });
}

/** @throws InputError `datasetConfig.syntax` */
export function parseTables(text: string): Record<string, unknown> {
  const content = text.replace(/^\uFEFF/, "");
  try {
    const raw: unknown = content.trimStart().startsWith("{") ? JSON.parse(content) : parse(content);
    return tableOf(raw, "the file", "") as Record<string, unknown>;
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    const reason = cause instanceof TomlError ? `line ${cause.line}: ${cause.message.split("\n", 1)[0]}` : String(cause instanceof Error ? cause.message : cause);
    throw new InputError("datasetConfig.syntax", `The dataset configuration cannot be read: ${reason}`, { reason }, { cause });
  }
}

function tableOf(value: unknown, table: string, key: string): Table {
  if (typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date)) return value as Table;
  throw badValue(table, key, value, "must be a table");
}

function tablesOf(value: unknown, table: string, key: string): Table[] {
  if (value === undefined) throw missing(table, key);
  if (!Array.isArray(value) || value.length === 0) throw badValue(table, key, value, "must be a list of tables");
  return value.map((entry) => tableOf(entry, table, key));
}

/** The values of a table, checked one by one, by sd-scripts' keys. */
function readTable(table: Table, kind: TableKind, name: string): Record<string, ParameterValue> {
  const values: Record<string, ParameterValue> = {};
  for (const [key, raw] of Object.entries(table)) {
    const type = typeOfKey(kind, key);
    if (type === undefined) throw unknownKey(name, key);
    if (!hasType(type, raw)) throw badValue(name, key, raw, typeRules[type]);
    const value = readValue(key, raw, name);
    if (value !== undefined) values[key] = value;
  }
  return values;
}

const typeRules = {
  bool: "must be true or false",
  int: "must be a whole number",
  number: "must be a number",
  text: "must be text",
  size: "must be a whole number or two",
  range: "must be two numbers",
  table: "must be a table",
} as const;

function hasType(type: keyof typeof typeRules, raw: unknown): boolean {
  const isNumber = (value: unknown): boolean => typeof value === "number" && Number.isFinite(value);
  switch (type) {
    case "bool":
      return typeof raw === "boolean";
    case "int":
      return Number.isInteger(raw);
    case "number":
      return isNumber(raw);
    case "text":
      return typeof raw === "string";
    case "size":
      return Number.isInteger(raw) || (Array.isArray(raw) && raw.length === 2 && raw.every(Number.isInteger));
    case "range":
      return Array.isArray(raw) && raw.length === 2 && raw.every(isNumber);
    case "table":
      return typeof raw === "object" && raw !== null && !Array.isArray(raw);
    default:
      return type satisfies never;
  }
}

/** @returns undefined for what changes nothing here */
function readValue(key: string, raw: unknown, table: string): ParameterValue | undefined {
  if (key === "num_repeats") {
    if ((raw as number) < 1) throw badValue(table, key, raw, "must be at least 1");
    return raw as number;
  }
  if (key === "is_reg" || key === "image_dir" || key === "class_tokens" || key === "conditioning_data_dir") return raw as ParameterValue;
  // It says where sizes are remembered, and a factor that LoRAs of Stable Diffusion do not know.
  if (key === "cache_info" || key === "network_multiplier") return undefined;
  if (key === "custom_attributes" && Object.keys(raw as Table).length === 0) return undefined;
  const setting = settingOfKey(key);
  if (setting === undefined) {
    if (raw === false || raw === "") return undefined;
    throw new InputError("datasetConfig.unsupported", `${table}: ${key} is not supported here; take it out.`, { table, key });
  }
  try {
    return parseValue(key, parameter(setting), key === "face_crop_aug_range" ? (raw as number[]).join(",") : raw);
  } catch (error) {
    if (error instanceof ConfigError) throw badValue(table, key, raw, error.rule);
    throw error;
  }
}

function configured(values: Readonly<Record<string, ParameterValue>>, table: string, dataset: number): ConfiguredSubset {
  const imageDir = values["image_dir"];
  if (imageDir === undefined) throw missing(table, "image_dir");
  const overrides = Object.fromEntries(Object.entries(values).flatMap(([key, value]) => {
    const setting = settingOfKey(key);
    return setting === undefined ? [] : [[setting, value] as const];
  }));
  return {
    table,
    imageDir: String(imageDir),
    maskDir: values["conditioning_data_dir"] === undefined ? undefined : String(values["conditioning_data_dir"]),
    dataset,
    repeats: Number(values["num_repeats"] ?? 1),
    classTokens: String(values["class_tokens"] ?? ""),
    isReg: values["is_reg"] === true,
    overrides: overrides as Overrides,
  };
}

/**
 * Checks what must hold between the settings of a group of pictures.
 * @throws InputError `datasetConfig.value`
 */
export function checkOverrides(config: TrainingConfig, table: string, overrides: Overrides): void {
  try {
    checkRules(configOf(config, overrides));
  } catch (error) {
    // What is wrong with the run's own settings is said there.
    if (!(error instanceof ConfigError) || !Object.hasOwn(overrides, error.param)) return;
    throw badValue(table, error.param, error.value, error.rule);
  }
}

function unknownKey(table: string, key: string): InputError {
  return new InputError("datasetConfig.unknownKey", `The dataset configuration has ${key} in ${table}, which sd-scripts does not know there; correct or remove it.`, { table, key });
}

function missing(table: string, key: string): InputError {
  return new InputError("datasetConfig.missing", `The dataset configuration has no ${key} in ${table}.`, { table, key });
}

function badValue(table: string, key: string, value: unknown, rule: string): InputError {
  const text = shown(value);
  return new InputError("datasetConfig.value", `In ${table} of the dataset configuration, ${key} is ${text}, but ${rule}.`, { table, key, value: text, rule });
}
