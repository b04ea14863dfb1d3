import { bool, float, int } from "../parameter.ts";

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
