/** Settings as sd-scripts' TOML while somebody edits it: what it says, and on which line what is wrong. */
import type { ConfigWarning } from "./errors.ts";
import { InputError } from "../errors.ts";
import { loadKohyaConfig, readKohyaFile } from "./kohya.ts";
import { writeKohya } from "./kohya-write.ts";
import { isNetworkArg } from "./network-args.ts";
import type { TrainingConfig } from "./parameters.ts";
import { PARAMETER_KEYS, defaultConfig } from "./parameters.ts";
import { PRESET_KEYS } from "./preset.ts";

/** Lines count from 1; undefined where the setting is on none, as in a rule about one that is left at its default. */
interface OnLine {
  readonly line: number | undefined;
}
export interface LineProblem extends OnLine {
  readonly error: InputError;
}
/** Something that is kept and does nothing here. `config.unknown` is nobody's setting, `config.local` one of the page's own. */
export interface LineNote extends OnLine {
  readonly warning: ConfigWarning;
}

export interface TomlReading {
  /** What the text means, with what it leaves out at sd-scripts' defaults; undefined where there are problems. */
  readonly config: TrainingConfig | undefined;
  readonly problems: readonly LineProblem[];
  readonly notes: readonly LineNote[];
}

/** Files and folders, which are chosen and not written here. */
const localKeys = PARAMETER_KEYS.filter((key) => !PRESET_KEYS.includes(key));

/**
 * Settings as TOML, without those of files and folders.
 * @param origin text that they were read from: its comments, order, foreign keys and folders stay, if it is TOML
 */
export function tomlOf(config: TrainingConfig, origin?: string): string {
  const isToml = origin !== undefined && readKohyaFile(origin).source === "toml";
  const local = isToml ? loadKohyaConfig(origin, () => undefined).config : defaultConfig();
  return writeKohya({ ...config, ...Object.fromEntries(localKeys.map((key) => [key, local[key]])) }, "toml", origin).text;
}

export function readToml(text: string): TomlReading {
  const problems: LineProblem[] = [];
  try {
    if (text.trimStart().startsWith("{")) throw notToml(text);
    const { config, warnings, unknownKeys, raw } = loadKohyaConfig(text, (error) => problems.push({ line: lineOf(text, error.param), error }));
    const notes = [
      ...warnings.map((warning) => ({ line: lineOf(text, warning.param), warning })),
      ...unknownKeys.map((key) => ({ line: lineOf(text, key), warning: note("unknown", key, "is not known") })),
      ...localKeys.filter((key) => Object.hasOwn(raw, key)).map((key) =>
        ({ line: lineOf(text, key), warning: note("local", key, "is chosen elsewhere") })),
    ];
    return { config: problems.length === 0 ? config : undefined, problems: sorted(problems), notes: sorted(notes) };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const { line } = error.data;
    return { config: undefined, problems: [{ line: typeof line === "number" ? line : undefined, error }], notes: [] };
  }
}

/** The line that counts: in sd-scripts the last one of a key does. */
function lineOf(text: string, key: string): number | undefined {
  const escaped = key.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const pattern = new RegExp(`^\\s*(?:${escaped}|"${escaped}"|'${escaped}')\\s*=`);
  const at = text.split("\n").findLastIndex((line) => pattern.test(line));
  if (at >= 0) return at + 1;
  return isNetworkArg(key) ? lineOf(text, "network_args") : undefined;
}

function sorted<T extends OnLine>(list: readonly T[]): readonly T[] {
  return list.toSorted((a, b) => (a.line ?? Infinity) - (b.line ?? Infinity));
}

function note(situation: string, param: string, what: string): ConfigWarning {
  return { code: `config.${situation}`, param, message: `${param} ${what}, and does nothing here.` };
}

function notToml(text: string): InputError {
  const line = text.slice(0, text.indexOf("{")).split("\n").length;
  const reason = "this is JSON; a line of TOML is key = value";
  return new InputError("config.syntax", `The configuration is not valid TOML at line ${line}, column 1: ${reason}`, { line, column: 1, reason });
}
