/** Values of a grid's axis as typed: lists, and ranges in the webui's notation. */
import { samplerLabels, samplerNames } from "../config/sampling.ts";
import { InputError } from "../errors.ts";
import type { GridAxis, GridAxisKind } from "./grid.ts";
import type { GenerationRequest } from "./request.ts";

/** One value of an axis and how it is written beside the grid. */
export type AxisValue = { readonly label: string } & (
  | { readonly kind: "adapter" }
  | { readonly kind: "prompt" }
  | { readonly kind: "weight"; readonly weight: number }
  | { readonly kind: "request"; readonly change: Partial<GenerationRequest> }
);

type NumberKind = "weight" | "seed" | "steps" | "cfg";

/** Smallest and largest value, and whether only whole numbers count. */
const numberRanges: Readonly<Record<NumberKind, readonly [min: number, max: number, isWhole: boolean]>> = {
  weight: [-10, 10, false],
  seed: [0, Number.MAX_SAFE_INTEGER, true],
  steps: [1, 1000, true],
  cfg: [0, 100, false],
};

const number = String.raw`[-+]?(?:\d+\.?\d*|\.\d+)`;
const numberPattern = new RegExp(`^${number}$`);
/** `a-b`, `a-b (+step)` and `a-b [count]`. */
const rangePattern = new RegExp(String.raw`^(${number})\s*-\s*(${number})\s*(?:\(\s*(${number})\s*\)|\[\s*(\d+)\s*\])?$`);
/** A range may be typed that has more values than any grid; counting on would only cost time. */
const mostValues = 10_000;

/**
 * @returns at least one value
 * @throws InputError `grid.empty`, `grid.value`
 */
export function parseAxis({ kind, values }: GridAxis): AxisValue[] {
  const items = typeof values === "string" ? splitList(values) : values;
  const parsed = items.flatMap((item): AxisValue[] => {
    if (kind === "adapter" || kind === "prompt") return [{ kind, label: item }];
    if (kind === "sampler") return [samplerValue(item)];
    return numbers(kind, item).map((value) => {
      const label = String(value);
      return kind === "weight" ? { kind, label, weight: value } : { kind: "request", label, change: { [kind]: value } };
    });
  });
  if (parsed.length === 0) {
    throw new InputError("grid.empty", `The grid's axis "${kind}" has no values. Write them separated by commas.`, { axis: kind });
  }
  return parsed;
}

/**
 * Items between commas; quotes keep commas and spaces, a doubled quote in them is a quote. Nothing between two commas
 * is no item, but `""` is one: what is searched for in a prompt may be replaced by nothing.
 */
function splitList(text: string): string[] {
  const items = text.matchAll(/\s*(?:"((?:[^"]|"")*)"(?=\s*(?:[,\n]|$))|([^,\n]*))\s*(?:[,\n]|$)/g);
  return [...items].flatMap(([, quoted, plain = ""]) => {
    if (quoted !== undefined) return [quoted.replaceAll('""', '"')];
    return plain.trim() === "" ? [] : [plain.trim()];
  });
}

function samplerValue(text: string): AxisValue {
  const name = samplerNames.find((key) => [key, samplerLabels[key]].some((known) => known.toLowerCase() === text.toLowerCase()));
  if (name === undefined) throw invalid("sampler", text, `known ones: ${samplerNames.map((key) => samplerLabels[key]).join(", ")}`);
  return { kind: "request", label: samplerLabels[name], change: { sampler: name } };
}

function numbers(kind: NumberKind, text: string): number[] {
  const [min, max, isWhole] = numberRanges[kind];
  const found = numberPattern.test(text) ? [Number(text)] : range(kind, text, isWhole);
  for (const value of found) {
    if (value < min || value > max || (isWhole && !Number.isInteger(value))) {
      throw invalid(kind, text, `${isWhole ? "whole numbers" : "numbers"} from ${min} to ${max} can be used`);
    }
  }
  return found;
}

/** The end belongs to the range. Counted ranges of whole numbers round down, as the webui's do. */
function range(kind: NumberKind, text: string, isWhole: boolean): number[] {
  const [matched, from, to, by, count] = rangePattern.exec(text) ?? [];
  if (matched === undefined) throw invalid(kind, text, "write numbers or ranges: 1, 2.5, 1-5, 1-5 (+2), 0-1.5 [4]");
  const [start, end] = [Number(from), Number(to)];
  if (count !== undefined) return spread(kind, text, start, end, Number(count)).map((value) => (isWhole ? Math.floor(value) : value));
  const step = by === undefined ? Math.sign(end - start) || 1 : Number(by);
  const steps = Math.floor((end - start) / step + 1e-9);
  if (!(steps >= 0)) throw invalid(kind, text, "this step never reaches the end");
  if (steps >= mostValues) throw invalid(kind, text, "these are too many values");
  return Array.from({ length: steps + 1 }, (_, i) => tidy(start + i * step));
}

function spread(kind: NumberKind, text: string, start: number, end: number, count: number): number[] {
  if (count < 1 || count > mostValues) throw invalid(kind, text, "the number in brackets is how many values are spread over the range");
  return Array.from({ length: count }, (_, i) => tidy(count === 1 ? start : start + ((end - start) * i) / (count - 1)));
}

/** 0.1 · 3 is 0.3 on a label. */
function tidy(value: number): number {
  return Math.abs(value) < 1e9 ? Number(value.toPrecision(10)) : value;
}

function invalid(axis: GridAxisKind, value: string, reason: string): InputError {
  return new InputError("grid.value", `"${value}" is no value for the grid's axis "${axis}": ${reason}.`, { axis, value, reason });
}
