/** What a user should know of a plan's memory before starting it. Texts are by code in the page's languages. */
import type { TrainingConfig } from "../config/parameters.ts";
import type { RunForecast } from "../training/forecast.ts";
import { trainingBytes, type TrainingPlan } from "../training/training-plan.ts";
import type { PlanAdvice } from "./train-protocol.ts";

/** From here on memory is worth a word: cards of 4 GB begin to be tight. */
const notableBytes = 2.5 * 2 ** 30;

/** Says what gradient_checkpointing would save, where that is much. `replan` plans the run with it. */
export function memoryAdvice(forecast: RunForecast, config: TrainingConfig, replan: () => TrainingPlan): PlanAdvice[] {
  if (config.gradient_checkpointing || forecast.peakBytes < notableBytes) return [];
  const others = Math.max(0, ...forecast.phases.filter(({ phase }) => phase !== "train").map(({ peakBytes }) => peakBytes));
  const peak = Math.max(others, trainingBytes(replan()));
  const saved = forecast.peakBytes - peak;
  if (saved < 0.1 * forecast.peakBytes) return [];
  const text = `gradient_checkpointing would bring the peak down to ${Math.round(peak / 2 ** 20)} MiB, for about a third more time per step`;
  return [{ code: "memory.checkpointing", data: { peak }, text }];
}
