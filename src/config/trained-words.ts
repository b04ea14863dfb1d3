/** The words that a textual inversion teaches, by the settings. */
import type { TrainingConfig } from "./parameters.ts";

/** Whether the run trains words of the text encoder instead of a network beside the model. */
export function trainsWords({ training_kind: kind }: Pick<TrainingConfig, "training_kind">): boolean {
  return kind === "textual_inversion";
}

/** sd-scripts' names of the vectors, in order: the token itself, then with numbers from 1 behind it. */
export function wordNames(
  { token_string: token, num_vectors_per_token: count }: Pick<TrainingConfig, "token_string" | "num_vectors_per_token">,
): string[] {
  return Array.from({ length: count }, (_, i) => (i === 0 ? token : `${token}${i}`));
}
