import { ConfigError } from "./errors.ts";
import type { Parameter, ParameterValue, Size } from "./parameter.ts";

const PLAIN_NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/**
 * Brings a value from a file, a form or the command line to the type that its row asks for. Numbers and booleans
 * may come as text, as kohya's GUI and `--set` write them.
 * @throws ConfigError `config.type`, `config.range` or `config.choice`
 */
export function parseValue(key: string, row: Parameter, raw: unknown): ParameterValue {
  const empty = raw === null || raw === undefined || (raw === "" && row.kind !== "text" && row.kind !== "choice");
  if (empty) return row.nullable ? null : row.default;
  switch (row.kind) {
    case "bool":
      return parseBool(key, raw);
    case "int":
    case "float":
      return parseNumber(key, row, raw);
    case "warmup":
      return parseWarmup(key, raw);
    case "text":
      if (typeof raw !== "string") throw new ConfigError("type", key, raw, "must be text");
      return raw;
    case "choice":
      return parseChoice(key, row, raw);
    case "size":
      return parseSize(key, row, raw);
    case "list":
      return row.isNumeric === true ? parseNumbers(key, raw) : parseList(key, raw);
    default:
      return row.kind satisfies never;
  }
}

function parseBool(key: string, raw: unknown): boolean {
  if (typeof raw === "boolean") return raw;
  const word = String(raw).trim().toLowerCase();
  if (word === "true" || word === "1") return true;
  if (word === "false" || word === "0") return false;
  throw new ConfigError("type", key, raw, "must be true or false");
}

function asNumber(raw: unknown): number {
  if (typeof raw === "number") return raw;
  if (typeof raw === "bigint") return Number(raw);
  if (typeof raw === "string" && PLAIN_NUMBER.test(raw.trim())) return Number(raw);
  return Number.NaN;
}

function parseNumber(key: string, row: Parameter, raw: unknown): number | null {
  const value = asNumber(raw);
  if (!Number.isFinite(value)) throw new ConfigError("type", key, raw, "must be a number");
  if (value === 0 && row.zeroIsNull === true) return null;
  if (row.kind === "int" && !Number.isInteger(value)) {
    throw new ConfigError("type", key, raw, "must be a whole number");
  }
  const { min, max, multipleOf } = row;
  if ((min !== undefined && value < min) || (max !== undefined && value > max)) {
    throw new ConfigError("range", key, raw, `must be ${rangeText(min, max)}`);
  }
  if (multipleOf !== undefined && value % multipleOf !== 0) {
    throw new ConfigError("range", key, raw, `must be a multiple of ${multipleOf}`);
  }
  return value;
}

function rangeText(min: number | undefined, max: number | undefined): string {
  if (min === undefined) return `at most ${max}`;
  return max === undefined ? `at least ${min}` : `between ${min} and ${max}`;
}

/** Updates, or a share of the run: sd-scripts tells them apart by int and float, JSON can't, so 1 is the border. */
function parseWarmup(key: string, raw: unknown): number {
  const percent = typeof raw === "string" && raw.trim().endsWith("%");
  const value = percent ? asNumber(raw.trim().slice(0, -1)) / 100 : asNumber(raw);
  if (!Number.isFinite(value)) throw new ConfigError("type", key, raw, "must be a number");
  if (value < 0 || (value >= 1 && (percent || !Number.isInteger(value)))) {
    const rule = "must be a whole number of updates, a share of the run below 1, or a percentage below 100%";
    throw new ConfigError("range", key, raw, rule);
  }
  return value;
}

/** The row's spelling of a name, whatever its case; `undefined` if the row neither has nor replaces it. */
export function matchChoice(row: Parameter, raw: unknown): { choice: string; replaced: boolean } | undefined {
  const word = String(raw).trim().toLowerCase();
  const choice = row.choices?.find((name) => name.toLowerCase() === word);
  if (choice !== undefined) return { choice, replaced: false };
  const alias = row.aliases !== undefined && Object.hasOwn(row.aliases, word) ? row.aliases[word] : undefined;
  // Empty text is kohya's way of saying "the usual one": nothing was replaced.
  return alias === undefined ? undefined : { choice: alias, replaced: word !== "" };
}

function parseChoice(key: string, row: Parameter, raw: unknown): string | null {
  const match = typeof raw === "string" ? matchChoice(row, raw) : undefined;
  if (match !== undefined) return match.choice;
  if (raw === "" && row.nullable) return null;
  throw new ConfigError("choice", key, raw, `must be one of ${row.choices?.join(", ")}`);
}

function parseSize(key: string, row: Parameter, raw: unknown): Size {
  const parts = Array.isArray(raw) ? raw : String(raw).split(/[,x]/i);
  const numbers = parts.map(asNumber);
  const [width, height = width] = numbers;
  const { min = 1, max = Infinity } = row;
  const valid = (side: number | undefined): side is number =>
    side !== undefined && Number.isInteger(side) && side >= min && side <= max;
  if (numbers.length > 2 || !valid(width) || !valid(height)) {
    throw new ConfigError("range", key, raw, `must be one or two whole numbers ${rangeText(min, max)}, like 512,768`);
  }
  return [width, height];
}

function parseList(key: string, raw: unknown): readonly string[] {
  // One text is how the GUI and `--set` write a list: blanks separate. Double quotes and quotes around an entry are only
  // decoration; single quotes inside of one belong to its value.
  if (typeof raw === "string") {
    const parts = raw.replaceAll('"', "").split(/\s+/).map((part) => part.replace(/^'(.*)'$/, "$1"));
    return parts.filter((part) => part !== "");
  }
  if (Array.isArray(raw) && raw.every((part) => typeof part === "string")) return raw;
  throw new ConfigError("type", key, raw, "must be a list of texts like weight_decay=0.1");
}

function parseNumbers(key: string, raw: unknown): readonly string[] {
  const parts: readonly unknown[] = Array.isArray(raw) ? raw : parseList(key, raw);
  return parts.map((part) => {
    const value = asNumber(part);
    if (!Number.isFinite(value)) throw new ConfigError("type", key, raw, "must be a list of numbers like 0.5 1");
    return String(value);
  });
}
