/** From the configuration by kohya names to what the engine is built with. */
import { InputError } from "../errors.ts";
import { AdapterSet, type AdapterSettings } from "../lora/adapter-set.ts";
import { blockOf } from "../lora/rate-groups.ts";
import { captionShape } from "./caption-source.ts";
import { createOptimizer } from "./optimizers.ts";
import { trainedWords } from "./word-init.ts";
import { trainsModel } from "../config/trained-model.ts";
import { variesCaptions } from "../dataset/vary-caption.ts";
import { loraTargets, type LoraTarget } from "../models/names.ts";
import { lycorisTargets } from "../lora/lycoris-targets.ts";
import { matchNetwork } from "../lora/network-match.ts";
import { lycorisRanks, ownRanks } from "../lora/start-network.ts";
import { startMatch, startMissing } from "./start-networks.ts";
import type { NetworkFile } from "../lora/network-file.ts";
import { TrainedModel } from "../lora/trained-model.ts";
import { weightShapes } from "../models/forward-graphs.ts";
import type { LycorisSettings } from "../lora/lycoris-factors.ts";
import { planVae, type PixelSize } from "./latent-cache.ts";
import { planSamples } from "./sample-plan.ts";
import { blockRanks, type BlockRanks } from "../config/block-settings.ts";
import { baseRates } from "../config/learning-rate.ts";
import { convSettings, trainsLycoris } from "../config/lycoris-settings.ts";
import { sideRatios } from "../config/rate-ratios.ts";
import { planTraining, type BatchShape, type TrainingPlan } from "./training-plan.ts";
import type { ActivationType, MatrixType } from "../gpu/graph/graph.ts";
import type { Tier } from "../gpu/tier.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import type { Checkpoint } from "../models/checkpoint-types.ts";

/**
 * The adapter of a configuration; a side without a learning rate gets none.
 * @param file what `network_weights` names; wanted where the ranks come from it
 * @throws InputError `train.startNetworkMissing`, `lora.startKind`
 */
export function createAdapters(
  checkpoint: Pick<Checkpoint, "unet" | "textEncoder">, config: TrainingConfig, file?: NetworkFile,
): AdapterSet {
  if (config.dim_from_weights && config.training_kind === "lora") return adaptersOfFile(checkpoint, config, file);
  const rates = config.training_kind === "lora" ? baseRates(config) : {};
  // LyCORIS takes network_dropout and does nothing with it.
  const network = trainsLycoris(config) ? 0 : (config.network_dropout ?? 0);
  const dropout = { network, rank: config.rank_dropout ?? 0, module: config.module_dropout ?? 0 };
  const drops = Object.values(dropout).some((rate) => rate > 0);
  const conv = convSettings(config);
  const lycoris = trainsLycoris(config) ? lycorisOf(config) : undefined;
  // With ranks by block the blocks say which of the convolutions join.
  const ranks = lycoris === undefined ? blockRanks(config) : undefined;
  // As in sd-scripts, where merging a LoRA into the base adds the residual blocks to the layers of the network behind it.
  const convDim = config.conv_dim ?? (config.base_weights.length > 0 ? 0 : null);
  const targets = lycoris === undefined ? loraTargets(checkpoint, ranks?.conv === undefined ? convDim : 1) : lycorisTargets(checkpoint, config.preset, conv !== undefined);
  const isTrained = (part: LoraTarget["part"]): boolean => rates[part] !== undefined && targets.some((target) => target.part === part);
  return new AdapterSet(targets, {
    rank: config.network_dim,
    alpha: config.network_alpha,
    ...(conv && { conv }),
    ...(drops && { dropout }),
    ...(lycoris && { lycoris }),
    ...(ranks && { rankOf: rankOf(config, ranks) }),
    ...(lycoris === undefined ? ratiosOf(config) : {}),
    trains: { unet: isTrained("unet"), textEncoder: isTrained("textEncoder") },
  });
}

/** With `dim_from_weights`: layers, ranks and alphas of the file. Dropout and LoRA+ have no effect then, as in sd-scripts. */
function adaptersOfFile(
  checkpoint: Pick<Checkpoint, "unet" | "textEncoder">, config: TrainingConfig, network: NetworkFile | undefined,
): AdapterSet {
  if (network === undefined) throw startMissing(config.network_weights);
  const rates = baseRates(config);
  const isLycoris = trainsLycoris(config);
  const { byName, lycoris } = isLycoris ? lycorisRanks(network) : ownRanks(network);
  const all = isLycoris ? lycorisTargets(checkpoint, "full", true) : loraTargets(checkpoint, 1);
  const targets = all.filter(({ name }) => byName.has(name));
  if (targets.length === 0) matchNetwork(network, checkpoint);
  const isTrained = (part: LoraTarget["part"]): boolean => rates[part] !== undefined && targets.some((target) => target.part === part);
  const plus = { loraplus_lr_ratio: null, loraplus_unet_lr_ratio: null, loraplus_text_encoder_lr_ratio: null };
  return new AdapterSet(targets, {
    rank: Math.max(1, network.rank),
    alpha: 0,
    rankOf: ({ name }) => byName.get(name),
    ...(lycoris && { lycoris: { ...lycorisOf({ ...config, use_scalar: false, rs_lora: false }), ...lycoris } }),
    ...(isLycoris ? {} : ratiosOf({ ...config, ...plus })),
    trains: { unet: isTrained("unet"), textEncoder: isTrained("textEncoder") },
  });
}

function lycorisOf(config: TrainingConfig): LycorisSettings {
  return {
    algorithm: config.algo === "lora" ? "locon" : config.algo,
    tucker: config.use_tucker,
    scalar: config.use_scalar,
    rankStabilized: config.rs_lora,
    decompose: config.dora_wd ? (config.wd_on_output ? "out" : "in") : undefined,
    scalesDropout: config.rank_dropout_scale,
    factor: config.factor,
    decomposeBoth: config.decompose_both,
    fullMatrix: config.full_matrix,
    unbalanced: config.unbalanced_factorization,
  };
}

function rankOf({ network_dim: rank, network_alpha: alpha }: TrainingConfig, { linear, conv }: BlockRanks): NonNullable<AdapterSettings["rankOf"]> {
  return (target) => {
    const block = blockOf(target);
    if (block === undefined) return { rank, alpha };
    return (target.kernel === 1 ? linear : conv)?.[block];
  };
}

function ratiosOf(config: TrainingConfig): Pick<AdapterSettings, "ratiosOf"> {
  const ratios = sideRatios(config);
  if (ratios === undefined) return {};
  const { up, blocks } = ratios;
  return {
    ratiosOf: (target) => {
      const block = blockOf(target);
      const other = block === undefined ? 1 : (blocks?.[block] ?? 1);
      return { up: other * up[target.part], other };
    },
  };
}

const activationTypes: Readonly<Record<TrainingConfig["mixed_precision"], ActivationType>> = { no: "f32", fp16: "f16", bf16: "bf16" };

/**
 * The model of a full training; undefined where something else is trained.
 * @throws InputError `train.splitTable` where a tensor would have to be cut that the optimizer treats as one
 */
function trainedModel(checkpoint: Checkpoint, config: TrainingConfig, { limits }: Tier): TrainedModel | undefined {
  if (!trainsModel(config)) return undefined;
  const rates = baseRates(config);
  const sides = (["unet", "textEncoder"] as const).filter((side) => rates[side] !== undefined);
  const { textEncoder: { vocab, width } } = checkpoint;
  const most = limits.maxStorageBufferBindingSize;
  if (sides.includes("textEncoder") && vocab * width * 4 > most && config.optimizer_type === "Adafactor") {
    const message = `Adafactor looks at the table of tokens as a whole, which takes ${vocab * width * 4} bytes, and this GPU binds ${most} at once: choose another optimizer, or set stop_text_encoder_training to -1`;
    throw new InputError("train.splitTable", message, { bytes: vocab * width * 4, limit: most });
  }
  return new TrainedModel(checkpoint, weightShapes(checkpoint), sides, most);
}

/** What a run's pictures want of its programs; where it is not known, the settings decide. */
export interface PictureNeeds {
  /** What the run is tested with. */
  readonly validation?: { readonly shapes: readonly BatchShape[] } | undefined;
  /** Some captions may read differently from one showing to the next. */
  readonly variesCaptions?: boolean;
  /** Some pictures have a mask. */
  readonly isMasked?: boolean;
  /** Pixel sizes of pictures that are encoded in every step. */
  readonly liveSizes?: readonly PixelSize[];
}

/**
 * @param network the file of `network_weights`; what does not fit is found here. Wanted where the ranks come from it
 * @throws InputError `train.*`, `lora.*`
 */
export function planRun(
  checkpoint: Checkpoint,
  config: TrainingConfig,
  shapes: readonly BatchShape[],
  tier: Tier,
  needs: PictureNeeds = {},
  network?: NetworkFile,
): TrainingPlan {
  const adapters = createAdapters(checkpoint, config, network);
  if (network !== undefined) startMatch(config, network, adapters);
  const words = trainedWords(checkpoint, config);
  const matrices: MatrixType = config.fp8_base ? "f8" : "f16";
  const model = trainedModel(checkpoint, config, tier);
  const samples = planSamples(checkpoint, config, { adapters, words, model, matrices }, tier);
  const { liveSizes = [] } = needs;
  return planTraining({
    checkpoint,
    tier,
    adapters,
    words,
    model,
    stopsText: model?.sides.includes("textEncoder") === true && config.stop_text_encoder_training !== null,
    optimizer: createOptimizer(config),
    shapes,
    validationShapes: needs.validation?.shapes ?? [],
    checkpointing: config.gradient_checkpointing,
    activations: activationTypes[config.mixed_precision],
    matrices,
    clipSkip: config.clip_skip ?? 1,
    encodesText: needs.variesCaptions ?? variesCaptions(config),
    captions: captionShape(config),
    lossType: config.loss_type,
    isMasked: needs.isMasked ?? config.alpha_mask,
    ...(liveSizes.length === 0 ? {} : { encoder: planVae(checkpoint, liveSizes, tier) }),
    ...(config.scale_weight_norms !== null && { maxNorm: config.scale_weight_norms }),
    accumulation: config.gradient_accumulation_steps,
    ...(samples === undefined ? {} : { samples }),
  });
}
