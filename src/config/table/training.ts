import { bool, int, optionalInt } from "../parameter.ts";

export const trainingParameters = {
  train_batch_size: int({
    default: 1,
    min: 1,
    max: 64,
    group: "training",
    label: { en: "Batch size", "zh-CN": "批量大小" },
    hint: {
      en: "Pictures per step. More is smoother and faster per picture, and needs more memory.",
      "zh-CN": "每步使用的图片数。越大越平稳，单张更快，但更占显存。",
    },
  }),
  gradient_accumulation_steps: int({
    default: 1,
    min: 1,
    max: 1024,
    group: "training",
    label: { en: "Gradient accumulation", "zh-CN": "梯度累积" },
    hint: {
      en: "Batches added up before the weights change: a larger batch without the memory.",
      "zh-CN": "累积多少个批次才更新一次权重：不增加显存的大批量。",
    },
  }),
  max_train_epochs: optionalInt({
    default: null,
    suggested: 10,
    zeroIsNull: true,
    min: 1,
    max: 100_000,
    group: "training",
    label: { en: "Epochs", "zh-CN": "训练轮数" },
    hint: {
      en: "How often the whole set is seen. Wins over the number of steps.",
      "zh-CN": "整个训练集重复看多少轮。设置后优先于步数。",
    },
    more: {
      en: "Repeats and epochs multiply: 10 repeats for 1 epoch is as many steps as 1 repeat for 10 epochs.",
      "zh-CN": "重复次数与轮数相乘：重复 10 次训练 1 轮，与重复 1 次训练 10 轮步数相同。",
    },
  }),
  max_train_steps: int({
    default: 1600,
    min: 1,
    max: 10_000_000,
    group: "training",
    when: (values) => values["max_train_epochs"] === null,
    label: { en: "Steps", "zh-CN": "训练步数" },
    hint: {
      en: "Updates of the weights, when no number of epochs is set.",
      "zh-CN": "未设置轮数时，权重更新的次数。",
    },
  }),
  gradient_checkpointing: bool({
    default: false,
    group: "training",
    label: { en: "Gradient checkpointing", "zh-CN": "梯度检查点" },
    hint: {
      en: "Much less memory for roughly a third more time. The result is the same.",
      "zh-CN": "大幅减少显存，时间约增加三分之一。结果不变。",
    },
  }),
  seed: optionalInt({
    default: null,
    suggested: 42,
    min: 0,
    max: 0xffff_ffff,
    group: "training",
    label: { en: "Seed", "zh-CN": "随机种子" },
    hint: {
      en: "Same seed, settings and GPU: same file. Empty draws one and writes it down.",
      "zh-CN": "种子、设置和显卡都相同，文件就相同。留空则随机取一个并记录下来。",
    },
  }),
};
