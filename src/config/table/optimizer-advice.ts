import type { LocalText } from "../parameter.ts";

/** Which learning rate each optimizer wants, for the help of `optimizer_type`. */
export const OPTIMIZER_ADVICE: LocalText = {
  en: [
    "Learning rates for a LoRA, by optimizer.",
    "AdamW and Adam: about 0.0001; AdamW's weight decay acts on the numbers themselves, Adam's is part of the gradient.",
    "Lion: three to ten times less than AdamW, with as much more weight decay; it keeps half of AdamW's state.",
    "Adafactor: none, it finds its own and ignores rates and scheduler; with relative_step=False about 0.0001 to 0.005, "
    + "the scheduler constant_with_warmup and max_grad_norm 0. It keeps almost no state.",
    "SGDNesterov: a hundred to a thousand times more than AdamW (0.01 to 0.1), as gradients are small; momentum is 0.9 unless set.",
    "Prodigy and all of DAdapt: 1, for every part, with the scheduler constant or cosine; they find the step size themselves "
    + "and take the first updates to do so. Prodigy keeps the most state. DAdaptation is DAdaptAdam as first published.",
    "AdamW8bit, Lion8bit and SGDNesterov8bit want the rates of their namesakes and keep their state in a quarter of the memory; "
    + "SGDNesterov8bit is in fact the heavy ball, as bitsandbytes makes nothing of Nesterov.",
  ].join(" "),
  "zh-CN": [
    "练 LoRA 时各优化器适合的学习率。",
    "AdamW 与 Adam：约 0.0001；AdamW 的权重衰减直接作用于参数，Adam 的则并入梯度。",
    "Lion：比 AdamW 小三到十倍，权重衰减则相应加大；状态只占 AdamW 的一半。",
    "Adafactor：不需要，它自己决定，学习率和调度器的设置不起作用；relative_step=False 时约 0.0001 到 0.005，"
    + "配 constant_with_warmup 和 max_grad_norm 0。几乎不占状态显存。",
    "SGDNesterov：比 AdamW 大一百到一千倍（0.01 到 0.1），因为梯度很小；动量不设时为 0.9。",
    "Prodigy 与所有 DAdapt：各部分都用 1，调度器用 constant 或 cosine；它们自己估计步长，前若干步用于估计。"
    + "Prodigy 占用的状态最多。DAdaptation 是最初发表的 DAdaptAdam。",
    "AdamW8bit、Lion8bit 和 SGDNesterov8bit 的学习率与同名优化器相同，状态显存只需四分之一；"
    + "SGDNesterov8bit 实际是普通动量法，因为 bitsandbytes 并未实现 Nesterov。",
  ].join(""),
};
