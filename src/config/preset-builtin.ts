/** Presets that come with the program: what the training guide says about kinds of LoRAs, as settings with reasons. */
import type { LocalText } from "./parameter.ts";
import type { ParameterKey, TrainingConfig } from "./parameters.ts";
import { PARAMETER_KEYS, suggestedConfig } from "./parameters.ts";
import { PRESET_KEYS } from "./preset.ts";

export interface BuiltinPreset {
  readonly id: "suggested" | "character" | "style" | "outfit" | "concept" | "smallGpu";
  readonly label: LocalText;
  /** What it is for and why its settings are what they are. */
  readonly why: LocalText;
  /** What differs from the suggested settings. */
  readonly settings: Partial<TrainingConfig>;
}

/** What is about one subject or one wish and no kind of LoRA: a preset of the program leaves it alone. */
const UNTOUCHED: readonly ParameterKey[] = [
  "output_name", "training_comment", "seed", "v2", "v_parameterization", "sample_prompts", "clip_skip",
  ...PARAMETER_KEYS.filter((key) => key.startsWith("metadata_")),
];

/** Tags come in any order, and the first one, which names the subject, stays. */
const triggerFirst = { shuffle_caption: true, keep_tokens: 1 } as const;

export const BUILTIN_PRESETS: readonly BuiltinPreset[] = [
  {
    id: "suggested",
    label: { en: "Where everyone begins", "zh-CN": "通用起点" },
    why: {
      en: "The settings that the page starts with, for whatever fits no other kind: rank 16, ten epochs at a rate of 0.0001 that sinks "
        + "to zero, the text encoder at half of it, and a file and samples after every epoch, so that the best one can be picked.",
      "zh-CN": "页面默认的设置，适合不属于其他类型的情况：秩 16，训练十轮，学习率 0.0001 逐渐降到零，文本编码器用一半，"
        + "每轮保存文件并生成预览图，便于挑选最好的一个。",
    },
    settings: {},
  },
  {
    id: "character",
    label: { en: "Character", "zh-CN": "人物" },
    why: {
      en: "One person or figure under a name of its own. Tags are shuffled with the first one kept, so that only the name learns "
        + "the figure. The text encoder learns the new word at half the rate. Rank 16 is plenty for one figure; with little "
        + "space it cannot memorize backgrounds. Use pictures from several sides and merge what always belongs to the figure into its name.",
      "zh-CN": "用一个专属名字学习一个人物。打乱标签但保留第一个，让特征集中到名字上。文本编码器用一半的学习率学习新词。"
        + "单个人物秩 16 足够，容量小就记不住背景。图片要有不同角度，并把人物固有的特征合并到名字里。",
    },
    settings: { ...triggerFirst, network_dim: 16, network_alpha: 8, unet_lr: 1e-4, text_encoder_lr: 5e-5, max_train_epochs: 10 },
  },
  {
    id: "style",
    label: { en: "Style", "zh-CN": "画风" },
    why: {
      en: "The look of everything instead of one subject. Only the UNet is trained: words keep their meaning, and the style comes "
        + "without a trigger word. Some captions are dropped, so that the style does not hang on them. A higher rank has room for many "
        + "motifs, and a noise offset for the darks and lights of the style. Use as different motifs as the style has.",
      "zh-CN": "学习整体画面风格而不是某个主题。只训练 UNet：词义不变，画风无需触发词。随机丢弃部分标注，使画风不依附于文字。"
        + "较高的秩可容纳多种题材，噪声偏移让明暗更接近原画风。训练图片的题材要尽量多样。",
    },
    settings: {
      network_dim: 32, network_alpha: 16, network_train_unet_only: true, text_encoder_lr: null, shuffle_caption: true,
      caption_dropout_rate: 0.1, noise_offset: 0.05, max_train_epochs: 10,
    },
  },
  {
    id: "outfit",
    label: { en: "Outfit", "zh-CN": "服装" },
    why: {
      en: "Clothes that anybody can wear. Each tag is left out now and then, so that the clothes do not grow together with the "
        + "person, pose or place that they were seen with; the first tag, their name, stays. A low rank keeps faces out. Describe "
        + "everything but the clothes in the captions, and use several wearers, or regularization pictures of people.",
      "zh-CN": "任何人都能穿的服装。每个标签会偶尔被丢弃，避免服装与穿着者、姿势或场景绑定；第一个标签（服装名）始终保留。"
        + "较低的秩可避免学进人脸。标注里描述服装以外的一切，并使用多位穿着者，或加入普通人物的正则化图片。",
    },
    settings: {
      ...triggerFirst, network_dim: 8, network_alpha: 4, caption_tag_dropout_rate: 0.1, unet_lr: 1e-4, text_encoder_lr: 5e-5,
      max_train_epochs: 10,
    },
  },
  {
    id: "concept",
    label: { en: "Concept", "zh-CN": "概念" },
    why: {
      en: "An object, a pose or an idea. The text encoder takes more part than elsewhere, as the word itself is new; a slow "
        + "start keeps it from breaking others. Min-SNR 5 evens out coarse and fine steps, so that shape and detail are learned together. "
        + "Regularization pictures of the class keep the model from making everything of the class look the same.",
      "zh-CN": "物体、姿势或某种概念。词本身是新的，因此文本编码器的参与更多；缓慢起步可避免破坏其他词。"
        + "Min-SNR 取 5 平衡粗细各步，使形状与细节一起学习。加入同类别的正则化图片，防止该类别的一切都变成同一个样子。",
    },
    settings: {
      ...triggerFirst, network_dim: 16, network_alpha: 8, unet_lr: 1e-4, text_encoder_lr: 8e-5, lr_warmup_steps: 0.05,
      min_snr_gamma: 5, max_train_epochs: 10,
    },
  },
  {
    id: "smallGpu",
    label: { en: "Small GPU", "zh-CN": "小显存" },
    why: {
      en: "As little memory as a good result allows. Gradient checkpointing keeps much less at once, for about a third more "
        + "time and the same result, and fp16 halves what activations take. The text encoder is left alone, so that captions are encoded beforehand and its weights need no room "
        + "while training. One picture a step; two steps are added up for the calm of a larger batch. Lower the resolution to 448 or 384 if "
        + "the forecast is still too large.",
      "zh-CN": "在保证效果的前提下尽量少占显存。梯度检查点大幅减少同时保留的数据，时间约增加三分之一，结果不变；fp16 使激活值减半。"
        + "不训练文本编码器：标注可提前编码，训练时不必占用它的空间。每步一张图，两步累积一次以获得更平稳的更新。"
        + "如果预估仍然过大，再把分辨率降到 448 或 384。",
    },
    settings: {
      gradient_checkpointing: true, mixed_precision: "fp16", network_train_unet_only: true, text_encoder_lr: null, train_batch_size: 1,
      gradient_accumulation_steps: 2, network_dim: 8, network_alpha: 4,
    },
  },
];

/** The settings at hand with a preset of the program; what it leaves alone stays. */
export function withBuiltin({ settings }: BuiltinPreset, current: TrainingConfig): TrainingConfig {
  const isKept = (key: ParameterKey): boolean => UNTOUCHED.includes(key) || !PRESET_KEYS.includes(key);
  const kept = Object.fromEntries(PARAMETER_KEYS.filter(isKept).map((key) => [key, current[key]]));
  return { ...suggestedConfig(), ...settings, ...kept };
}
