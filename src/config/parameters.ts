/**
 * The one table of training parameters: kohya's key, type, default, range, when it matters, and its words.
 * The page, the command line, config files and presets all read it; a key that is not here is not trained with.
 */
import type { Parameter, ParameterValue } from "./parameter.ts";
import { aboutParameters } from "./table/about.ts";
import { blockParameters } from "./table/blocks.ts";
import { bucketParameters } from "./table/buckets.ts";
import { folderParameters } from "./table/folders.ts";
import { fullParameters } from "./table/full.ts";
import { lossParameters } from "./table/loss.ts";
import { lycorisParameters } from "./table/lycoris.ts";
import { modelParameters } from "./table/model.ts";
import { networkParameters } from "./table/network.ts";
import { noiseParameters } from "./table/noise.ts";
import { outputParameters } from "./table/output.ts";
import { precisionParameters } from "./table/precision.ts";
import { rateParameters } from "./table/rates.ts";
import { sampleParameters } from "./table/samples.ts";
import { scheduleParameters } from "./table/schedule.ts";
import { startParameters } from "./table/start.ts";
import { textParameters } from "./table/text.ts";
import { trainingParameters } from "./table/training.ts";
import { validationParameters } from "./table/validation.ts";
import { wordParameters } from "./table/words.ts";

export const PARAMETERS = {
  ...modelParameters,
  ...folderParameters,
  ...trainingParameters,
  ...precisionParameters,
  ...rateParameters,
  ...fullParameters,
  ...scheduleParameters,
  ...networkParameters,
  ...lycorisParameters,
  ...blockParameters,
  ...startParameters,
  ...wordParameters,
  ...textParameters,
  ...noiseParameters,
  ...lossParameters,
  ...bucketParameters,
  ...sampleParameters,
  ...validationParameters,
  ...outputParameters,
  ...aboutParameters,
} as const;

export type ParameterKey = keyof typeof PARAMETERS;

/** A complete set of values by kohya key. Plain data: it is stored, sent to workers and compared as is. */
export type TrainingConfig = {
  readonly [K in ParameterKey]: (typeof PARAMETERS)[K] extends Parameter<infer V> ? V : never;
};

export const PARAMETER_KEYS = Object.keys(PARAMETERS) as ParameterKey[];

export function isParameterKey(key: string): key is ParameterKey {
  return Object.hasOwn(PARAMETERS, key);
}

/** The row of a key, without the type of its value, for code that treats all rows alike. */
export function parameter(key: ParameterKey): Parameter {
  return PARAMETERS[key];
}

/** What a kohya file that sets nothing means: sd-scripts' defaults. */
export function defaultConfig(): TrainingConfig {
  return fromTable((row) => row.default);
}

/** What a new run starts from: our advice where sd-scripts' default is not a sensible beginning. */
export function suggestedConfig(): TrainingConfig {
  return fromTable((row) => (row.suggested === undefined ? row.default : row.suggested));
}

function fromTable(value: (row: Parameter) => ParameterValue): TrainingConfig {
  return Object.fromEntries(PARAMETER_KEYS.map((key) => [key, value(parameter(key))])) as unknown as TrainingConfig;
}
