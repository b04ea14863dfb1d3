import { ConfigError } from "./errors.ts";
import { parseKeyValues } from "./key-value-args.ts";
import type { TrainingConfig } from "./parameters.ts";
import type { PythonValue } from "./python-literal.ts";

/** An optimizer with its constants; learning rates come from the schedule. Weight decay is decoupled in both. */
export type OptimizerSettings =
  | {
      readonly type: "AdamW";
      readonly beta1: number;
      readonly beta2: number;
      readonly eps: number;
      readonly weightDecay: number;
    }
  | { readonly type: "Lion"; readonly beta1: number; readonly beta2: number; readonly weightDecay: number };

/**
 * `optimizer_type` with `optimizer_args` applied over the reference implementations' defaults (torch's AdamW,
 * lion-pytorch).
 * @throws ConfigError `config.optimizerArgs` for an argument that the optimizer does not have or can't use
 */
export function optimizerSettings(
  config: Pick<TrainingConfig, "optimizer_type" | "optimizer_args">,
): OptimizerSettings {
  const values = parseOptimizerArgs(config.optimizer_args);
  const lion = config.optimizer_type === "Lion";
  const known = lion ? ["betas", "weight_decay"] : ["betas", "eps", "weight_decay"];
  for (const [key, value] of values) {
    if (!known.includes(key)) {
      throw argumentError(`${key}=${String(value)}`, `${config.optimizer_type} takes ${known.join(", ")}`);
    }
  }
  const [beta1, beta2] = betas(values.get("betas"), lion ? [0.9, 0.99] : [0.9, 0.999]);
  const weightDecay = nonNegative("weight_decay", values.get("weight_decay"), lion ? 0 : 0.01);
  if (lion) return { type: "Lion", beta1, beta2, weightDecay };
  return { type: "AdamW", beta1, beta2, eps: nonNegative("eps", values.get("eps"), 1e-8), weightDecay };
}

/**
 * Splits `key=<python literal>` entries.
 * @throws ConfigError `config.optimizerArgs`
 */
export function parseOptimizerArgs(entries: readonly string[]): Map<string, PythonValue> {
  return parseKeyValues(entries, argumentError);
}

function betas(value: PythonValue | undefined, fallback: readonly [number, number]): readonly [number, number] {
  if (value === undefined) return fallback;
  const inRange = (beta: PythonValue | undefined): beta is number => typeof beta === "number" && beta >= 0 && beta < 1;
  if (Array.isArray(value) && value.length === 2) {
    const [beta1, beta2] = value as readonly PythonValue[];
    if (inRange(beta1) && inRange(beta2)) return [beta1, beta2];
  }
  throw argumentError(`betas=${String(value)}`, "betas must be two numbers from 0 up to but not including 1");
}

function nonNegative(key: string, value: PythonValue | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  if (typeof value === "number" && Number.isFinite(value) && value >= 0) return value;
  throw argumentError(`${key}=${String(value)}`, `${key} must be a number not below 0`);
}

function argumentError(entry: string, rule: string): ConfigError {
  return new ConfigError("optimizerArgs", "optimizer_args", entry, rule);
}
