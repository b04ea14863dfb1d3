/** Which settings mean something to which kind of training. */
import type { Group } from "./parameter.ts";
import { parameter, type ParameterKey, type TrainingConfig } from "./parameters.ts";

type Kind = TrainingConfig["training_kind"];

const ofLoras: readonly Kind[] = ["lora"];
/** sd-scripts drops no captions in a textual inversion. */
const ofCaptions: readonly Kind[] = ["lora", "full"];
const ofModels: readonly Kind[] = ["full"];

const groupKinds: Partial<Record<Group, readonly Kind[]>> = { network: ofLoras, embedding: ["textual_inversion"] };
const ownKinds: Partial<Record<ParameterKey, readonly Kind[]>> = {
  unet_lr: ofLoras,
  text_encoder_lr: ofLoras,
  caption_dropout_rate: ofCaptions,
  caption_dropout_every_n_epochs: ofCaptions,
  caption_tag_dropout_rate: ofCaptions,
  learning_rate_te: ofModels,
  stop_text_encoder_training: ofModels,
};

/** What a run trains; of one that was stored before there were kinds, or of none, a LoRA. */
export function kindOf(config: Partial<Pick<TrainingConfig, "training_kind">> | undefined): Kind {
  return config?.training_kind ?? "lora";
}

/** Whether a run of this kind looks at the setting at all. */
export function appliesTo(key: ParameterKey, kind: Kind): boolean {
  const { group, isNetworkArg } = parameter(key);
  const kinds = groupKinds[group] ?? ownKinds[key] ?? (isNetworkArg === true ? ofLoras : undefined);
  return kinds === undefined || kinds.includes(kind);
}
