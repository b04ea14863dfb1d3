import { ConfigError } from "./errors.ts";
import { parseKeyValues } from "./key-value-args.ts";
import { OPTIMIZER_ARGUMENTS } from "./optimizer-arguments.ts";
import type { TrainingConfig } from "./parameters.ts";
import type { Argument, ValuesOf } from "./python-arguments.ts";

type Optimizers = typeof OPTIMIZER_ARGUMENTS;

/** An optimizer with its constants under their Python names; learning rates come from the schedule. */
export type OptimizerSettings = { [T in keyof Optimizers]: { readonly type: T } & ValuesOf<Optimizers[T]> }[keyof Optimizers];

/**
 * `optimizer_type` with `optimizer_args` applied over the reference implementations' defaults.
 * @throws ConfigError `config.optimizerArgs` for an argument that the optimizer does not have or can't use
 */
export function optimizerSettings(config: Pick<TrainingConfig, "optimizer_type" | "optimizer_args">): OptimizerSettings {
  const type = config.optimizer_type;
  const known: Readonly<Record<string, Argument<unknown>>> = OPTIMIZER_ARGUMENTS[type];
  const settings: Record<string, unknown> = { type };
  for (const [key, { fallback }] of Object.entries(known)) settings[key] = fallback;
  for (const [key, value] of parseKeyValues(config.optimizer_args, argumentError)) {
    const argument = Object.hasOwn(known, key) ? known[key] : undefined;
    if (argument === undefined) throw argumentError(`${key}=${String(value)}`, `${type} takes ${Object.keys(known).join(", ")}`);
    const setting = argument.read(value);
    if (setting === undefined) throw argumentError(`${key}=${String(value)}`, `${key} ${argument.rule}`);
    settings[key] = setting;
  }
  return settings as OptimizerSettings;
}

function argumentError(entry: string, rule: string): ConfigError {
  return new ConfigError("optimizerArgs", "optimizer_args", entry, rule);
}
