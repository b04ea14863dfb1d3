import { bool, float, int, optionalFloat, optionalInt } from "../parameter.ts";

export const networkParameters = {
  network_dim: int({
    default: 4,
    suggested: 16,
    min: 1,
    max: 1024,
    group: "network",
    label: { en: "Rank (dimension)", "zh-CN": "秩（维度）" },
    hint: {
      en: "Room to learn. 8 to 32 is plenty for one subject; more makes a bigger file and overfits sooner.",
      "zh-CN": "可学习的容量。单一主题 8 到 32 足够；越大文件越大，也越容易过拟合。",
    },
  }),
  network_alpha: float({
    default: 1,
    suggested: 8,
    min: 0,
    max: 1e6,
    group: "network",
    label: { en: "Alpha", "zh-CN": "Alpha" },
    hint: {
      en: "Strength is alpha ÷ rank. 0 means the same as the rank.",
      "zh-CN": "实际强度为 alpha ÷ 秩。0 表示与秩相同。",
    },
    more: {
      en: "It scales what the LoRA adds. Halving it is close to halving the LoRA's learning rate; it is not a penalty.",
      "zh-CN": "它缩放 LoRA 叠加的量。减半大致相当于学习率减半，并不是某种惩罚项。",
    },
  }),
  conv_dim: optionalInt({
    default: null,
    min: 0,
    max: 512,
    isNetworkArg: true,
    group: "network",
    label: { en: "Convolution rank (LoCon)", "zh-CN": "卷积秩（LoCon）" },
    hint: {
      en: "Trains the UNet's convolution blocks too. Empty leaves them alone; up to 12 is advised.",
      "zh-CN": "同时训练 UNet 的卷积块。留空则不训练；建议不超过 12。",
    },
    more: {
      en: "This makes the LoRA a LoCon: its 3×3 convolutions get this rank, and the other layers of those blocks get the rank above. It learns texture and style more closely, for a larger file and slower steps. 0 trains only those other layers.",
      "zh-CN": "设置后 LoRA 成为 LoCon：3×3 卷积使用此秩，这些块中的其他层使用上面的秩。它能更贴近质感和画风，但文件更大、每步更慢。0 表示只训练那些其他层。",
    },
    when: (values) => values["network_train_text_encoder_only"] !== true,
  }),
  conv_alpha: float({
    default: 1,
    min: 0,
    max: 1e6,
    isNetworkArg: true,
    group: "network",
    label: { en: "Convolution alpha", "zh-CN": "卷积 Alpha" },
    hint: {
      en: "As alpha, for the 3×3 convolutions. 0 means the same as their rank.",
      "zh-CN": "与 Alpha 相同，用于 3×3 卷积。0 表示与其秩相同。",
    },
    when: (values) => values["conv_dim"] !== null && values["conv_dim"] !== 0 && values["network_train_text_encoder_only"] !== true,
  }),
  network_dropout: optionalFloat({
    default: null,
    min: 0,
    max: 0.99,
    zeroIsNull: true,
    group: "network",
    label: { en: "Dropout", "zh-CN": "Dropout（随机丢弃）" },
    hint: {
      en: "Share of the LoRA's inner values that a step leaves out, against overfitting. 0.1 to 0.5 if any.",
      "zh-CN": "每一步随机舍去 LoRA 内部数值的比例，用于防止过拟合。若使用，通常为 0.1 到 0.5。",
    },
    more: {
      en: "Which values are left out changes from step to step and follows from the seed. Samples and the finished LoRA use all of them.",
      "zh-CN": "每一步舍去的数值不同，由种子决定。样图和训练完成的 LoRA 使用全部数值。",
    },
  }),
  rank_dropout: optionalFloat({
    default: null,
    min: 0,
    max: 0.99,
    zeroIsNull: true,
    isNetworkArg: true,
    group: "network",
    label: { en: "Rank dropout", "zh-CN": "秩 Dropout" },
    hint: {
      en: "Share of the ranks that a step leaves out, drawn anew for each picture and layer.",
      "zh-CN": "每一步舍去的秩的比例，对每张图片和每一层分别抽取。",
    },
  }),
  module_dropout: optionalFloat({
    default: null,
    min: 0,
    max: 0.99,
    zeroIsNull: true,
    isNetworkArg: true,
    group: "network",
    label: { en: "Module dropout", "zh-CN": "模块 Dropout" },
    hint: {
      en: "Share of the layers that a step trains without their LoRA.",
      "zh-CN": "每一步不使用 LoRA 的层所占的比例。",
    },
  }),
  network_train_unet_only: bool({
    default: false,
    group: "network",
    label: { en: "Train the UNet only", "zh-CN": "只训练 UNet" },
    hint: {
      en: "Leaves the text encoder as it is: less memory, and words keep their meaning.",
      "zh-CN": "文本编码器保持不变：更省显存，词义不受影响。",
    },
    when: (values) => values["network_train_text_encoder_only"] !== true,
  }),
  network_train_text_encoder_only: bool({
    default: false,
    group: "network",
    label: { en: "Train the text encoder only", "zh-CN": "只训练文本编码器" },
    hint: {
      en: "Teaches words only; seldom enough for a new look.",
      "zh-CN": "只学习词义；要学新的画面通常不够。",
    },
    when: (values) => values["network_train_unet_only"] !== true,
  }),
};
