/** Adafactor's own learning rate, under which neither the rates nor the scheduler matter. */
import { optimizerSettings } from "./optimizer-settings.ts";

/**
 * The rate at `update` finished updates where the optimizer finds it itself; undefined where the schedule gives it.
 * sd-scripts also turns relative_step on where warmup_init asks for it.
 */
export function ownRate(config: {
  readonly optimizer_type?: unknown;
  readonly optimizer_args: readonly string[];
}): ((update: number) => number) | undefined {
  if (config.optimizer_type !== "Adafactor") return undefined;
  const settings = optimizerSettings({ optimizer_type: "Adafactor", optimizer_args: config.optimizer_args });
  if (settings.type !== "Adafactor" || !(settings.relative_step || settings.warmup_init)) return undefined;
  return (update) => relativeStep(update, settings.warmup_init);
}

/**
 * Adafactor's relative step ρ, which each tensor then scales by its own size (transformers).
 * @param update finished updates, from 0
 */
export function relativeStep(update: number, warmupInit: boolean): number {
  const t = update + 1;
  return Math.min(warmupInit ? 1e-6 * t : 1e-2, 1 / Math.sqrt(t));
}
