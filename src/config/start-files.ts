import { appliesTo } from "./kinds.ts";
import type { TrainingConfig } from "./parameters.ts";

/** The adapter files that a configuration names, `network_weights` and `base_weights`, each once. */
export function startFileNames(config: TrainingConfig): string[] {
  const { network_weights: network, base_weights: base, training_kind: kind } = config;
  if (!appliesTo("network_weights", kind)) return [];
  return [...new Set([...(network === "" ? [] : [network]), ...base])];
}
