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
    more: {
      en: "A batch is averaged into one update, so a larger one needs fewer updates per epoch and may want a "
        + "higher learning rate; four times the batch with twice the rate is a usual rule. Pictures of a batch "
        + "share one shape, so many small buckets leave batches partly empty.",
      "zh-CN": "一个批次平均成一次更新，批量越大每轮的更新次数越少，学习率可相应提高；常用的规则是批量变为四倍时学习率加倍。"
        + "同一批次的图片形状相同，因此桶多而图少时批次会装不满。",
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
    more: {
      en: "Four batches of one act like one batch of four, at the memory of one and the time of four. What is left "
        + "over at the end of an epoch makes a smaller update of its own. Steps count updates, so the same number "
        + "of steps then shows more pictures.",
      "zh-CN": "四个大小为 1 的批次累积起来相当于一个大小为 4 的批次，显存只需一份，时间则是四份。每轮末尾不足的部分单独更新一次。"
        + "步数按更新次数计算，因此同样的步数会用到更多图片。",
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
    more: {
      en: "One step is one update, whatever the batch. The run ends there even in the middle of an epoch. A "
        + "subject usually needs a few hundred to two thousand; what counts is how often each picture was seen.",
      "zh-CN": "一步就是一次更新，与批量大小无关。到达步数就结束，即使一轮还没走完。单一主题通常需要几百到两千步；"
        + "真正重要的是每张图被看了多少次。",
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
    more: {
      en: "Normally every block's results are kept until the way back needs them. With this only each block's "
        + "input is kept, and the rest is computed a second time. The forecast shows what it saves. With the "
        + "memory that becomes free, a larger batch can make up for the time.",
      "zh-CN": "通常每个模块的中间结果都要保留到反向传播时使用。开启后只保留每个模块的输入，其余内容到时再算一次。省下多少见预估。"
        + "空出的显存可以用更大的批量把时间补回来。",
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
    more: {
      en: "It decides the LoRA's first values, the order of pictures, all noise and every random choice about "
        + "captions. To compare two settings, keep it; to see how much was luck, change it and nothing else.",
      "zh-CN": "它决定 LoRA 的初始值、图片顺序、所有噪声以及标注中的一切随机选择。比较两种设置时保持不变；想知道有多少是运气，"
        + "就只改它。",
    },
  }),
};
