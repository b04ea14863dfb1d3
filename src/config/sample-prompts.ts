/**
 * kohya's prompts for samples: a line for each picture, with flags behind the prompt (`a cat --w 512 --d 1`), or the
 * same as a list in JSON or TOML.
 */
import { parse } from "smol-toml";
import { InputError } from "../errors.ts";
import { matchChoice } from "./parse-value.ts";
import { sampleParameters } from "./table/samples.ts";

export type SampleSampler = typeof sampleParameters.sample_sampler.default;

export interface SamplePrompt {
  /** In the text, from 1. */
  readonly line: number;
  readonly prompt: string;
  readonly negative: string;
  /** Pixels, multiples of 8; undefined where the line leaves it to the run. */
  readonly width: number | undefined;
  readonly height: number | undefined;
  /** Undefined where the line leaves it to the run. */
  readonly seed: number | undefined;
  readonly steps: number;
  readonly cfg: number;
  /** One of `sample_sampler`'s choices. */
  readonly sampler: SampleSampler | undefined;
}

/** A flag that has no effect here. */
export interface IgnoredFlag {
  readonly line: number;
  readonly flag: string;
}

export interface SamplePromptList {
  readonly prompts: readonly SamplePrompt[];
  /** InputErrors `samples.flag.{whole,number,sampler}`; the other lines are still good. */
  readonly errors: readonly InputError[];
  readonly ignored: readonly IgnoredFlag[];
}

const defaultSteps = 30;
const defaultCfg = 7.5;
const mostSteps = 1000;
const sizeStep = 8;
const leastSize = 64;

type Draft = { -readonly [K in keyof SamplePrompt]: SamplePrompt[K] };

/** What a flag's text should have been; the end of an error's code. */
type Wanted = "whole" | "number" | "sampler";

const wantedTexts: Readonly<Record<Wanted, string>> = {
  whole: "a whole number",
  number: "a number",
  sampler: `one of ${sampleParameters.sample_sampler.choices?.join(", ") ?? ""}`,
};

/** Takes the text behind a flag; returns what it should have been where it is something else. */
type Reader = (draft: Draft, text: string) => Wanted | undefined;

const natural = (text: string): number | undefined => (/^\d{1,15}$/.test(text) ? Number(text) : undefined);

function size(side: "width" | "height"): Reader {
  return (draft, text) => {
    const pixels = natural(text);
    if (pixels === undefined) return "whole";
    // Rounded as sd-scripts does.
    draft[side] = Math.max(leastSize, pixels - (pixels % sizeStep));
    return undefined;
  };
}

const readers: Readonly<Record<string, Reader>> = {
  w: size("width"),
  h: size("height"),
  d: (draft, text) => {
    const seed = natural(text);
    if (seed === undefined) return "whole";
    draft.seed = seed;
    return undefined;
  },
  s: (draft, text) => {
    const steps = natural(text);
    if (steps === undefined) return "whole";
    draft.steps = Math.min(mostSteps, Math.max(1, steps));
    return undefined;
  },
  l: (draft, text) => {
    if (!/^(\d+\.?\d*|\.\d+)$/.test(text)) return "number";
    draft.cfg = Number(text);
    return undefined;
  },
  n: (draft, text) => {
    draft.negative = text;
    return undefined;
  },
  ss: (draft, text) => {
    const row = sampleParameters.sample_sampler;
    const match = matchChoice(row, text);
    if (match === undefined) return "sampler";
    draft.sampler = match.choice as SampleSampler;
    return undefined;
  },
};

/** Reads `sample_prompts`. Never throws: what is wrong with a line comes back beside the lines that are good. */
export function parseSamplePrompts(text: string): SamplePromptList {
  const prompts: SamplePrompt[] = [];
  const errors: InputError[] = [];
  const ignored: IgnoredFlag[] = [];
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const content = raw.trim();
    if (content === "" || content.startsWith("#")) continue;
    const line = index + 1;
    const [prompt = "", ...flags] = content.split(/\s--/);
    const draft: Draft = {
      line, prompt: prompt.trim(), negative: "", width: undefined, height: undefined, seed: undefined,
      steps: defaultSteps, cfg: defaultCfg, sampler: undefined,
    };
    const wrong = flags.flatMap((written): InputError[] => {
      const [, name = "", value = ""] = /^(\S*)\s*(.*)$/s.exec(written.trim()) ?? [];
      const read = readers[name.toLowerCase()];
      if (read === undefined) ignored.push({ line, flag: `--${name}` });
      const wanted = read?.(draft, value.trim());
      return wanted === undefined ? [] : [badFlag(line, `--${name}`, value.trim(), wanted)];
    });
    if (wrong.length === 0) prompts.push(draft);
    errors.push(...wrong);
  }
  return { prompts, errors, ignored };
}

function badFlag(line: number, flag: string, value: string, wanted: Wanted): InputError {
  const message = `Line ${line} of sample_prompts: ${flag} is ${JSON.stringify(value)}, and should be ${wantedTexts[wanted]}.`;
  const samplers = sampleParameters.sample_sampler.choices ?? [];
  return new InputError(`samples.flag.${wanted}`, message, { line, flag, value, ...(wanted === "sampler" ? { samplers } : {}) });
}

/** Whether the value names a file, as it does for sd-scripts, and is no prompt. */
export function isPromptFileName(value: unknown): value is string {
  return typeof value === "string" && /^[^\r\n]+\.(txt|json|toml)$/i.test(value.trim());
}

/**
 * A prompt file as the lines of `sample_prompts`.
 * @param name decides by its ending: `.json`, `.toml`, or lines already
 * @throws InputError `samples.file`
 */
export function readPromptFile(name: string, text: string): string {
  const content = text.replace(/^\uFEFF/, "");
  const kind = /\.(json|toml)$/i.exec(name)?.[1]?.toLowerCase();
  if (kind === undefined) return content;
  try {
    const entries = kind === "json" ? fromJson(content) : fromToml(content);
    return entries.map(lineOf).join("\n");
  } catch (cause) {
    const reason = (cause instanceof Error ? cause.message : String(cause)).split("\n", 1)[0] ?? "";
    throw new InputError("samples.file", `${name} is no list of prompts: ${reason}`, { file: name, reason }, { cause });
  }
}

type Entry = Readonly<Record<string, unknown>>;

function fromJson(text: string): (Entry | string)[] {
  const list: unknown = JSON.parse(text);
  if (!Array.isArray(list)) throw new Error("it is not a list");
  return list.map((entry: unknown) => (typeof entry === "string" ? entry : asEntry(entry)));
}

/** `[prompt]` holds what its `[[prompt.subset]]` have in common. */
function fromToml(text: string): Entry[] {
  const { subset, ...common } = asEntry(parse(text)["prompt"]);
  if (subset === undefined) return [common];
  if (!Array.isArray(subset)) throw new Error("prompt.subset is not a list");
  return subset.map((entry) => ({ ...common, ...asEntry(entry) }));
}

function asEntry(value: unknown): Entry {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Entry;
  throw new Error("a prompt is not a table of values");
}

const flagOfKey = {
  negative_prompt: "n", width: "w", height: "h", seed: "d", sample_steps: "s", scale: "l", sample_sampler: "ss",
} as const;

function lineOf(entry: Entry | string): string {
  const oneLine = (value: unknown): string => String(value).replaceAll(/\s*\r?\n\s*/g, " ").trim();
  if (typeof entry === "string") return oneLine(entry);
  const flags = Object.entries(flagOfKey).flatMap(([key, flag]) => {
    const value = entry[key];
    return value === undefined || value === null || value === "" ? [] : [`--${flag} ${oneLine(value)}`];
  });
  return [oneLine(entry["prompt"] ?? ""), ...flags].join(" ");
}
