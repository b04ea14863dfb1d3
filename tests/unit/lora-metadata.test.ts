import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { RunFacts } from "../../src/lora/metadata.ts";
import { buildLoraMetadata, buildWordMetadata } from "../../src/lora/metadata.ts";
import type { JsonLike } from "../../src/lora/python-text.ts";
import { pythonFloat, pythonJson } from "../../src/lora/python-text.ts";

const { python } = JSON.parse(readFileSync(new URL("fixtures/formats.json", import.meta.url), "utf8")) as {
  python: { floats: [number, string][]; json: [JsonLike, string] };
};

const facts: RunFacts = {
  sessionId: 1234,
  startedAt: 1763819000,
  finishedAt: 1763819060.5,
  family: "sd1",
  predictionType: "epsilon",
  numTrainImages: 200,
  numRegImages: 0,
  numBatchesPerEpoch: 100,
  numEpochs: 2,
  maxTrainSteps: 200,
  steps: 200,
  epoch: 2,
  implementationVersion: "lorasmith/0.1.0",
  dataset: {
    dirs: { "10_猫": { repeats: 10, images: 20 } },
    regDirs: {},
    tagFrequency: { "10_猫": { "1girl": 20 } },
    bucketInfo: { buckets: { "0": { resolution: [512, 512], count: 200 } }, mean_img_ar_error: 0 },
  },
};

/** Every key that sd-scripts always writes, and those of folder datasets. */
const always = `session_id training_started_at output_name learning_rate text_encoder_lr unet_lr num_train_images
num_validation_images num_reg_images num_batches_per_epoch num_epochs gradient_checkpointing gradient_accumulation_steps
max_train_steps lr_warmup_steps lr_scheduler network_module network_dim network_alpha network_dropout mixed_precision
full_fp16 v2 base_model_version clip_skip max_token_length cache_latents seed lowram noise_offset
multires_noise_iterations multires_noise_discount adaptive_noise_scale zero_terminal_snr training_comment
sd_scripts_commit_hash optimizer max_grad_norm caption_dropout_rate caption_dropout_every_n_epochs
caption_tag_dropout_rate face_crop_aug_range prior_loss_weight min_snr_gamma scale_weight_norms ip_noise_gamma
debiased_estimation noise_offset_random_strength ip_noise_gamma_random_strength loss_type huber_schedule huber_scale
huber_c fp8_base fp8_base_unet validation_seed validation_split max_validation_steps validate_every_n_epochs
validate_every_n_steps resize_interpolation batch_size_per_device total_batch_size resolution color_aug flip_aug
random_crop shuffle_caption enable_bucket bucket_no_upscale min_bucket_reso max_bucket_reso keep_tokens dataset_dirs
reg_dataset_dirs tag_frequency bucket_info training_finished_at steps epoch`.split(/\s+/);

test("numbers and JSON are written as Python writes them", () => {
  for (const [value, text] of python.floats) expect(pythonFloat(value)).toBe(text);
  expect(pythonJson(python.json[0])).toBe(python.json[1]);
});

test("every key of sd-scripts is there, whatever is set", () => {
  const keys = [...buildLoraMetadata({}, facts).keys()].filter((key) => key.startsWith("ss_"));
  expect(keys.toSorted()).toEqual(always.map((key) => `ss_${key}`).toSorted());
});

test("settings are written as Python's str() gives them", () => {
  const settings = {
    output_name: "my-lora",
    learning_rate: 1e-4,
    unet_lr: 5e-5,
    network_dim: 16,
    network_alpha: 8,
    seed: 42,
    gradient_checkpointing: true,
    gradient_accumulation_steps: 2,
    train_batch_size: 3,
    resolution: [512, 640],
    enable_bucket: true,
    optimizer_type: "AdamW",
    optimizer_args: ["weight_decay=0.1", "betas=0.9,0.99"],
    training_comment: "",
    clip_skip: 2,
  };
  expect(Object.fromEntries(buildLoraMetadata(settings, facts))).toMatchObject({
    ss_output_name: "my-lora",
    ss_learning_rate: "0.0001",
    ss_unet_lr: "5e-05",
    ss_text_encoder_lr: "None",
    ss_network_dim: "16",
    ss_network_alpha: "8.0",
    ss_seed: "42",
    ss_gradient_checkpointing: "True",
    ss_total_batch_size: "6",
    ss_resolution: "(512, 640)",
    ss_min_bucket_reso: "256",
    ss_optimizer: "torch.optim.adamw.AdamW(weight_decay=0.1,betas=(0.9, 0.99))",
    ss_training_comment: "None",
    ss_v2: "False",
    ss_base_model_version: "sd_v1",
    ss_dataset_dirs: '{"10_\\u732b": {"n_repeats": 10, "img_count": 20}}',
    ss_training_started_at: "1763819000.0",
    "modelspec.architecture": "stable-diffusion-v1/lora",
    "modelspec.title": "my-lora",
    "modelspec.resolution": "512x640",
    "modelspec.prediction_type": "epsilon",
    "modelspec.encoder_layer": "2",
  });
});

test("a range of timesteps is told where one is set", () => {
  const range = (settings: object) => buildLoraMetadata({ ...settings }, facts).get("modelspec.timestep_range");
  expect(range({})).toBeUndefined();
  expect(range({ min_timestep: null, max_timestep: 600 })).toBe("0,600");
  expect(range({ min_timestep: 200, max_timestep: null })).toBe("200,1000");
});

test("SD2 with v-prediction and its base model are told", () => {
  const model = { name: "sd21.safetensors", hash: "12345678" };
  const metadata = buildLoraMetadata({}, { ...facts, family: "sd2", predictionType: "v_prediction", model });
  expect(Object.fromEntries(metadata)).toMatchObject({
    ss_v2: "True",
    ss_base_model_version: "sd_v2_v",
    ss_sd_model_name: "sd21.safetensors",
    ss_sd_model_hash: "12345678",
    "modelspec.architecture": "stable-diffusion-v2-768-v/lora",
    "modelspec.prediction_type": "v",
  });
  expect(metadata.has("ss_new_sd_model_hash")).toBe(false);
});

test("where Adafactor finds its own rate, the rates that were set are told as sd-scripts tells them", () => {
  const settings = { learning_rate: 1e-4, unet_lr: 5e-5, lr_scheduler: "cosine", optimizer_type: "Adafactor" };
  expect(Object.fromEntries(buildLoraMetadata(settings, facts))).toMatchObject({
    ss_optimizer: "transformers.optimization.Adafactor(relative_step=True)",
    ss_lr_scheduler: "adafactor:0.0001",
    ss_learning_rate: "None",
    ss_unet_lr: "None",
    ss_text_encoder_lr: "None",
  });
  const fixed = { ...settings, optimizer_args: ["relative_step=False"] };
  expect(Object.fromEntries(buildLoraMetadata(fixed, facts))).toMatchObject({ ss_lr_scheduler: "cosine", ss_unet_lr: "5e-05" });
});

test("with no_metadata a file keeps what loaders need, and what it says of itself", () => {
  const about = { metadata_title: "Smith", metadata_author: "me", metadata_description: "a, b", metadata_license: "CC0", metadata_tags: "x, y" };
  const metadata = buildLoraMetadata({ network_dim: 4, conv_dim: 2, no_metadata: true, ...about }, facts);
  const settings = [...metadata.keys()].filter((key) => key.startsWith("ss_"));
  expect(settings.toSorted()).toEqual(["ss_base_model_version", "ss_network_alpha", "ss_network_args", "ss_network_dim", "ss_network_module", "ss_v2"]);
  const spec = Object.fromEntries([...metadata].filter(([key]) => key.startsWith("modelspec.")));
  expect(spec).toMatchObject({
    "modelspec.title": "Smith", "modelspec.author": "me", "modelspec.description": "a, b", "modelspec.license": "CC0", "modelspec.tags": "x, y",
  });
  expect(buildLoraMetadata({}, facts).has("modelspec.author")).toBe(false);
});

test("all that an owner says of a file stands in it, of a LoRA and of an embedding", () => {
  const about = {
    metadata_usage_hint: "0.7", metadata_thumbnail: "data:image/png;base64,AA==", metadata_merged_from: "a, b", metadata_trigger_phrase: "sks",
    metadata_preprocessor: "canny", metadata_is_negative_embedding: "true",
  };
  for (const metadata of [buildLoraMetadata(about, facts), buildWordMetadata(about, facts)]) {
    for (const [key, value] of Object.entries(about)) expect(metadata.get(key.replace("metadata_", "modelspec."))).toBe(value);
  }
  const empty = Object.fromEntries(Object.keys(about).map((key) => [key, ""]));
  expect([...buildLoraMetadata(empty, facts).keys()].filter((key) => /hint|thumb|merged|trigger|preproc|negative/.test(key))).toEqual([]);
});
