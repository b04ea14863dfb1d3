/** Writes dataset configurations for sd-scripts, and changes those that were read. */
import { stringify } from "smol-toml";
import { parseTables } from "./dataset-config.ts";
import { DATASET_SETTINGS, keyOfSetting, SUBSET_SETTINGS, type Overrides } from "./dataset-keys.ts";
import type { ParameterKey } from "./parameters.ts";
import { isSame } from "./same-value.ts";

export interface WrittenSubset {
  readonly imageDir: string;
  readonly repeats: number;
  readonly classTokens: string;
  readonly isReg: boolean;
  readonly maskDir?: string | undefined;
  readonly dataset?: number | undefined;
  readonly overrides?: Overrides | undefined;
}

/** A value of a dataset configuration; undefined stands for none. */
export type SubsetValue = string | number | boolean | readonly number[] | undefined;

/** A new configuration. What is not said in it sd-scripts takes from the run's settings. */
export function writeDatasetConfig(subsets: readonly WrittenSubset[]): string {
  const numbers = [...new Set(subsets.map(({ dataset = 0 }) => dataset))].sort((a, b) => a - b);
  const datasets = numbers.map((number) => {
    const own = subsets.filter(({ dataset = 0 }) => dataset === number);
    const shared = DATASET_SETTINGS.filter((setting) => !SUBSET_SETTINGS.includes(setting));
    return { ...written(shared, own[0]?.overrides), subsets: own.map(subsetTable) };
  });
  return `${stringify({ datasets }).trimEnd()}\n`;
}

function subsetTable({ imageDir, maskDir, repeats, classTokens, isReg, overrides }: WrittenSubset): Record<string, SubsetValue> {
  return {
    image_dir: imageDir,
    num_repeats: repeats,
    ...(classTokens === "" ? {} : { class_tokens: classTokens }),
    ...(isReg ? { is_reg: true } : {}),
    ...(maskDir === undefined ? {} : { conditioning_data_dir: maskDir }),
    ...written(SUBSET_SETTINGS, overrides),
  };
}

function written(settings: readonly ParameterKey[], overrides: Overrides = {}): Record<string, SubsetValue> {
  return Object.fromEntries(settings.flatMap((setting) => {
    const value = overrides[setting];
    // What is not set has no spelling.
    return value === undefined || value === null ? [] : [[keyOfSetting(setting), subsetValue(setting, value as string | number | boolean)] as const];
  }));
}

/** A setting's value as a dataset configuration spells it. */
export function subsetValue(setting: string, value: string | number | boolean | readonly number[]): SubsetValue {
  return setting === "face_crop_aug_range" && typeof value === "string" ? value.split(",").map(Number) : value;
}

/**
 * The text with another value of one folder; everything else stays, comments too where the value has a line of its own.
 * @param number of the folder's `[[datasets.subsets]]`, from 1
 * @throws InputError `datasetConfig.syntax`
 */
export function changeSubset(text: string, number: number, key: string, value: SubsetValue): string {
  const raw = parseTables(text);
  const table = subsetTables(raw)[number - 1];
  if (table === undefined) return text;
  if (value === undefined) delete table[key];
  else table[key] = value;
  if (text.trimStart().startsWith("{")) return `${JSON.stringify(raw, null, 2)}\n`;
  const lines = changedLines(text.split("\n"), number, key, value).join("\n");
  return isSame(withoutFailure(lines), raw) ? lines : stringify(raw);
}

function withoutFailure(text: string): unknown {
  try {
    return parseTables(text);
  } catch {
    return undefined;
  }
}

function subsetTables(raw: Record<string, unknown>): Record<string, unknown>[] {
  const tables = raw["datasets"] as { subsets: Record<string, unknown>[] }[];
  return tables.flatMap(({ subsets }) => subsets);
}

function changedLines(lines: readonly string[], number: number, key: string, value: SubsetValue): string[] {
  const heads = [...lines.keys()].filter((i) => /^\s*\[\[\s*datasets\s*\.\s*subsets\s*\]\]/.test(lines[i]!));
  const head = heads[number - 1];
  if (head === undefined) return [...lines];
  const next = lines.findIndex((line, i) => i > head && /^\s*\[/.test(line));
  const end = next < 0 ? lines.length : next;
  const indent = /^\s*/.exec(lines[head]!)?.[0] ?? "";
  const literal = value === undefined ? [] : [`${indent}${stringify({ [key]: value }).trimEnd()}`];
  const at = lines.findIndex((line, i) => i > head && i < end && new RegExp(`^\\s*${key}\\s*=`).test(line));
  if (at >= 0) return [...lines.slice(0, at), ...literal, ...lines.slice(at + 1)];
  const last = lines.findLastIndex((line, i) => i >= head && i < end && line.trim() !== "");
  return [...lines.slice(0, last + 1), ...literal, ...lines.slice(last + 1)];
}

/** The text with other folders of regularization pictures, in its first dataset. */
export function replaceRegularization(text: string, added: readonly WrittenSubset[]): string {
  const raw = parseTables(text);
  const datasets = raw["datasets"] as { subsets: Record<string, unknown>[] }[];
  for (const dataset of datasets) dataset.subsets = dataset.subsets.filter((subset) => subset["is_reg"] !== true);
  datasets[0]?.subsets.push(...added.map(subsetTable));
  const rest = { ...raw, datasets: datasets.filter(({ subsets }) => subsets.length > 0) };
  return text.trimStart().startsWith("{") ? `${JSON.stringify(rest, null, 2)}\n` : stringify(rest);
}
