import { ConfigError } from "./errors.ts";
import { blockRanks } from "./block-settings.ts";
import { trainsLycoris } from "./lycoris-settings.ts";
import { checkOptimizer } from "./optimizer-rules.ts";
import type { TrainingConfig } from "./parameters.ts";
import { schedulerSettings } from "./scheduler-settings.ts";
import { parseSamplePrompts } from "./sample-prompts.ts";

/**
 * What must hold between parameters. sd-scripts refuses the same combinations.
 * @throws ConfigError `config.conflict`, `config.prompts`, or those of the arguments of optimizer and scheduler
 */
export function checkRules(config: TrainingConfig): void {
  if (config.network_train_unet_only && config.network_train_text_encoder_only) {
    const rule = "network_train_text_encoder_only is on too, which leaves nothing to train; turn one of them off";
    throw new ConfigError("conflict", "network_train_unet_only", true, rule);
  }
  if (config.lr_scheduler === "constant" && config.lr_scheduler_type === null && config.lr_warmup_steps !== 0) {
    const rule = "the constant scheduler has no warmup; set it to 0 or choose constant_with_warmup";
    throw new ConfigError("conflict", "lr_warmup_steps", config.lr_warmup_steps, rule);
  }
  if (config.adaptive_noise_scale !== null && config.noise_offset === null) {
    const rule = "it adds to the noise offset; set noise_offset too";
    throw new ConfigError("conflict", "adaptive_noise_scale", config.adaptive_noise_scale, rule);
  }
  if (config.scale_v_pred_loss_like_noise_pred && !config.v_parameterization) {
    const rule = "the model predicts noise; it is only for models with v_parameterization";
    throw new ConfigError("conflict", "scale_v_pred_loss_like_noise_pred", true, rule);
  }
  if (config.v_pred_like_loss !== null && config.v_parameterization) {
    const rule = "the model predicts v already; it is only for models without v_parameterization";
    throw new ConfigError("conflict", "v_pred_like_loss", config.v_pred_like_loss, rule);
  }
  if (config.caption_extension.includes("/") || config.caption_extension.includes("\\")) {
    throw new ConfigError("range", "caption_extension", config.caption_extension, "must be a file ending like .txt");
  }
  const { face_crop_aug_range: faces } = config;
  if (faces !== "" && !/^\s*\+?(\d+\.?\d*|\.\d+)\s*,\s*\+?(\d+\.?\d*|\.\d+)\s*$/.test(faces)) {
    throw new ConfigError("range", "face_crop_aug_range", faces, "must be two numbers above 0, like 2.0,4.0");
  }
  if (config.caption_separator === "") {
    throw new ConfigError("range", "caption_separator", "", "must not be empty; tags are usually separated by a comma");
  }
  if (/[/\\\0]/.test(config.output_name)) {
    throw new ConfigError("range", "output_name", config.output_name, "must be a file name without folders");
  }
  if (config.metadata_thumbnail !== "" && !config.metadata_thumbnail.startsWith("data:image/")) {
    const rule = "must be a picture as text that begins with data:image/; only the command line can read a picture's path";
    throw new ConfigError("range", "metadata_thumbnail", config.metadata_thumbnail, rule);
  }
  const [badLine] = parseSamplePrompts(config.sample_prompts).errors;
  if (badLine !== undefined) {
    throw new ConfigError("prompts", "sample_prompts", config.sample_prompts, `not every line can be read: ${badLine.message.replace(/\.$/, "")}`);
  }
  if (config.dim_from_weights && config.network_weights === "") {
    throw new ConfigError("conflict", "dim_from_weights", true, "it takes the ranks from network_weights; name that file too, or turn this off");
  }
  checkWords(config);
  checkModel(config);
  checkResolution(config);
  checkParts(config);
  checkOptimizer(config);
  schedulerSettings(config);
}

/** Keys of sd-scripts' own network, by the value that means "off". */
const ownNetworkKeys = {
  scale_weight_norms: null,
  loraplus_lr_ratio: null,
  loraplus_unet_lr_ratio: null,
  loraplus_text_encoder_lr_ratio: null,
  down_lr_weight: "",
  mid_lr_weight: "",
  up_lr_weight: "",
  block_dims: "",
} as const;

function checkParts(config: TrainingConfig): void {
  blockRanks(config);
  if (!trainsLycoris(config)) return;
  for (const [key, off] of Object.entries(ownNetworkKeys) as [keyof typeof ownNetworkKeys, string | null][]) {
    if (config[key] === off) continue;
    throw new ConfigError("conflict", key, config[key], "it is only for network_module networks.lora; leave it empty, or choose that network");
  }
}

function checkWords({ training_kind: kind, token_string: token }: TrainingConfig): void {
  if (kind !== "textual_inversion") return;
  if (token.trim() === "") throw new ConfigError("range", "token_string", token, "must name the word to learn, such as mystyle_1");
  if (token.trim() !== token) throw new ConfigError("range", "token_string", token, "must not begin or end with a blank");
}

/** What a full training cannot do here. */
function checkModel(config: TrainingConfig): void {
  if (config.training_kind !== "full") return;
  const { save_model_as: format, optimizer_type: optimizer, stop_text_encoder_training: stop } = config;
  if (format !== "safetensors") {
    throw new ConfigError("conflict", "save_model_as", format, "whole models are written as safetensors only; choose that");
  }
  if (stop !== null && stop > 0 && /^(DAdapt|Prodigy)/.test(optimizer)) {
    const rule = `${optimizer} finds one step size for UNet and text encoder together, so neither can stop early; leave it empty, or set it to -1`;
    throw new ConfigError("conflict", "stop_text_encoder_training", stop, rule);
  }
}

function checkResolution(config: TrainingConfig): void {
  const [width, height] = config.resolution;
  const step = config.bucket_reso_steps;
  if (!config.enable_bucket) {
    if (width % 64 !== 0 || height % 64 !== 0) {
      const rule = "without buckets both sides must be multiples of 64; choose such a size or turn on enable_bucket";
      throw new ConfigError("conflict", "resolution", config.resolution, rule);
    }
    return;
  }
  const shortest = Math.floor(config.min_bucket_reso / step) * step;
  const longest = Math.ceil(config.max_bucket_reso / step) * step;
  if (Math.min(width, height) < shortest) {
    const rule = `must be at most the shorter side of the resolution, ${Math.min(width, height)}`;
    throw new ConfigError("conflict", "min_bucket_reso", config.min_bucket_reso, rule);
  }
  if (Math.max(width, height) > longest) {
    const rule = `must be at least the longer side of the resolution, ${Math.max(width, height)}`;
    throw new ConfigError("conflict", "max_bucket_reso", config.max_bucket_reso, rule);
  }
  if (shortest === 0) {
    const rule = `must be at least bucket_reso_steps, ${step}`;
    throw new ConfigError("conflict", "min_bucket_reso", config.min_bucket_reso, rule);
  }
}
