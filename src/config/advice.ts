/** What a user should know of settings before a run, which they do not stop. Texts are by code in the page's languages. */
import { baseRates } from "./learning-rate.ts";
import { trainsModel } from "./trained-model.ts";
import { findsOwnStep } from "./optimizer-rules.ts";
import type { TrainingConfig } from "./parameters.ts";
import { ownRate } from "./relative-step.ts";

export interface Advice {
  readonly code: string;
  readonly data: Readonly<Record<string, string | number>>;
  /** In English. */
  readonly text: string;
}

/** Lion's update has the size of the rate itself, so it wants three to ten times less than AdamW. */
const highLionRate = 2e-4;
/** Where sd-scripts warns. */
const lowAdaptiveRate = 0.1;
/** Adam's update has the size of its rate; SGD's that of rate times gradient, which is far smaller. */
const lowSgdRate = 1e-3;
/** Of a whole model, whose weights were found at rates like 0.0001 with batches of thousands. */
const highModelRate = 2e-5;

/** What the chosen optimizer makes of the rates, where that is likely not what was meant. */
export function rateAdvice(config: TrainingConfig): Advice[] {
  const rates = baseRates(config);
  const rate = Math.max(rates.unet ?? 0, rates.textEncoder ?? 0);
  const type = config.optimizer_type;
  if (type === "Lion" || type === "Lion8bit") {
    if (rate <= highLionRate) return [];
    return [{ code: "rate.lion", data: { rate }, text: `Lion with a learning rate of ${rate} usually diverges; it wants three to ten times less than AdamW` }];
  }
  if (findsOwnStep(type)) {
    if (rate > lowAdaptiveRate) return [];
    const text = `${type} finds its own step size and wants a learning rate of 1; ${rate} scales every step down`;
    return [{ code: "rate.adaptive", data: { optimizer: type, rate }, text }];
  }
  if (type === "Adafactor") return adafactorAdvice(config);
  if (trainsModel(config) && rate > highModelRate && (type.startsWith("Adam"))) {
    const text = `A learning rate of ${rate} breaks a model that is trained as a whole; 0.000001 to 0.000005 is usual`;
    return [{ code: "rate.full", data: { rate }, text }];
  }
  if (type === "SGDNesterov" || type === "SGDNesterov8bit") {
    if (rate >= lowSgdRate) return [];
    const text = `SGD with a learning rate of ${rate} learns next to nothing, as it does not scale gradients up; 0.01 to 0.1 is usual`;
    return [{ code: "rate.sgd", data: { rate }, text }];
  }
  return [];
}

/** Kinds of noise and loss that do not go together, though they can be trained with. */
export function noiseAdvice(config: TrainingConfig): Advice[] {
  const advice: Advice[] = [];
  if (config.zero_terminal_snr && !config.v_parameterization) {
    const text = "zero_terminal_snr is for v-prediction models; this one predicts noise and learns nothing from the last steps";
    advice.push({ code: "noise.zeroTerminal", data: {}, text });
  }
  if (config.noise_offset !== null && config.multires_noise_iterations !== null) {
    const text = "noise_offset and multires_noise_iterations do the same thing twice; use one of them";
    advice.push({ code: "noise.twice", data: {}, text });
  }
  if (config.min_snr_gamma !== null && config.debiased_estimation_loss) {
    const text = "min_snr_gamma and debiased_estimation_loss both reweigh the noise levels; use one of them";
    advice.push({ code: "noise.weighsTwice", data: {}, text });
  }
  return advice;
}

/** sd-scripts' hints for Adafactor. */
function adafactorAdvice(config: TrainingConfig): Advice[] {
  if (ownRate(config) !== undefined) {
    const text = "Adafactor with relative_step finds its own rate: learning rates and scheduler have no effect";
    return [{ code: "rate.adafactor", data: {}, text }];
  }
  const advice: Advice[] = [];
  if (config.max_grad_norm !== 0) {
    const text = "Adafactor limits its updates itself: max_grad_norm 0 suits a fixed rate";
    advice.push({ code: "rate.adafactorClip", data: {}, text });
  }
  if (config.lr_scheduler !== "constant_with_warmup") {
    advice.push({ code: "rate.adafactorScheduler", data: {}, text: "Adafactor with a fixed rate goes well with constant_with_warmup" });
  }
  return advice;
}
