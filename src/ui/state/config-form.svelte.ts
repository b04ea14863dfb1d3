/** The settings as a form: what was typed, what it means, what is wrong with it. The rules are those of `src/config`. */
import { ConfigError } from "../../config/errors.ts";
import type { ParameterValue } from "../../config/parameter.ts";
import { PARAMETER_KEYS, isParameterKey, parameter, suggestedConfig } from "../../config/parameters.ts";
import type { ParameterKey, TrainingConfig } from "../../config/parameters.ts";
import { parseValue } from "../../config/parse-value.ts";
import { checkRules } from "../../config/rules.ts";

/** A value as text for an input. Lists are written as kohya's GUI writes them. */
export function valueText(value: ParameterValue): string {
  if (value === null) return "";
  if (typeof value === "number" && value !== 0 && Math.abs(value) < 1e-3) return value.toExponential();
  if (Array.isArray(value)) return value.join(value.every((part) => typeof part === "number") ? "," : " ");
  return String(value);
}

export class ConfigForm {
  #suggested: TrainingConfig = $state.raw(suggestedConfig());
  #config: TrainingConfig = $state.raw(suggestedConfig());
  /** Text that does not parse, kept in its field so that it can be corrected. */
  #rejected: Readonly<Partial<Record<ParameterKey, { readonly text: string; readonly error: ConfigError }>>> = $state.raw({});
  readonly #conflict: ConfigError | undefined = $derived.by(() => conflictIn(this.#config));

  /** The last set of values that parsed, key by key. Usable when `isValid`. */
  get config(): TrainingConfig {
    return this.#config;
  }

  get isValid(): boolean {
    return this.#conflict === undefined && Object.keys(this.#rejected).length === 0;
  }

  value(key: ParameterKey): ParameterValue {
    return this.#config[key];
  }

  text(key: ParameterKey): string {
    return this.#rejected[key]?.text ?? valueText(this.#config[key]);
  }

  error(key: ParameterKey): ConfigError | undefined {
    return this.#rejected[key]?.error ?? (this.#conflict?.param === key ? this.#conflict : undefined);
  }

  isChanged(key: ParameterKey): boolean {
    return this.#rejected[key] !== undefined || valueText(this.#config[key]) !== valueText(this.#suggested[key]);
  }

  isActive(key: ParameterKey): boolean {
    return parameter(key).when?.(this.#config) ?? true;
  }

  suggestedText(key: ParameterKey): string {
    return valueText(this.#suggested[key]);
  }

  /** Suggests another value from now on. The value follows where it was the one suggested before, unless it is kept. */
  suggest(key: ParameterKey, value: ParameterValue, keepsValue = false): void {
    const follows = !keepsValue && !this.isChanged(key);
    this.#suggested = { ...this.#suggested, [key]: value };
    if (follows) this.reset(key);
  }

  /** Takes what was typed or chosen; a cleared field goes back, a value that breaks a rule stays in it, marked. */
  set(key: ParameterKey, raw: unknown): void {
    const { [key]: _, ...rejected } = this.#rejected;
    const row = parameter(key);
    const isCleared = raw === "" && !row.nullable && row.kind !== "text" && row.kind !== "list";
    try {
      const value = isCleared ? this.#suggested[key] : parseValue(key, row, raw);
      this.#rejected = rejected;
      this.#config = { ...this.#config, [key]: value };
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.#rejected = { ...rejected, [key]: { text: String(raw), error } };
    }
  }

  reset(key: ParameterKey): void {
    this.set(key, this.#suggested[key]);
  }

  resetAll(except: readonly ParameterKey[]): void {
    this.load(Object.fromEntries(except.map((key) => [key, this.#config[key]])));
  }

  /** Takes stored values key by key; those that no longer fit the table fall back to the suggestion. */
  load(stored: unknown): void {
    this.#rejected = {};
    this.#config = readValues(stored, this.#suggested);
  }

  /** Brings back stored suggestions; what they lack or what no longer fits the table is suggested as to a new run. */
  loadSuggestions(stored: unknown): void {
    this.#suggested = readValues(stored, suggestedConfig());
  }

  /** What fields are compared with and go back to. */
  get suggestions(): TrainingConfig {
    return this.#suggested;
  }

  /** Takes values of some settings as a whole; they are what is suggested from now on. */
  adopt(values: TrainingConfig, keys: readonly ParameterKey[]): void {
    this.#suggested = { ...this.#suggested, ...pick(values, keys) };
    this.take(values, keys);
  }

  /** Takes values of some settings as a whole. */
  take(values: TrainingConfig, keys: readonly ParameterKey[]): void {
    const taken = pick(values, keys);
    this.#config = { ...this.#config, ...taken };
    this.#rejected = Object.fromEntries(Object.entries(this.#rejected).filter(([key]) => !Object.hasOwn(taken, key)));
  }

  changedKeys(among: readonly ParameterKey[] = PARAMETER_KEYS): ParameterKey[] {
    return among.filter((key) => this.isChanged(key));
  }
}

function pick(values: TrainingConfig, keys: readonly ParameterKey[]): Partial<TrainingConfig> {
  return Object.fromEntries(keys.map((key) => [key, values[key]]));
}

function readValues(stored: unknown, base: TrainingConfig): TrainingConfig {
  const values: Record<string, ParameterValue> = { ...base };
  for (const [key, raw] of Object.entries(typeof stored === "object" && stored !== null ? stored : {})) {
    if (!isParameterKey(key)) continue;
    try {
      values[key] = parseValue(key, parameter(key), raw);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
    }
  }
  return values as unknown as TrainingConfig;
}

function conflictIn(config: TrainingConfig): ConfigError | undefined {
  try {
    checkRules(config);
    return undefined;
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}
