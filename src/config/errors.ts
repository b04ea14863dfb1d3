import { InputError } from "../errors.ts";

/** A setting that can't be used. `param` is kohya's key, `value` what was given, `rule` what would be accepted. */
export class ConfigError extends InputError {
  readonly param: string;
  readonly value: unknown;
  readonly rule: string;

  constructor(situation: string, param: string, value: unknown, rule: string) {
    super(`config.${situation}`, `${param} is ${shown(value)}, but ${rule}.`, { param, value: shown(value), rule });
    this.param = param;
    this.value = value;
    this.rule = rule;
  }
}

/** Something in a config that does not stop a run but that its owner should know. `code` is `config.<situation>`. */
export interface ConfigWarning {
  readonly code: string;
  readonly param: string;
  readonly message: string;
}

/** A value as a person would recognise it, short enough for one line. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
