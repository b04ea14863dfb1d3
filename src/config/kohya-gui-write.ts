/** Settings as kohya_ss' GUI saves them. What the GUI has no field for, or loses, goes into its `additional_parameters`. */
import type { ConfigWarning } from "./errors.ts";
import { shown } from "./errors.ts";
import { parseConfig } from "./config.ts";
import { withoutArguments, writeArgument } from "./kohya-args.ts";
import { fromGuiConfig } from "./kohya-gui.ts";
import { TYPE_KEYS, isIdleNetworkKey, writeNetwork } from "./gui-networks.ts";
import { appliesTo } from "./kinds.ts";
import { isNetworkArg } from "./network-args.ts";
import type { ParameterValue } from "./parameter.ts";
import type { ParameterKey, TrainingConfig } from "./parameters.ts";
import { PARAMETER_KEYS, parameter } from "./parameters.ts";
import { isSame } from "./same-value.ts";
import { trainsModel } from "./trained-model.ts";
import { trainsWords } from "./trained-words.ts";

type Values = Readonly<Record<string, unknown>>;

/** Settings that the GUI has a field for under sd-scripts' name. */
const FIELDS = new Set(
  `pretrained_model_name_or_path v2 v_parameterization dataset_config save_model_as save_precision train_data_dir
  output_name training_comment logging_dir reg_data_dir output_dir learning_rate lr_scheduler train_batch_size
  save_every_n_epochs seed cache_latents cache_latents_to_disk caption_extension enable_bucket min_bucket_reso
  max_bucket_reso max_train_epochs max_train_steps lr_scheduler_num_cycles lr_scheduler_power optimizer_args
  lr_scheduler_args lr_scheduler_type max_grad_norm mixed_precision gradient_checkpointing fp8_base full_fp16 full_bf16
  highvram shuffle_caption save_state save_state_on_train_end resume prior_loss_weight color_aug flip_aug masked_loss
  clip_skip gradient_accumulation_steps mem_eff_attn max_token_length max_data_loader_n_workers keep_tokens
  persistent_data_loader_workers bucket_no_upscale random_crop bucket_reso_steps v_pred_like_loss
  caption_dropout_every_n_epochs caption_dropout_rate noise_offset noise_offset_random_strength adaptive_noise_scale
  multires_noise_iterations multires_noise_discount ip_noise_gamma ip_noise_gamma_random_strength loss_type
  huber_schedule huber_c huber_scale vae_batch_size min_snr_gamma save_every_n_steps save_last_n_steps
  save_last_n_steps_state save_last_n_epochs save_last_n_epochs_state skip_cache_check log_with
  scale_v_pred_loss_like_noise_pred min_timestep max_timestep vae weighted_captions debiased_estimation_loss
  network_dim network_alpha network_weights dim_from_weights network_dropout rank_dropout module_dropout scale_weight_norms
  sample_every_n_steps sample_every_n_epochs sample_sampler sample_prompts metadata_author metadata_description
  metadata_license metadata_tags metadata_title learning_rate_te token_string init_word num_vectors_per_token weights`.split(/\s+/),
);

/** Settings that the GUI makes out of its two rates together. */
const SIDES: readonly ParameterKey[] = [
  "learning_rate", "unet_lr", "text_encoder_lr", "network_train_unet_only", "network_train_text_encoder_only",
];

const WORD_FIELDS = ["token_string", "init_word", "num_vectors_per_token", "template", "weights"];

/** What a new file says beside the settings, so that it means the same whatever the GUI has open. */
const FRAME: Values = { LoRA_type: "Standard", model_list: "custom" };

/** A configuration as the keys and values of a new saved JSON. `extra`: sd-scripts' other keys. */
export function toGuiConfig(config: TrainingConfig, extra: Values): { readonly values: Values; readonly warnings: ConfigWarning[] } {
  const { xformers, sdpa, ...rest } = extra;
  const attention = xformers === true ? "xformers" : sdpa === true ? "sdpa" : "none";
  return changeGuiConfig({ ...FRAME, ...rest, xformers: attention }, config, PARAMETER_KEYS);
}

/** A saved JSON with some settings as in `config`; everything else in it stays as it is. */
export function changeGuiConfig(
  saved: Values, config: TrainingConfig, keys: readonly ParameterKey[],
): { readonly values: Values; readonly warnings: ConfigWarning[] } {
  const gui = new Map(Object.entries(saved));
  for (const key of keys) setField(gui, key, config);
  if (!trainsModel(config) && keys.some((key) => SIDES.includes(key))) setSides(gui, config);
  else if (keys.includes("learning_rate")) gui.set("learning_rate", config.learning_rate);
  if (keys.some((key) => key.includes("noise"))) {
    gui.set("noise_offset_type", config.multires_noise_iterations === null ? "Original" : "Multires");
  }
  const fields = withoutArguments(String(gui.get("additional_parameters") ?? ""), new Set(keys));
  if (gui.has("additional_parameters")) gui.set("additional_parameters", fields);
  // Read back as the GUI would understand it: what it has lost goes where its command line gets it from.
  const lost = new Set([...differences(config, gui), ...keys.filter((key) => losesZero(key, config))]);
  // sd-scripts has no option for what it takes within `network_args`.
  const options = [...lost].filter((key) => !isNetworkArg(key)).map((key) => writeArgument(key, config[key])).filter((option) => option !== undefined);
  if (options.length > 0) gui.set("additional_parameters", [fields, ...options].filter((text) => text !== "").join(" "));
  const warnings = differences(config, gui).map((key) => notInGui(key, config[key]));
  return { values: Object.fromEntries(gui), warnings };
}

function setField(gui: Map<string, unknown>, key: ParameterKey, config: TrainingConfig): void {
  const value = config[key];
  if (!appliesTo(key, config.training_kind)) return;
  if (key === "resolution") gui.set("max_resolution", String(value));
  else if (key === "optimizer_type") gui.set("optimizer", value);
  else if (key === "lr_warmup_steps") setWarmup(gui, config.lr_warmup_steps);
  else if (key === "training_kind") setKind(gui, config);
  // A number of steps goes where the GUI's command line gets it from: its field is a percentage.
  else if (key === "stop_text_encoder_training") gui.set(key, config.stop_text_encoder_training === -1 ? -1 : 0);
  else if (key === "use_object_template" || key === "use_style_template") gui.set("template", templateOf(config));
  else if (TYPE_KEYS.includes(key)) writeNetwork(gui, config);
  else if (FIELDS.has(key) || gui.has(key)) gui.set(key, fieldValue(key, value));
  if (key === "max_train_epochs") gui.set("epoch", value ?? 1);
}

/** The tab "Textual Inversion" has no kind of network, and the others no token. */
function setKind(gui: Map<string, unknown>, config: TrainingConfig): void {
  if (config.training_kind !== "lora") gui.delete("LoRA_type");
  if (!trainsWords(config)) for (const key of WORD_FIELDS) gui.delete(key);
  if (trainsModel(config)) for (const key of ["network_dim", "unet_lr", "text_encoder_lr"]) gui.delete(key);
}

function templateOf(config: TrainingConfig): string {
  if (config.use_object_template) return "object template";
  return config.use_style_template ? "style template" : "caption";
}

/** The GUI knows no "not set": numbers are 0, texts empty; lists are one text. */
function fieldValue(key: ParameterKey, value: ParameterValue): unknown {
  const { kind } = parameter(key);
  if (value === null) return kind === "int" || kind === "float" ? 0 : "";
  return kind === "list" && Array.isArray(value) ? value.join(" ") : value;
}

/** Steps have a field of their own beside the percentage, which is whole. */
function setWarmup(gui: Map<string, unknown>, warmup: number): void {
  const percent = Math.round(warmup * 100);
  if (warmup >= 1 || gui.has("lr_warmup_steps")) gui.set("lr_warmup_steps", warmup >= 1 ? warmup : 0);
  gui.set("lr_warmup", warmup < 1 && percent / 100 === warmup ? percent : 0);
}

/** 0 says "don't train this side", or for both that both train at `learning_rate`. */
function setSides(gui: Map<string, unknown>, config: TrainingConfig): void {
  const { unet_lr, text_encoder_lr, learning_rate } = config;
  const sharesRate = unet_lr === null && text_encoder_lr === null;
  const isOneSided = config.network_train_unet_only || config.network_train_text_encoder_only;
  const rate = (own: number | null, isTrained: boolean): number =>
    !isTrained || (sharesRate && !isOneSided) ? 0 : (own ?? learning_rate) || 1e-4;
  gui.set("unet_lr", rate(unet_lr, !config.network_train_text_encoder_only));
  gui.set("text_encoder_lr", rate(text_encoder_lr, !config.network_train_unet_only));
}

/** Settings that the file does not mean as they are in `config`. */
function differences(config: TrainingConfig, gui: ReadonlyMap<string, unknown>): ParameterKey[] {
  const read = parseConfig(fromGuiConfig(Object.fromEntries(gui)).values, undefined, () => undefined).config;
  return PARAMETER_KEYS.filter((key) => !isSame(read[key], config[key]) && !isSameRate(key, read, config) && !isIdle(key, config));
}

/** Says something about what is not trained. */
function isIdle(key: ParameterKey, config: TrainingConfig): boolean {
  if (key === "use_style_template" && config.use_object_template) return true;
  // What is not set is written as the number that it means.
  return !appliesTo(key, config.training_kind) || isIdleNetworkKey(key, config);
}

/** A side's own rate may be written out where it is the common one, and does not matter where the side is not trained. */
function isSameRate(key: ParameterKey, read: TrainingConfig, config: TrainingConfig): boolean {
  if (key !== "unet_lr" && key !== "text_encoder_lr") return false;
  const isOff = key === "unet_lr" ? config.network_train_text_encoder_only : config.network_train_unet_only;
  return isOff || (read[key] ?? read.learning_rate) === (config[key] ?? config.learning_rate);
}

/** The GUI leaves every 0 out of what it gives to sd-scripts, which then takes its default. */
function losesZero(key: ParameterKey, config: TrainingConfig): boolean {
  const { default: usual } = parameter(key);
  return config[key] === 0 && typeof usual === "number" && usual !== 0;
}

function notInGui(key: ParameterKey, value: ParameterValue): ConfigWarning {
  const message = `${key} = ${shown(value)} cannot be written for kohya_ss' GUI; set it there by hand.`;
  return { code: "config.notInGui", param: key, message };
}
