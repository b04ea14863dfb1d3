/** Learning rate over a run, as the factor λ(k) of each side's base rate, k = finished optimizer updates. */
import type { TrainingConfig } from "./parameters.ts";
import { textUpdates, trainsModel } from "./trained-model.ts";
import { trainsWords } from "./trained-words.ts";
import { ownRate } from "./relative-step.ts";
import { schedulerSettings } from "./scheduler-settings.ts";
import type { Ramp, SchedulerSettings } from "./scheduler-settings.ts";

/** λ(k); `update` counts from 0. */
export type RateFactor = (update: number) => number;

/** What `inverse_sqrt` takes where neither a time scale nor a warmup is set. */
const DEFAULT_TIMESCALE = 10_000;

/** Lengths in updates. */
interface Lengths {
  readonly warmup: number;
  readonly decay: number;
  readonly total: number;
}

/**
 * Updates of a setting that may be a share of the run: below 1 it is one, rounded down, as sd-scripts does.
 * @param length `lr_warmup_steps` or `lr_decay_steps` as configured
 */
export function updatesOf(length: number, totalUpdates: number): number {
  return length < 1 ? Math.trunc(length * totalUpdates) : length;
}

/**
 * The schedule of a run, by transformers' and diffusers' formulas. With warmup the first update has λ(0) = 0.
 * @throws ConfigError as `schedulerSettings`
 */
export function rateFactor(config: TrainingConfig, totalUpdates: number): RateFactor {
  const own = ownRate(config);
  if (own !== undefined) return own;
  const settings = schedulerSettings(config);
  const warmup = updatesOf(config.lr_warmup_steps, totalUpdates);
  const lengths = { warmup, decay: updatesOf(config.lr_decay_steps, totalUpdates), total: totalUpdates };
  const { type } = settings;
  if (type === "warmup_stable_decay") return stableThenDecay(settings, lengths);
  const course = courseOf(settings, lengths);
  if (type === "constant" || type === "torch" || type === "piecewise_constant") return course;
  return (update) => (update < warmup ? update / Math.max(1, warmup) : course(update));
}

/** λ(k) behind the warmup. */
function courseOf(
  settings: Exclude<SchedulerSettings, { readonly type: "warmup_stable_decay" }>,
  { warmup, total }: Lengths,
): RateFactor {
  const progress: RateFactor = (update) => (update - warmup) / Math.max(1, total - warmup);
  switch (settings.type) {
    case "constant":
    case "constant_with_warmup":
      return () => 1;
    case "linear":
      return (update) => Math.max(0, (total - update) / Math.max(1, total - warmup));
    case "cosine":
      return (update) => Math.max(0, wave(settings.waves, progress(update)));
    case "cosine_with_restarts":
      return (update) => {
        const done = progress(update);
        return done >= 1 ? 0 : Math.max(0, wave(0.5, (settings.cycles * done) % 1));
      };
    case "polynomial": {
      const { power, start, end } = settings;
      return (update) => ((start - end) * (1 - (update - warmup) / (total - warmup)) ** power + end) / start;
    }
    case "inverse_sqrt": {
      const timescale = settings.timescale ?? (warmup || DEFAULT_TIMESCALE);
      return (update) => 1 / Math.sqrt((update - warmup + timescale) / timescale);
    }
    case "cosine_with_min_lr":
      return (update) => Math.max(0, above(settings.floor, wave(settings.waves, progress(update))));
    case "torch":
      return settings.factor;
    case "piecewise_constant":
      return (update) => settings.steps.find(({ until }) => update < until)?.factor ?? settings.last;
    default:
      return settings satisfies never;
  }
}

/** Up from the floor, level, and down to it over the last updates. */
function stableThenDecay(
  { waves, floor, rise, fall }: Extract<SchedulerSettings, { readonly type: "warmup_stable_decay" }>,
  { warmup, decay, total }: Lengths,
): RateFactor {
  const decayStart = total - decay;
  return (update) => {
    if (update < warmup) return Math.max(0, above(floor, risen(rise, update / Math.max(1, warmup))));
    if (update < decayStart) return 1;
    if (update < total) return Math.max(0, above(floor, fallen(fall, waves, (update - decayStart) / Math.max(1, decay))));
    return floor;
  };
}

/** Cosine from 1 down, `waves` full waves over progress 0 to 1. */
function wave(waves: number, progress: number): number {
  return 0.5 * (1 + Math.cos(Math.PI * waves * 2 * progress));
}

function above(floor: number, factor: number): number {
  return factor * (1 - floor) + floor;
}

function risen(ramp: Ramp, progress: number): number {
  if (ramp === "linear") return progress;
  return ramp === "cosine" ? 1 - wave(0.5, progress) : 1 - Math.sqrt(1 - progress);
}

function fallen(ramp: Ramp, waves: number, progress: number): number {
  if (ramp === "linear") return 1 - progress;
  return ramp === "cosine" ? wave(waves, progress) : 1 - Math.sqrt(progress);
}

export interface LearningRates {
  /** Absent where the side is not trained. */
  readonly unet?: number;
  readonly textEncoder?: number;
}

/**
 * The rates of one update.
 * @param update in the schedule's counting, from 0
 * @param finished updates in the run's, those that were skipped included
 * @throws ConfigError as `schedulerSettings`
 */
export function learningRates(config: TrainingConfig, update: number, totalUpdates: number, finished = update): LearningRates {
  const factor = rateFactor(config, totalUpdates)(update);
  const base = baseRates(config);
  const hasStopped = trainsModel(config) && finished >= (textUpdates(config) ?? Infinity);
  return {
    ...(base.unet === undefined ? {} : { unet: base.unet * factor }),
    ...(base.textEncoder === undefined || hasStopped ? {} : { textEncoder: base.textEncoder * factor }),
  };
}

/**
 * Each trained side's rate before the schedule: its own or `learning_rate`. A side whose rate is 0 is not trained but
 * still saved, as in sd-scripts. An optimizer with a rate of its own takes no other, and trains each side that it may.
 */
export function baseRates(config: TrainingConfig): LearningRates {
  const isOwn = ownRate(config) !== undefined;
  const rate = (side: number | null): number => (isOwn ? 1 : (side ?? config.learning_rate));
  // The words' vectors are in the text encoder; sd-scripts has one rate there.
  if (trainsWords(config)) return { textEncoder: rate(null) };
  if (trainsModel(config)) {
    return textUpdates(config) === 0 ? { unet: rate(null) } : { unet: rate(null), textEncoder: rate(config.learning_rate_te) };
  }
  const unet = config.network_train_text_encoder_only ? 0 : rate(config.unet_lr);
  const textEncoder = config.network_train_unet_only ? 0 : rate(config.text_encoder_lr);
  return { ...(unet === 0 ? {} : { unet }), ...(textEncoder === 0 ? {} : { textEncoder }) };
}
