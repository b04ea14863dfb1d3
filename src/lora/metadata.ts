import type { Family, PredictionType } from "../models/checkpoint-types.ts";
import { networkArgs } from "../config/network-args.ts";
import { isLycorisKey } from "../config/table/lycoris.ts";
import { optimizerText } from "../config/optimizer-arguments.ts";
import { ownRate } from "../config/relative-step.ts";
import type { JsonLike } from "./python-text.ts";
import { pythonBool, pythonFloat, pythonJson } from "./python-text.ts";

/** Training parameters by kohya's names; what is absent counts as sd-scripts' default. */
export type TrainingSettings = Readonly<
  Record<string, string | number | boolean | null | readonly number[] | readonly string[] | undefined>
>;

/** What a run found out, beside its settings. */
export interface RunFacts {
  /** Random, the same for all files of a run. */
  readonly sessionId: number;
  /** Seconds since 1970. */
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly family: Family;
  readonly predictionType: PredictionType;
  readonly numTrainImages: number;
  readonly numRegImages: number;
  /** Pictures that are held out. */
  readonly numValidationImages?: number;
  readonly numBatchesPerEpoch: number;
  readonly numEpochs: number;
  readonly maxTrainSteps: number;
  /** Optimizer updates behind this file. */
  readonly steps: number;
  /** Epochs behind this file, counted from 1. */
  readonly epoch: number;
  /** e.g. `lorasmith/0.1.0` */
  readonly implementationVersion: string;
  /** Base model; hashes where they are known. */
  readonly model?: { readonly name: string; readonly hash?: string; readonly newHash?: string };
  /** What was understood of the folders; tags are counted per folder. */
  readonly dataset: {
    readonly dirs: Readonly<Record<string, FolderFacts>>;
    readonly regDirs: Readonly<Record<string, FolderFacts>>;
    readonly tagFrequency: Readonly<Record<string, Readonly<Record<string, number>>>>;
    readonly bucketInfo: JsonLike;
    /** Of a run from a dataset configuration: what sd-scripts says of its datasets, in place of a run's settings. */
    readonly datasets?: JsonLike;
  };
}

export interface FolderFacts {
  readonly repeats: number;
  readonly images: number;
}

type Kind = "text" | "int" | "float" | "bool";

/** `ss_` key (without the prefix), the setting it tells, how it is written, and sd-scripts' default. */
const rows: readonly (readonly [string, string, Kind, string | number | boolean | null])[] = [
  ["output_name", "output_name", "text", null],
  ["learning_rate", "learning_rate", "float", 2e-6],
  ["text_encoder_lr", "text_encoder_lr", "float", null],
  ["unet_lr", "unet_lr", "float", null],
  ["gradient_checkpointing", "gradient_checkpointing", "bool", false],
  ["gradient_accumulation_steps", "gradient_accumulation_steps", "int", 1],
  ["lr_warmup_steps", "lr_warmup_steps", "int", 0],
  ["lr_scheduler", "lr_scheduler", "text", "constant"],
  ["network_module", "network_module", "text", "networks.lora"],
  ["network_dim", "network_dim", "int", null],
  ["network_alpha", "network_alpha", "float", 1],
  ["network_dropout", "network_dropout", "float", null],
  ["mixed_precision", "mixed_precision", "text", "no"],
  ["full_fp16", "full_fp16", "bool", false],
  ["clip_skip", "clip_skip", "int", null],
  ["max_token_length", "max_token_length", "int", null],
  ["cache_latents", "cache_latents", "bool", true],
  ["seed", "seed", "int", null],
  ["lowram", "lowram", "bool", false],
  ["noise_offset", "noise_offset", "float", null],
  ["multires_noise_iterations", "multires_noise_iterations", "int", null],
  ["multires_noise_discount", "multires_noise_discount", "float", 0.3],
  ["adaptive_noise_scale", "adaptive_noise_scale", "float", null],
  ["zero_terminal_snr", "zero_terminal_snr", "bool", false],
  ["training_comment", "training_comment", "text", null],
  ["max_grad_norm", "max_grad_norm", "float", 1],
  ["caption_dropout_rate", "caption_dropout_rate", "float", 0],
  ["caption_dropout_every_n_epochs", "caption_dropout_every_n_epochs", "int", 0],
  ["caption_tag_dropout_rate", "caption_tag_dropout_rate", "float", 0],
  ["face_crop_aug_range", "face_crop_aug_range", "text", null],
  ["prior_loss_weight", "prior_loss_weight", "float", 1],
  ["min_snr_gamma", "min_snr_gamma", "float", null],
  ["scale_weight_norms", "scale_weight_norms", "float", null],
  ["ip_noise_gamma", "ip_noise_gamma", "float", null],
  ["debiased_estimation", "debiased_estimation_loss", "bool", false],
  ["noise_offset_random_strength", "noise_offset_random_strength", "bool", false],
  ["ip_noise_gamma_random_strength", "ip_noise_gamma_random_strength", "bool", false],
  ["loss_type", "loss_type", "text", "l2"],
  ["huber_schedule", "huber_schedule", "text", "snr"],
  ["huber_scale", "huber_scale", "float", 1],
  ["huber_c", "huber_c", "float", 0.1],
  ["fp8_base", "fp8_base", "bool", false],
  ["fp8_base_unet", "fp8_base_unet", "bool", false],
  ["validation_seed", "validation_seed", "int", null],
  ["validation_split", "validation_split", "float", 0],
  ["max_validation_steps", "max_validation_steps", "int", null],
  ["validate_every_n_epochs", "validate_every_n_epochs", "int", null],
  ["validate_every_n_steps", "validate_every_n_steps", "int", null],
  ["resize_interpolation", "resize_interpolation", "text", null],
  ["batch_size_per_device", "train_batch_size", "int", 1],
  ["color_aug", "color_aug", "bool", false],
  ["flip_aug", "flip_aug", "bool", false],
  ["random_crop", "random_crop", "bool", false],
  ["shuffle_caption", "shuffle_caption", "bool", false],
  ["enable_bucket", "enable_bucket", "bool", false],
  ["bucket_no_upscale", "bucket_no_upscale", "bool", false],
  ["keep_tokens", "keep_tokens", "int", 0],
];

/** Not written where a dataset configuration says these for each of its datasets and folders. */
const folderRows: ReadonlySet<string> = new Set([
  "batch_size_per_device", "color_aug", "flip_aug", "random_crop", "shuffle_caption", "enable_bucket", "bucket_no_upscale", "keep_tokens",
]);

/**
 * The `ss_*` and `modelspec.*` metadata that sd-scripts writes for a run from folders, every value as Python's `str()`
 * gives it. `sshs_*` hashes are added by the file writer.
 */
export function buildLoraMetadata(given: TrainingSettings, facts: RunFacts): Map<string, string> {
  const settings = withCache(withOwnRate(given));
  const metadata = new Map<string, string>();
  const add = (key: string, value: string): void => void metadata.set(`ss_${key}`, value);
  const setting = (key: string, fallback: TrainingSettings[string]): TrainingSettings[string] => {
    const value = settings[key];
    return value === undefined || value === "" ? fallback : value;
  };

  const isConfigured = facts.dataset.datasets !== undefined;
  for (const [key, name, kind, fallback] of rows) {
    if (!(isConfigured && folderRows.has(key))) add(key, written(setting(name, fallback), kind));
  }
  add("session_id", String(facts.sessionId));
  add("training_started_at", pythonFloat(facts.startedAt));
  add("num_train_images", String(facts.numTrainImages));
  add("num_validation_images", String(facts.numValidationImages ?? 0));
  add("num_reg_images", String(facts.numRegImages));
  add("num_batches_per_epoch", String(facts.numBatchesPerEpoch));
  add("num_epochs", String(facts.numEpochs));
  add("max_train_steps", String(facts.maxTrainSteps));
  const isV = facts.predictionType === "v_prediction";
  add("v2", pythonBool(facts.family === "sd2"));
  add("base_model_version", `${facts.family === "sd2" ? "sd_v2" : "sd_v1"}${isV ? "_v" : ""}`);
  // What sd-scripts writes where it runs outside of its repository.
  add("sd_scripts_commit_hash", "(unknown)");
  const isLycoris = settings["network_module"] === "lycoris.kohya";
  const networkPairs = networkArgs(settings).filter(([key]) => isLycoris || !isLycorisKey(key));
  // sd-scripts adds it to the arguments of every network.
  const networkDropout = Number(settings["network_dropout"] ?? 0) || null;
  if (networkPairs.length > 0) add("network_args", pythonJson({ ...Object.fromEntries(networkPairs), dropout: networkDropout }));
  const args = settings["optimizer_args"];
  add("optimizer", optimizerText(String(settings["optimizer_type"] ?? "AdamW"), Array.isArray(args) ? args.map(String) : []));
  addDataset(add, setting, facts);
  if (facts.model) {
    const { name, hash, newHash } = facts.model;
    add("sd_model_name", name);
    if (hash !== undefined) add("sd_model_hash", hash);
    if (newHash !== undefined) add("new_sd_model_hash", newHash);
  }
  add("training_finished_at", pythonFloat(facts.finishedAt));
  add("steps", String(facts.steps));
  add("epoch", String(facts.epoch));
  if (settings["no_metadata"] === true) for (const key of metadata.keys()) if (!minimal.has(key)) metadata.delete(key);
  addModelSpec(metadata, setting, facts, isV, loraSpec);
  return metadata;
}

/** What sd-scripts writes with `no_metadata`. */
const minimal: ReadonlySet<string> = new Set(
  ["v2", "base_model_version", "network_module", "network_dim", "network_alpha", "network_args"].map((key) => `ss_${key}`),
);

/** What sd-scripts writes into the file of a textual inversion: the `modelspec.*` keys alone. */
export function buildWordMetadata(settings: TrainingSettings, facts: RunFacts): Map<string, string> {
  return modelSpec(settings, facts, wordSpec);
}

/** The same of a checkpoint that was trained itself. */
export function buildModelMetadata(settings: TrainingSettings, facts: RunFacts): Map<string, string> {
  return modelSpec(settings, facts, checkpointSpec);
}

function modelSpec(settings: TrainingSettings, facts: RunFacts, spec: Spec): Map<string, string> {
  const metadata = new Map<string, string>();
  const setting: Setting = (key, fallback) => {
    const value = settings[key];
    return value === undefined || value === "" ? fallback : value;
  };
  addModelSpec(metadata, setting, facts, facts.predictionType === "v_prediction", spec);
  return metadata;
}

/** sd-scripts forgets the rates where Adafactor finds its own, and calls the schedule by the rate that was set. */
function withOwnRate(settings: TrainingSettings): TrainingSettings {
  const { optimizer_args: args, learning_rate: rate } = settings;
  const isOwn = ownRate({ optimizer_type: settings["optimizer_type"], optimizer_args: Array.isArray(args) ? args.map(String) : [] });
  if (isOwn === undefined) return settings;
  return { ...settings, learning_rate: null, unet_lr: null, text_encoder_lr: null, lr_scheduler: `adafactor:${pythonFloat(Number(rate))}` };
}

/** Latents are cached wherever pictures look the same at each showing. */
function withCache(settings: TrainingSettings): TrainingSettings {
  const { color_aug: colour, random_crop: crop, face_crop_aug_range: faces, enable_bucket: buckets } = settings;
  const varies = colour === true || crop === true || (typeof faces === "string" && faces !== "" && buckets !== true);
  return varies ? { ...settings, cache_latents: false } : settings;
}

type Add = (key: string, value: string) => void;
type Setting = (key: string, fallback: TrainingSettings[string]) => TrainingSettings[string];

function written(value: TrainingSettings[string], kind: Kind): string {
  if (value === null || value === undefined) return "None";
  if (kind === "bool") return pythonBool(Boolean(value));
  if (kind === "float" && typeof value === "number") return pythonFloat(value);
  return String(value);
}

function addDataset(add: Add, setting: Setting, { dataset }: RunFacts): void {
  if (dataset.datasets !== undefined) {
    add("datasets", pythonJson(dataset.datasets));
    add("tag_frequency", pythonJson(dataset.tagFrequency));
    add("dataset_dirs", pythonJson(dirsOf(dataset.dirs)));
    return;
  }
  const perDevice = Number(setting("train_batch_size", 1));
  add("total_batch_size", String(perDevice * Number(setting("gradient_accumulation_steps", 1))));
  const [width, height] = resolutionOf(setting);
  add("resolution", `(${width}, ${height})`);
  const buckets = setting("enable_bucket", false) === true;
  add("min_bucket_reso", buckets ? String(setting("min_bucket_reso", 256)) : "None");
  add("max_bucket_reso", buckets ? String(setting("max_bucket_reso", 1024)) : "None");
  add("dataset_dirs", pythonJson(dirsOf(dataset.dirs)));
  add("reg_dataset_dirs", pythonJson(dirsOf(dataset.regDirs)));
  add("tag_frequency", pythonJson(dataset.tagFrequency));
  add("bucket_info", pythonJson(dataset.bucketInfo));
}

function dirsOf(dirs: Readonly<Record<string, FolderFacts>>): JsonLike {
  return Object.fromEntries(Object.entries(dirs).map(([dir, { repeats, images }]) => [dir, { n_repeats: repeats, img_count: images }]));
}

function resolutionOf(setting: Setting): readonly [number, number] {
  const value = setting("resolution", [512, 512]);
  const numbers = (Array.isArray(value) ? value : String(value).split(",")).map(Number);
  return [numbers[0]!, numbers[1] ?? numbers[0]!];
}

/** What the owner says of the file, each as `metadata_…` among the settings. */
const aboutKeys = [
  "author", "description", "license", "tags", "usage_hint", "thumbnail", "merged_from", "trigger_phrase", "preprocessor", "is_negative_embedding",
];

/** What differs in `modelspec` by what a file holds. */
interface Spec {
  /** Behind the model's architecture. */
  readonly kind: string;
  readonly title: string;
  readonly implementation: string;
}
const loraSpec: Spec = { kind: "/lora", title: "LoRA", implementation: "diffusers" };
const checkpointSpec: Spec = { kind: "", title: "Checkpoint", implementation: "https://github.com/Stability-AI/generative-models" };
const wordSpec: Spec = { kind: "/textual-inversion", title: "TextualInversion", implementation: "https://github.com/Stability-AI/generative-models" };

function addModelSpec(metadata: Map<string, string>, setting: Setting, facts: RunFacts, isV: boolean, spec: Spec): void {
  const add = (key: string, value: string): void => void metadata.set(`modelspec.${key}`, value);
  const sd2 = isV ? "stable-diffusion-v2-768-v" : "stable-diffusion-v2-512";
  const title = setting("metadata_title", null) ?? setting("output_name", null);
  add("sai_model_spec", "1.0.1");
  add("architecture", `${facts.family === "sd2" ? sd2 : "stable-diffusion-v1"}${spec.kind}`);
  add("implementation", spec.implementation);
  add("title", title === null ? `${spec.title}@${pythonFloat(facts.finishedAt)}` : String(title));
  add("resolution", resolutionOf(setting).join("x"));
  add("date", localDate(facts.finishedAt));
  add("implementation_version", facts.implementationVersion);
  add("prediction_type", isV ? "v" : "epsilon");
  const [first, last] = [setting("min_timestep", null), setting("max_timestep", null)];
  if (first !== null || last !== null) add("timestep_range", `${first ?? 0},${last ?? 1000}`);
  for (const key of aboutKeys) {
    const text = setting(`metadata_${key}`, null);
    if (text !== null) add(key, String(text));
  }
  const clipSkip = setting("clip_skip", null);
  if (clipSkip !== null) add("encoder_layer", String(clipSkip));
}

/** ISO date and time to the second, in local time without a zone, as Python's `datetime.fromtimestamp` gives it. */
function localDate(seconds: number): string {
  const date = new Date(Math.floor(seconds) * 1000);
  const two = (value: number): string => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
