/**
 * PyTorch's own schedulers, chosen by `lr_scheduler_type`: as sd-scripts, they take the place of `lr_scheduler`, count
 * updates, and know no warmup. Those that act on more than the rate (OneCycleLR, CyclicLR), or need code or a measured
 * loss, are not here.
 */
import { ConfigError } from "./errors.ts";
import { parseKeyValues } from "./key-value-args.ts";
import type { TrainingConfig } from "./parameters.ts";
import type { PythonValue } from "./python-literal.ts";
import { sideRatios } from "./rate-ratios.ts";

export const TORCH_SCHEDULERS = [
  "StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR", "PolynomialLR", "CosineAnnealingLR",
  "CosineAnnealingWarmRestarts",
] as const;
export type TorchScheduler = (typeof TORCH_SCHEDULERS)[number];

type Factor = (update: number) => number;

/** Arguments of a scheduler; each is taken once, and what is left over in the end is unknown. */
class Arguments {
  readonly #values: Map<string, PythonValue>;
  readonly #owner: string;

  constructor(values: ReadonlyMap<string, PythonValue>, owner: string) {
    this.#values = new Map(values);
    this.#owner = owner;
  }

  /** @param fallback undefined: the argument has to be there */
  number(key: string, fallback: number | undefined, isGood: (value: number) => boolean, rule: string): number {
    const value = this.#values.get(key) ?? fallback;
    this.#values.delete(key);
    if (typeof value === "number" && Number.isFinite(value) && isGood(value)) return value;
    throw argumentError(`${key}=${String(value ?? "")}`, `${this.#owner}: ${key} must be ${rule}`);
  }

  updates(key: string, fallback?: number): number {
    return this.number(key, fallback, (value) => Number.isInteger(value) && value > 0, "a whole number of updates above 0");
  }

  share(key: string, fallback: number | undefined, mayBeZero = true): number {
    const rule = mayBeZero ? "from 0 to 1" : "above 0, and not above 1";
    return this.number(key, fallback, (value) => (mayBeZero ? value >= 0 : value > 0) && value <= 1, rule);
  }

  milestones(): readonly number[] {
    const value = this.#values.get("milestones");
    this.#values.delete("milestones");
    const isList = Array.isArray(value) && value.every((update) => typeof update === "number" && Number.isInteger(update));
    if (isList) return value as number[];
    throw argumentError(`milestones=${String(value ?? "")}`, "MultiStepLR: milestones must be a list of updates, like [100,200]");
  }

  /** @throws ConfigError for what nothing has taken */
  end(): void {
    const { last_epoch: last = -1, ...others } = Object.fromEntries(this.#values);
    const [unknown] = Object.entries(others);
    if (unknown !== undefined) throw argumentError(`${unknown[0]}=${String(unknown[1])}`, `${this.#owner} has no such argument`);
    if (last !== -1) throw argumentError(`last_epoch=${String(last)}`, "runs begin at their beginning, so only -1 is possible");
  }
}

/**
 * λ(k), k = finished updates, of a scheduler with its `lr_scheduler_args`; by the formulas of torch.optim.lr_scheduler.
 * @throws ConfigError `config.schedulerArgs`; `config.conflict` for a warmup
 */
export function torchFactor(type: TorchScheduler, config: TrainingConfig): Factor {
  if (config.lr_warmup_steps !== 0) {
    const rule = `${type} has no warmup; set it to 0`;
    throw new ConfigError("conflict", "lr_warmup_steps", config.lr_warmup_steps, rule);
  }
  const args = new Arguments(parseKeyValues(config.lr_scheduler_args, argumentError), type);
  const factor = factorOf(type, args, config);
  args.end();
  return factor;
}

function factorOf(type: TorchScheduler, args: Arguments, config: TrainingConfig): Factor {
  const gamma = (fallback?: number): number => args.number("gamma", fallback, (value) => value > 0, "a number above 0");
  switch (type) {
    case "StepLR": {
      const [size, by] = [args.updates("step_size"), gamma(0.1)];
      return (update) => by ** Math.floor(update / size);
    }
    case "MultiStepLR": {
      const [milestones, by] = [args.milestones(), gamma(0.1)];
      return (update) => by ** milestones.filter((milestone) => milestone <= update && milestone > 0).length;
    }
    case "ConstantLR": {
      const [factor, total] = [args.share("factor", 1 / 3), args.updates("total_iters", 5)];
      return (update) => (update < total ? factor : 1);
    }
    case "LinearLR": {
      const [start, end] = [args.share("start_factor", 1 / 3, false), args.share("end_factor", 1)];
      const total = args.updates("total_iters", 5);
      return (update) => start + ((end - start) * Math.min(update, total)) / total;
    }
    case "ExponentialLR": {
      const by = gamma();
      return (update) => by ** update;
    }
    case "PolynomialLR": {
      const total = args.updates("total_iters", 5);
      const power = args.number("power", 1, (value) => value >= 0, "a number not below 0");
      return (update) => (1 - Math.min(update, total) / total) ** power;
    }
    case "CosineAnnealingLR": {
      const [period, floor] = [args.updates("T_max"), floorOf(args, config)];
      return (update) => floor + ((1 - floor) * (1 + Math.cos((Math.PI * update) / period))) / 2;
    }
    case "CosineAnnealingWarmRestarts": {
      const [first, growth, floor] = [args.updates("T_0"), args.updates("T_mult", 1), floorOf(args, config)];
      return (update) => {
        let [done, period] = [update, first];
        if (growth === 1) done %= first;
        else while (done >= period) [done, period] = [done - period, period * growth];
        return floor + ((1 - floor) * (1 + Math.cos((Math.PI * done) / period))) / 2;
      };
    }
    default:
      return type satisfies never;
  }
}

/** `eta_min` is a rate, the same one for all that is trained; as a share it needs a common rate. */
function floorOf(args: Arguments, config: TrainingConfig): number {
  const minimum = args.number("eta_min", 0, (value) => value >= 0, "a rate not below 0");
  if (minimum === 0) return 0;
  const { learning_rate: rate } = config;
  const isCommon = [config.unet_lr, config.text_encoder_lr].every((own) => own === null || own === rate) && sideRatios(config) === undefined;
  if (isCommon && rate > 0) return minimum / rate;
  throw argumentError(`eta_min=${String(minimum)}`, "eta_min needs one learning_rate for all; leave the parts' own rates out, or eta_min");
}

function argumentError(entry: string, rule: string): ConfigError {
  return new ConfigError("schedulerArgs", "lr_scheduler_args", entry, rule);
}
