import type { TrainingConfig } from "./parameters.ts";

/** How the names of the files end that a run writes; of a run from before the setting was there, as they did then. */
export function fileEnding({ save_model_as: format }: Partial<Pick<TrainingConfig, "save_model_as">>): ".safetensors" | ".ckpt" | ".pt" {
  return `.${format ?? "safetensors"}`;
}
