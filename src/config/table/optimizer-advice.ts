import type { LocalText } from "../parameter.ts";

/** Which learning rate each optimizer wants, for the help of `optimizer_type`. */
export const OPTIMIZER_ADVICE: LocalText = {
  en: [
    "Learning rates for a LoRA, by optimizer.",
    "AdamW and Adam: about 0.0001; AdamW's weight decay acts on the numbers themselves, Adam's is part of the gradient.",
    "Lion: three to ten times less than AdamW, with as much more weight decay; it keeps half of AdamW's state.",
    "SGDNesterov: a hundred to a thousand times more than AdamW (0.01 to 0.1), as gradients are small; momentum is 0.9 unless set.",
  ].join(" "),
  "zh-CN": [
    "练 LoRA 时各优化器适合的学习率。",
    "AdamW 与 Adam：约 0.0001；AdamW 的权重衰减直接作用于参数，Adam 的则并入梯度。",
    "Lion：比 AdamW 小三到十倍，权重衰减则相应加大；状态只占 AdamW 的一半。",
    "SGDNesterov：比 AdamW 大一百到一千倍（0.01 到 0.1），因为梯度很小；动量不设时为 0.9。",
  ].join(""),
};
