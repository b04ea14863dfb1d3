/** Full training (DreamBooth, fine-tuning), by the settings. */
import type { TrainingConfig } from "./parameters.ts";

/** Whether the run trains the model's own weights instead of a network beside it. */
export function trainsModel({ training_kind: kind }: Pick<TrainingConfig, "training_kind">): boolean {
  return kind === "full";
}

/** Updates for which the text encoder is trained: none, some of them, or all (undefined). */
export function textUpdates({ stop_text_encoder_training: stop }: Pick<TrainingConfig, "stop_text_encoder_training">): number | undefined {
  return stop === null ? undefined : Math.max(0, stop);
}
