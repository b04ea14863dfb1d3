/** What a user should know of a plan's memory before starting it. Texts are by code in the page's languages. */
import type { RunForecast } from "../training/forecast.ts";
import { trainsModel } from "../config/trained-model.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import type { MemoryLever } from "../training/memory-levers.ts";
import type { PlanAdvice } from "./train-protocol.ts";

/** From here on memory is worth a word: cards of 4 GB begin to be tight. */
const notableBytes = 2.5 * 2 ** 30;

/** Of full training with an optimizer that keeps two numbers for each: what its 8-bit relative would save. */
export function modelAdvice(forecast: RunForecast, config: TrainingConfig): PlanAdvice[] {
  if (!trainsModel(config) || !["AdamW", "Adam"].includes(config.optimizer_type)) return [];
  // Two codes of a byte and 1/64 of two scales instead of two f32.
  const optimizer = forecast.parts.find(({ key }) => key === "optimizer")?.bytes ?? 0;
  const saved = Math.round(optimizer * (1 - 1 / 4 - 1 / 256));
  if (saved < notableBytes / 5) return [];
  const text = `AdamW8bit would take about ${Math.round(saved / 2 ** 20)} MiB less; a LoRA takes a tenth of full training`;
  return [{ code: "memory.model", data: { saved }, text }];
}

/** Says what gradient_checkpointing would save, where that is much. */
export function memoryAdvice(forecast: RunForecast, levers: readonly MemoryLever[]): PlanAdvice[] {
  const lever = levers.find(({ key }) => key === "gradient_checkpointing");
  if (lever?.state !== "off" || lever.bytes === undefined || forecast.peakBytes < notableBytes) return [];
  const peakOf = (isTraining: boolean): number => Math.max(0, ...forecast.phases.filter(({ phase }) => (phase === "train") === isTraining).map(({ peakBytes }) => peakBytes));
  const peak = Math.max(peakOf(false), peakOf(true) - lever.bytes);
  const saved = forecast.peakBytes - peak;
  if (saved < 0.1 * forecast.peakBytes) return [];
  const text = `gradient_checkpointing would bring the peak down to ${Math.round(peak / 2 ** 20)} MiB, for about a third more time per step`;
  return [{ code: "memory.checkpointing", data: { peak }, text }];
}
