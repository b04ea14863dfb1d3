import { ConfigError } from "./errors.ts";
import { parseKeyValues } from "./key-value-args.ts";
import type { TrainingConfig } from "./parameters.ts";
import type { PythonValue } from "./python-literal.ts";
import { torchFactor } from "./torch-schedulers.ts";

const RAMPS = ["linear", "cosine", "1-sqrt"] as const;
export type Ramp = (typeof RAMPS)[number];

/** A schedule with its constants, as sd-scripts hands them to transformers and diffusers. */
export type SchedulerSettings =
  | { readonly type: "constant" | "constant_with_warmup" | "linear" }
  /** `waves`: full cosine waves after the warmup; ½ sinks once. */
  | { readonly type: "cosine"; readonly waves: number }
  | { readonly type: "cosine_with_restarts"; readonly cycles: number }
  /** From `start` to `end`, which count in learning rates. */
  | { readonly type: "polynomial"; readonly power: number; readonly start: number; readonly end: number }
  /** `null`: as long as the warmup, or 10,000 updates. */
  | { readonly type: "inverse_sqrt"; readonly timescale: number | null }
  /** `floor`: the factor at the bottom. */
  | { readonly type: "cosine_with_min_lr"; readonly waves: number; readonly floor: number }
  | {
      readonly type: "warmup_stable_decay";
      readonly waves: number;
      readonly floor: number;
      readonly rise: Ramp;
      readonly fall: Ramp;
    }
  /** One of PyTorch's own; `factor` is λ(k). */
  | { readonly type: "torch"; readonly factor: (update: number) => number }
  /** Steps in ascending order: `factor` holds for updates below `until`. */
  | { readonly type: "piecewise_constant"; readonly steps: readonly PieceStep[]; readonly last: number };

export interface PieceStep {
  readonly until: number;
  readonly factor: number;
}

type Scheduler = TrainingConfig["lr_scheduler"];

/** `lr_scheduler_args` that each takes: what sd-scripts does not pass itself. */
const ARGUMENTS: Readonly<Partial<Record<Scheduler, readonly string[]>>> = {
  cosine: ["num_cycles"],
  polynomial: ["lr_end"],
  cosine_with_min_lr: ["min_lr"],
  warmup_stable_decay: ["warmup_type", "decay_type"],
  piecewise_constant: ["step_rules"],
};

/**
 * `lr_scheduler` with the settings and `lr_scheduler_args` that belong to it.
 * @throws ConfigError `config.schedulerArgs` for an argument that the scheduler does not have or can't use,
 * `config.conflict` for settings that it needs or can't have
 */
export function schedulerSettings(config: TrainingConfig): SchedulerSettings {
  if (config.lr_scheduler_type !== null) return { type: "torch", factor: torchFactor(config.lr_scheduler_type, config) };
  const type = config.lr_scheduler;
  const args = parseArgs(config);
  const waves = config.lr_scheduler_num_cycles / 2;
  switch (type) {
    case "adafactor":
      // The optimizer has the schedule; where it has none, the rules of the optimizer refuse this one.
      return { type: "constant" };
    case "constant":
    case "constant_with_warmup":
    case "linear":
      return { type };
    case "cosine":
      return { type, waves: numberArg(args, "num_cycles", 0.5) };
    case "cosine_with_restarts":
      return { type, cycles: config.lr_scheduler_num_cycles };
    case "polynomial":
      return polynomial(config, numberArg(args, "lr_end", 1e-7));
    case "inverse_sqrt":
      return { type, timescale: config.lr_scheduler_timescale };
    case "cosine_with_min_lr":
      return { type, waves, floor: floorOf(config, args.get("min_lr")) };
    case "warmup_stable_decay":
      return {
        type,
        waves,
        floor: config.lr_scheduler_min_lr_ratio ?? 0,
        rise: rampArg(args, "warmup_type", "linear"),
        fall: rampArg(args, "decay_type", "cosine"),
      };
    case "piecewise_constant":
      return { type, ...pieces(args.get("step_rules")) };
    default:
      return type satisfies never;
  }
}

function parseArgs(config: TrainingConfig): Map<string, PythonValue> {
  const args = parseKeyValues(config.lr_scheduler_args, argumentError);
  const known = ARGUMENTS[config.lr_scheduler] ?? [];
  for (const [key, value] of args) {
    if (known.includes(key)) continue;
    const rule = known.length === 0 ? `${config.lr_scheduler} takes no arguments` : `${config.lr_scheduler} takes ${known.join(", ")}`;
    throw argumentError(`${key}=${String(value)}`, rule);
  }
  return args;
}

/** Both sides follow the course from `learning_rate` to the end, in proportion, also where they have their own rates. */
function polynomial(config: TrainingConfig, end: number): SchedulerSettings {
  const start = config.learning_rate;
  if (!(start > end)) {
    const rule = `polynomial sinks from it to ${end}; choose a higher rate, or another lr_end in lr_scheduler_args`;
    throw new ConfigError("conflict", "learning_rate", start, rule);
  }
  return { type: "polynomial", power: config.lr_scheduler_power, start, end };
}

function floorOf(config: TrainingConfig, minimum: PythonValue | undefined): number {
  const ratio = config.lr_scheduler_min_lr_ratio;
  if (minimum === undefined || minimum === null) {
    if (ratio !== null) return ratio;
    const rule = "cosine_with_min_lr needs it: the share of the rate that is left at the end, such as 0.1";
    throw new ConfigError("conflict", "lr_scheduler_min_lr_ratio", ratio, rule);
  }
  if (ratio !== null) throw argumentError(`min_lr=${String(minimum)}`, "lr_scheduler_min_lr_ratio is set too; keep one of them");
  if (typeof minimum === "number" && minimum >= 0 && config.learning_rate > 0) return minimum / config.learning_rate;
  throw argumentError(`min_lr=${String(minimum)}`, "min_lr must be a number not below 0, under a learning_rate above 0");
}

function numberArg(args: ReadonlyMap<string, PythonValue>, key: string, fallback: number): number {
  const value = args.get(key);
  if (value === undefined) return fallback;
  if (typeof value === "number" && Number.isFinite(value) && value >= 0) return value;
  throw argumentError(`${key}=${String(value)}`, `${key} must be a number not below 0`);
}

function rampArg(args: ReadonlyMap<string, PythonValue>, key: string, fallback: Ramp): Ramp {
  const value = args.get(key);
  if (value === undefined) return fallback;
  const ramp = RAMPS.find((name) => name === value);
  if (ramp === undefined) throw argumentError(`${key}=${String(value)}`, `${key} must be one of '${RAMPS.join("', '")}'`);
  return ramp;
}

/** `1:10,0.1:20,0.01`: factor 1 for updates below 10, 0.1 below 20, then 0.01. */
function pieces(rules: PythonValue | undefined): { steps: PieceStep[]; last: number } {
  const fail = (): ConfigError =>
    argumentError(`step_rules=${String(rules)}`, "piecewise_constant needs step_rules like '1:10,0.1:20,0.01'");
  if (typeof rules !== "string") throw fail();
  const parts = rules.split(",");
  const last = factorIn(parts.pop());
  const steps = parts.map((part): PieceStep => {
    const [factor, until, ...rest] = part.split(":");
    const piece = { until: Number(until?.trim() || Number.NaN), factor: factorIn(factor) };
    if (rest.length > 0 || !Number.isInteger(piece.until) || Number.isNaN(piece.factor)) throw fail();
    return piece;
  });
  if (Number.isNaN(last)) throw fail();
  // Of two rules for the same update the later one counts, as in the dictionary that diffusers makes of them.
  const latest = new Map(steps.map((step) => [step.until, step]));
  return { steps: [...latest.values()].toSorted((a, b) => a.until - b.until), last };
}

function factorIn(text: string | undefined): number {
  const factor = Number(text?.trim() || Number.NaN);
  return Number.isFinite(factor) && factor >= 0 ? factor : Number.NaN;
}

function argumentError(entry: string, rule: string): ConfigError {
  return new ConfigError("schedulerArgs", "lr_scheduler_args", entry, rule);
}
