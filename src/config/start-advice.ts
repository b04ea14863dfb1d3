/** What a user should know of the files that a run starts from, before it. */
import type { Advice } from "./advice.ts";
import { appliesTo } from "./kinds.ts";
import { PARAMETERS, type ParameterKey, type TrainingConfig } from "./parameters.ts";
import { isSame } from "./same-value.ts";

/** What has no effect where ranks come from a file. */
const ignored: readonly ParameterKey[] = [
  "network_dim", "network_alpha", "conv_dim", "conv_alpha", "block_dims", "block_alphas", "conv_block_dims", "conv_block_alphas",
  "network_dropout", "rank_dropout", "module_dropout", "loraplus_lr_ratio", "loraplus_unet_lr_ratio", "loraplus_text_encoder_lr_ratio",
];

export function startAdvice(config: TrainingConfig): Advice[] {
  if (!appliesTo("network_weights", config.training_kind)) return [];
  const advice: Advice[] = [];
  const keys = ignored.filter((key) => !isSame(config[key], PARAMETERS[key].default)).join(", ");
  if (config.dim_from_weights && keys !== "") {
    const text = `dim_from_weights takes the network from its file, as in sd-scripts, so these settings have no effect: ${keys}`;
    advice.push({ code: "start.ignored", data: { keys }, text });
  }
  const [files, numbers] = [config.base_weights.length, config.base_weights_multiplier.length];
  if (numbers > files) {
    const text = `base_weights_multiplier has ${numbers} numbers for ${files} files; those beyond have no effect`;
    advice.push({ code: "start.multipliers", data: { numbers, files }, text });
  }
  return advice;
}
