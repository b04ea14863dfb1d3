/** kohya_ss' `additional_parameters`: options of sd-scripts' command line, which win over everything else. */
import type { ParameterValue } from "./parameter.ts";
import { isParameterKey, parameter } from "./parameters.ts";

/**
 * Reads options as the GUI passes them on: quotes taken away, split at blanks. A list takes all words behind its name,
 * everything else one, and a name without words is a flag.
 * @returns values by key, and words that belong to no option
 */
export function readArguments(text: string): {
  readonly values: ReadonlyMap<string, unknown>; readonly stray: readonly string[];
} {
  const values = new Map<string, unknown>();
  const stray: string[] = [];
  let key: string | undefined;
  let words: string[] = [];
  const finish = (): void => {
    if (key === undefined) return;
    const takesAll = !isParameterKey(key) || parameter(key).kind === "list" || key === "text_encoder_lr";
    const isList = takesAll && (words.length > 1 || isParameterKey(key));
    values.set(key, isList ? words : (words[0] ?? true));
    if (!isList) stray.push(...words.slice(1));
  };
  for (const word of text.replaceAll('"', "").split(/\s+/).filter((part) => part !== "")) {
    const option = /^--([A-Za-z_]\w*)(?:=(.*))?$/s.exec(word);
    if (option === null) {
      if (key === undefined) stray.push(word);
      else words.push(word);
      continue;
    }
    finish();
    key = option[1] ?? "";
    words = option[2] === undefined ? [] : [option[2]];
  }
  finish();
  return { values, stray };
}

/** A setting as an option of `additional_parameters`; undefined where blanks or quotes in it would not survive. */
export function writeArgument(key: string, value: ParameterValue): string | undefined {
  // sd-scripts' flags can be turned on and not off, and no option means "not set".
  if (value === null || value === false || value === "") return undefined;
  if (value === true) return `--${key}`;
  const isNumbers = Array.isArray(value) && value.every((part) => typeof part === "number");
  const words = isNumbers || !Array.isArray(value) ? [String(value)] : value.map(String);
  if (words.length === 0 || words.some((word) => /["\s]/.test(word) || word === "" || word.startsWith("--"))) return undefined;
  return words.length === 1 ? `--${key}=${words[0]}` : `--${key} ${words.join(" ")}`;
}

/** The text without the options of some keys. */
export function withoutArguments(text: string, keys: ReadonlySet<string>): string {
  let isDropped = false;
  const words = text.split(/\s+/).filter((word) => {
    const name = /^"?--([A-Za-z_]\w*)/.exec(word)?.[1];
    if (name !== undefined) isDropped = keys.has(name);
    return word !== "" && !isDropped;
  });
  return words.join(" ");
}
