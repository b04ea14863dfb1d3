/** Which settings mean something to which kind of training. */
import type { Group } from "./parameter.ts";
import { parameter, type ParameterKey, type TrainingConfig } from "./parameters.ts";

type Kind = TrainingConfig["training_kind"];

const groupKinds: Partial<Record<Group, Kind>> = { network: "lora", embedding: "textual_inversion" };
/** A textual inversion trains at `learning_rate`, and sd-scripts drops no captions there. */
const loraOnly: ReadonlySet<ParameterKey> = new Set([
  "unet_lr", "text_encoder_lr", "caption_dropout_rate", "caption_dropout_every_n_epochs", "caption_tag_dropout_rate",
]);

/** Whether a run of this kind looks at the setting at all. */
export function appliesTo(key: ParameterKey, kind: Kind): boolean {
  const { group, isNetworkArg } = parameter(key);
  return (groupKinds[group] ?? (loraOnly.has(key) || isNetworkArg === true ? "lora" : kind)) === kind;
}
