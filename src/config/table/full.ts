import { optionalFloat, optionalInt } from "../parameter.ts";
import type { ConfigValues } from "../parameter.ts";

const ofModels = (values: ConfigValues): boolean => values["training_kind"] === "full";

/** What a full training says of the text encoder. */
export const fullParameters = {
  stop_text_encoder_training: optionalInt({
    default: null,
    min: -1,
    max: 10_000_000,
    group: "rates",
    label: { en: "Train the text encoder until step", "zh-CN": "文本编码器训练到第几步" },
    hint: {
      en: "Empty: to the end. -1: not at all, which saves memory.",
      "zh-CN": "留空：一直训练到结束。-1：完全不训练，可节省显存。",
    },
    more: {
      en: "The text encoder overfits sooner than the UNet. Stopping it half-way, or leaving it alone, keeps the model's words as they were. After that step it still runs, with what it learned.",
      "zh-CN": "文本编码器比 UNet 更早过拟合。中途停止或完全不训练它，模型原有的词义就能保住。停止后它仍带着已学到的内容参与计算。",
    },
    when: ofModels,
  }),
  learning_rate_te: optionalFloat({
    default: null,
    min: 0,
    max: 10,
    group: "rates",
    label: { en: "Text encoder learning rate", "zh-CN": "文本编码器学习率" },
    hint: {
      en: "A third of the UNet's is a careful choice. Empty: the same.",
      "zh-CN": "取 UNet 的三分之一较稳妥。留空则与 UNet 相同。",
    },
    more: {
      en: "All of the text encoder is trained at this rate, its table of tokens included. Where prompts lose their old meanings it is too high.",
      "zh-CN": "整个文本编码器（包括词元表）都用这个学习率训练。若提示词失去原来的含义，说明它过高。",
    },
    when: (values) => ofModels(values) && Number(values["stop_text_encoder_training"] ?? 1) > 0,
  }),
};
