/**
 * Keys that kohya's trainer or its GUI writes and that nothing here trains with. Most can't change the result;
 * the others are harmless only while they have the value that means "off".
 */
import type { ConfigWarning } from "./errors.ts";
import { ConfigError, shown } from "./errors.ts";
import { GUI_ALGORITHMS } from "./gui-networks.ts";

/** How a run is carried out, logged and stored: other machinery here, same LoRA. */
const HARMLESS = new Set(
  `tokenizer_cache_dir no_half_vae dataset_class cache_info cache_latents cache_latents_to_disk skip_cache_check
  vae_batch_size debug_dataset cpu_offload_checkpointing
  xformers sdpa mem_eff_attn torch_compile dynamo_backend dynamo_mode dynamo_use_dynamic dynamo_use_fullgraph lowram
  lowvram highvram max_data_loader_n_workers persistent_data_loader_workers logging_dir log_with
  log_prefix log_config log_tracker_name log_tracker_config wandb_api_key wandb_run_name use_wandb
  huggingface_repo_id huggingface_token huggingface_repo_type huggingface_repo_visibility
  huggingface_path_in_repo save_state_to_huggingface resume_from_huggingface async_upload
  stop_text_encoder_training_pct model_list num_cpu_threads_per_process num_processes num_machines multi_gpu
  gpu_ids main_process_port extra_accelerate_launch_args blocks_to_swap noise_offset_type LyCORIS_preset unit
  use_cp bypass_mode rescaled
  train_on_input constrain
  skip_until_initial_step no_token_padding save_as_bool t5xxl_lr
  sdxl_no_half_vae sdxl_cache_text_encoder_outputs sdxl_cache_text_encoder_outputs_to_disk train_lora_ggpo`.split(/\s+/),
);

/** Key → values with which leaving it out changes nothing. */
const NEUTRAL: Readonly<Record<string, readonly unknown[]>> = {
  vae: [""],
  in_json: [""],
  dataset_config: [""],
  dataset_repeats: [1],
  conditioning_data_dir: [""],
  network_args: [""],
  train_norm: [false],
  fp8_base_unet: [false],
  full_fp16: [false],
  full_bf16: [false],
  block_lr: [""],
  conv_dims: [""],
  conv_alphas: [""],
  train_inpainting: [false],
  save_n_epoch_ratio: [0],
  resume: [""],
  additional_parameters: [""],
};

/** Keys that decide what kind of file comes out; training something else instead would waste the owner's time. */
const REQUIRED: Readonly<Record<string, readonly unknown[]>> = {
  LoRA_type: ["Standard", "Kohya LoCon", ...Object.keys(GUI_ALGORITHMS), ""],
  sdxl: [false],
};

/** Keys by which sd-scripts begins in the middle of a run, with the values that mean its start. A state does that better. */
const MIDDLE: Readonly<Record<string, readonly unknown[]>> = { initial_epoch: [0, 1], initial_step: [0] };

/**
 * What it means that `key` is not trained with here.
 * @throws ConfigError `config.unsupported` if the file asks for another kind of network or model, or for a later start
 */
export function judgeUnusedKey(key: string, value: unknown): "harmless" | "unknown" | ConfigWarning {
  if (Object.hasOwn(REQUIRED, key)) {
    const accepted = REQUIRED[key] ?? [];
    if (!isOff(value, accepted)) {
      throw new ConfigError("unsupported", key, value, `only ${shown(accepted[0])} can be trained here`);
    }
    return "harmless";
  }
  if (Object.hasOwn(MIDDLE, key)) {
    if (isOff(value, MIDDLE[key] ?? [])) return "harmless";
    const rule = "a run begins at its start; to go on in the middle of one, continue it from a state (save_state), which knows the step, the rate and the optimizer";
    throw new ConfigError("unsupported", key, value, rule);
  }
  if (HARMLESS.has(key)) return "harmless";
  if (!Object.hasOwn(NEUTRAL, key)) return "unknown";
  if (isOff(value, NEUTRAL[key] ?? [])) return "harmless";
  if (key === "dataset_config") {
    const message = `dataset_config names the file ${shown(value)}, which does not come along with the settings: put it beside the folders of pictures as dataset.toml.`;
    return { code: "config.datasetFile", param: key, message };
  }
  const message = `${key} = ${shown(value)} is not supported and has no effect on this run.`;
  return { code: "config.notSupported", param: key, message };
}

function isOff(value: unknown, neutral: readonly unknown[]): boolean {
  if (value === null || value === undefined || value === "") return true;
  if (Array.isArray(value)) return value.length === 0;
  return neutral.some((off) => off === value || (off !== "" && String(off) === String(value).trim().toLowerCase()));
}
