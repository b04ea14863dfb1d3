/** The learning rates of a run before it starts, for a plot and a table. */
import { baseRates, rateFactor } from "../../config/learning-rate.ts";
import type { TrainingConfig } from "../../config/parameters.ts";

/** More points than a plot is wide. */
const maxPoints = 4096;
const maxMarks = 40;

export interface RateCurve {
  /** Numbers of updates, from 1, in ascending order; the first and the last are among them. */
  readonly steps: readonly number[];
  /** Rates at these updates; absent where the side is not trained. */
  readonly unet?: readonly number[];
  readonly textEncoder?: readonly number[];
  /** The first update of each epoch but the first; of some of them, evenly, where they are many. */
  readonly epochStarts: readonly number[];
}

/**
 * @param totalSteps updates of the run, 1 or more
 * @param stepsPerEpoch undefined where it is not known
 * @throws ConfigError for settings that give no schedule
 */
export function rateCurve(config: TrainingConfig, totalSteps: number, stepsPerEpoch?: number): RateCurve {
  const factor = rateFactor(config, totalSteps);
  const { unet, textEncoder } = baseRates(config);
  const steps = evenSteps(totalSteps, maxPoints);
  const rates = (base: number): number[] => steps.map((step) => base * factor(step - 1));
  return {
    steps,
    ...(unet === undefined ? {} : { unet: rates(unet) }),
    ...(textEncoder === undefined ? {} : { textEncoder: rates(textEncoder) }),
    epochStarts: stepsPerEpoch === undefined ? [] : epochStarts(totalSteps, stepsPerEpoch),
  };
}

/** At most `count` of the updates 1 to `total`, evenly, the first and the last among them. */
export function evenSteps(total: number, count: number): number[] {
  const points = Math.min(total, count);
  if (points < 2) return [total];
  return Array.from({ length: points }, (_, i) => 1 + Math.round((i * (total - 1)) / (points - 1)));
}

function epochStarts(totalSteps: number, stepsPerEpoch: number): number[] {
  const others = Math.ceil(totalSteps / stepsPerEpoch) - 1;
  const stride = Math.ceil(others / maxMarks);
  return Array.from({ length: Math.floor(others / Math.max(1, stride)) }, (_, i) => (i + 1) * stride * stepsPerEpoch + 1);
}

/** Where a curve begins, is highest for the first time, and ends. */
export interface CurveSummary {
  readonly first: number;
  readonly highest: number;
  readonly highestStep: number;
  readonly last: number;
}

export function summarize(steps: readonly number[], rates: readonly number[]): CurveSummary {
  const highest = rates.reduce((max, rate) => Math.max(max, rate), -Infinity);
  return { first: rates[0] ?? 0, highest, highestStep: steps[rates.indexOf(highest)] ?? 1, last: rates.at(-1) ?? 0 };
}
