import type { ConfigWarning } from "./errors.ts";
import { ConfigError, shown } from "./errors.ts";
import type { ParameterValue } from "./parameter.ts";
import type { TrainingConfig } from "./parameters.ts";
import { defaultConfig, isParameterKey, parameter } from "./parameters.ts";
import { matchChoice, parseValue } from "./parse-value.ts";
import { checkRules } from "./rules.ts";
import { takeNetworkArgs } from "./network-args.ts";
import { isPromptFileName } from "./sample-prompts.ts";
import { judgeUnusedKey } from "./unused-keys.ts";

export interface ParsedConfig {
  readonly config: TrainingConfig;
  /** Keys that neither this program nor kohya's trainer knows, as written. */
  readonly unknownKeys: readonly string[];
  readonly warnings: readonly ConfigWarning[];
}

/**
 * Reads values by kohya key over `base` and checks them one by one and together.
 * Keys of kohya's that are not trained with here are reported if they would have changed the result.
 * @param onproblem takes what is wrong with a value, which then stays as in `base`, or with several together, which
 * stay in conflict; without it the first problem is thrown
 * @throws ConfigError naming the parameter, the value and the rule
 */
export function parseConfig(
  values: Readonly<Record<string, unknown>>,
  base: TrainingConfig = defaultConfig(),
  onproblem: (problem: ConfigError) => void = refuse,
): ParsedConfig {
  // A base that was stored before a parameter existed means its default.
  const merged: Record<string, ParameterValue> = { ...defaultConfig(), ...base };
  const unknownKeys: string[] = [];
  const warnings: ConfigWarning[] = [];
  const take = (key: string, raw: unknown): void => {
    if (!isParameterKey(key)) {
      const verdict = judgeUnusedKey(key, raw);
      if (verdict === "unknown") unknownKeys.push(key);
      else if (verdict !== "harmless") warnings.push(verdict);
      return;
    }
    if (key === "sample_prompts" && isPromptFileName(raw)) {
      warnings.push(promptFileWarning(raw));
      return;
    }
    const row = parameter(key);
    merged[key] = parseValue(key, row, key === "text_encoder_lr" ? firstOf(raw) : raw);
    if (row.kind === "choice" && matchChoice(row, raw)?.replaced === true) {
      const message = `${key} ${shown(raw)} is not available here; ${shown(merged[key])} is used instead.`;
      warnings.push({ code: "config.replaced", param: key, message });
    }
  };
  for (const [key, raw] of Object.entries(takeNetworkArgs(values))) report(() => take(key, raw), onproblem);
  const config = merged as unknown as TrainingConfig;
  report(() => checkRules(config), onproblem);
  return { config, unknownKeys, warnings };
}

function report(work: () => void, onproblem: (problem: ConfigError) => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    onproblem(error);
  }
}

function refuse(problem: ConfigError): never {
  throw problem;
}

/** sd-scripts takes a list of text encoder rates, for models with several; Stable Diffusion 1 and 2 have one. */
function firstOf(raw: unknown): unknown {
  return Array.isArray(raw) ? (raw[0] ?? null) : raw;
}

/** sd-scripts keeps prompts in a file of their own, which does not come along with the settings. */
function promptFileWarning(file: string): ConfigWarning {
  const message = `sample_prompts names the file ${shown(file)}, whose lines are wanted here: copy them into the setting.`;
  return { code: "config.promptFile", param: "sample_prompts", message };
}
