/** Puts one micro-batch together: noise on the latents, the target, the loss weights. All maps are NHWC. */
import { huberThresholds, lossWeights, type HuberConfig, type LossWeightConfig } from "./loss-weights.ts";
import { addNoise, predictionTarget, type NoiseSchedule, type Prediction } from "./noise-schedule.ts";
import type { MicroBatch } from "./step-engine.ts";
import type { BatchShape } from "./training-plan.ts";

export interface MicroBatchParts {
  readonly shape: BatchShape;
  /** [B, h, w, 4], scaled */
  readonly latents: Float32Array<ArrayBuffer>;
  /** [B, h, w, 4]; noise offset and the like are already in it */
  readonly noise: Float32Array<ArrayBuffer>;
  /** What is added to the latents in place of `noise`: input perturbation. */
  readonly inputNoise?: Float32Array<ArrayBuffer> | undefined;
  /** [B] */
  readonly timesteps: Int32Array;
  readonly text: MicroBatch["text"];
  readonly prediction: Prediction;
  readonly config: LossWeightConfig & HuberConfig;
  /** [B, h, w]: how much each pixel counts, where the run is masked. */
  readonly mask?: Float32Array<ArrayBuffer> | undefined;
  /** [B]: further factors of each sample's loss; 1 where absent. */
  readonly sampleWeights?: readonly number[];
  /** What dropout is drawn from. */
  readonly draw?: MicroBatch["draw"];
}

export function makeMicroBatch(schedule: NoiseSchedule, parts: MicroBatchParts): MicroBatch {
  const { shape, latents, noise, timesteps, text, prediction, config } = parts;
  const thresholds = huberThresholds(schedule, timesteps, config);
  return {
    shape,
    x: addNoise(schedule, latents, parts.inputNoise ?? noise, timesteps),
    target: predictionTarget(schedule, prediction, latents, noise, timesteps),
    timesteps,
    lossWeights: lossWeights(schedule, timesteps, prediction, config).map((weight, i) => weight * (parts.sampleWeights?.[i] ?? 1)),
    ...(thresholds === undefined ? {} : { huberThresholds: thresholds }),
    text,
    draw: parts.draw,
    mask: parts.mask,
  };
}

/** [B, C, H, W] to [B, H, W, C]. */
export function nchwToNhwc(data: Float32Array, [batch, channels, height, width]: readonly [number, number, number, number]): Float32Array<ArrayBuffer> {
  const out = new Float32Array(data.length);
  const plane = height * width;
  for (let b = 0; b < batch; b++) {
    for (let c = 0; c < channels; c++) {
      for (let i = 0; i < plane; i++) out[(b * plane + i) * channels + c] = data[(b * channels + c) * plane + i] ?? 0;
    }
  }
  return out;
}

/** The samples of a batch behind each other; all have the same size. */
export function joinSamples(samples: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const size = samples[0]?.length ?? 0;
  const joined = new Float32Array(samples.length * size);
  samples.forEach((sample, i) => joined.set(sample, i * size));
  return joined;
}
