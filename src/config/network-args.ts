/** sd-scripts' `network_args`: settings of the network, which its files hold as a list of `key=value`. */
import { PARAMETER_KEYS, isParameterKey, parameter } from "./parameters.ts";

type Values = Readonly<Record<string, unknown>>;

/**
 * Takes settings out of `network_args` and puts them beside the other keys. Entries that are no settings here stay
 * behind; where none are left the key goes.
 * @param values by kohya key; `network_args` a list, or a text with blanks between the entries
 */
export function takeNetworkArgs(values: Values): Values {
  const taken: Record<string, unknown> = { ...values };
  const rest: string[] = [];
  for (const entry of entriesOf(values["network_args"])) {
    const [name = "", value] = entry.split("=", 2).map((part) => part.trim());
    const key = aliases[name] ?? name;
    if (value !== undefined && isNetworkArg(key)) taken[key] = value;
    else rest.push(entry);
  }
  if (rest.length > 0) taken["network_args"] = rest;
  else delete taken["network_args"];
  return taken;
}

/** LyCORIS' older names. */
const aliases: Readonly<Partial<Record<string, string>>> = { use_cp: "use_tucker", use_conv_cp: "use_tucker" };

/** The settings that are not sd-scripts' defaults, as it takes them. */
export function networkArgs(config: Values): readonly (readonly [key: string, value: string])[] {
  return PARAMETER_KEYS.filter(isNetworkArg).flatMap((key) => {
    const value = config[key] ?? parameter(key).default;
    return value === parameter(key).default ? [] : [[key, String(value)] as const];
  });
}

/**
 * `network_args` for a file: the settings, behind what else the file said there.
 * @param others the file's own `network_args`
 */
export function joinNetworkArgs(config: Values, others: unknown): readonly string[] {
  const foreign = entriesOf(others).filter((entry) => {
    const name = entry.split("=", 1)[0]?.trim() ?? "";
    return !isNetworkArg(aliases[name] ?? name);
  });
  return [...foreign, ...networkArgs(config).map((pair) => pair.join("="))];
}

/** Whether files of sd-scripts hold the setting in `network_args`. */
export function isNetworkArg(key: string): boolean {
  return isParameterKey(key) && parameter(key).isNetworkArg === true;
}

function entriesOf(args: unknown): string[] {
  if (Array.isArray(args)) return args.map(String);
  return typeof args === "string" ? args.split(/\s+/).filter((entry) => entry !== "") : [];
}
