import { choice, float, list, optionalFloat } from "../parameter.ts";
import { OPTIMIZER_ADVICE } from "./optimizer-advice.ts";

export const rateParameters = {
  learning_rate: float({
    default: 2e-6,
    suggested: 1e-4,
    min: 0,
    max: 10,
    group: "rates",
    label: { en: "Learning rate", "zh-CN": "学习率" },
    hint: {
      en: "Used for every part that has no rate of its own.",
      "zh-CN": "没有单独设置学习率的部分都用它。",
    },
    more: {
      en: "Too high and the loss becomes invalid or the pictures burn; too low and nothing is learned. "
        + "AdamW likes about 0.0001 for a LoRA, Lion three to ten times less.",
      "zh-CN": "过高会使损失失效或画面过饱和，过低则学不到东西。练 LoRA 时 AdamW 约用 0.0001，Lion 再小三到十倍。",
    },
  }),
  unet_lr: optionalFloat({
    default: null,
    min: 0,
    max: 10,
    group: "rates",
    when: (values) => values["network_train_text_encoder_only"] !== true,
    label: { en: "UNet learning rate", "zh-CN": "UNet 学习率" },
    hint: { en: "Empty: the learning rate above.", "zh-CN": "留空则使用上面的学习率。" },
    more: {
      en: "The UNet draws, so this is the rate that decides how fast shapes, colours and style are learned. "
        + "Samples that burn out or turn into patterns ask for less, samples that hardly change for more.",
      "zh-CN": "UNet 负责作画，这个学习率决定形状、颜色和画风学得多快。预览图过饱和或出现花纹时调低，几乎没有变化时调高。",
    },
  }),
  text_encoder_lr: optionalFloat({
    default: null,
    suggested: 5e-5,
    min: 0,
    max: 10,
    group: "rates",
    when: (values) => values["network_train_unet_only"] !== true,
    label: { en: "Text encoder learning rate", "zh-CN": "文本编码器学习率" },
    hint: {
      en: "Usually half of the UNet's or less. Empty: the learning rate above.",
      "zh-CN": "通常为 UNet 的一半或更低。留空则使用上面的学习率。",
    },
    more: {
      en: "The text encoder learns what words mean. It overfits sooner than the UNet, and a word that has moved "
        + "too far drags others with it: prompts are then followed less well. For a style it is best left alone.",
      "zh-CN": "文本编码器学习词义。它比 UNet 更早过拟合，一个词偏移过多还会牵动其他词，使模型不再听从提示词。训练画风时最好不训练它。",
    },
  }),
  optimizer_type: choice({
    choices: [
      "AdamW", "AdamW8bit", "Adam", "Lion", "Lion8bit", "Adafactor", "SGDNesterov", "SGDNesterov8bit",
      "Prodigy", "DAdaptation", "DAdaptAdam", "DAdaptAdaGrad", "DAdaptSGD", "DAdaptLion", "DAdaptAdan", "DAdaptAdanIP",
    ],
    aliases: {
      "": "AdamW",
      dadaptadampreprint: "DAdaptation",
      // The same rules with state that may leave the GPU's memory.
      pagedadamw: "AdamW",
      pagedadamw8bit: "AdamW8bit",
      pagedadamw32bit: "AdamW",
      pagedlion8bit: "Lion8bit",
    },
    default: "AdamW",
    group: "rates",
    label: { en: "Optimizer", "zh-CN": "优化器" },
    hint: {
      en: "How gradients become changes. AdamW with a rate of about 0.0001 is the safe choice.",
      "zh-CN": "梯度如何变成改动。AdamW 配约 0.0001 的学习率最稳妥。",
    },
    more: OPTIMIZER_ADVICE,
  }),
  optimizer_args: list({
    default: [],
    group: "rates",
    label: { en: "Optimizer arguments", "zh-CN": "优化器参数" },
    hint: {
      en: "For example weight_decay=0.1 betas=0.9,0.99",
      "zh-CN": "例如 weight_decay=0.1 betas=0.9,0.99",
    },
    more: {
      en: "As in Python: key=value with blanks between, tuples as 0.9,0.99. weight_decay pulls values towards "
        + "zero, betas say how long gradients are remembered, d_coef scales what Prodigy finds. A name that the "
        + "optimizer does not have is refused.",
      "zh-CN": "写法与 Python 相同：键=值，用空格分隔，元组写作 0.9,0.99。weight_decay 把数值拉向零，"
        + "betas 表示梯度记忆的长短，d_coef 缩放 Prodigy 估计的步长。优化器没有的名字会被拒绝。",
    },
  }),
  max_grad_norm: float({
    default: 1,
    min: 0,
    max: 1e6,
    group: "rates",
    label: { en: "Gradient norm limit", "zh-CN": "梯度裁剪" },
    hint: {
      en: "Longer gradients are shortened to this. 0 turns it off.",
      "zh-CN": "超过此长度的梯度会被缩短。0 表示关闭。",
    },
    more: {
      en: "The length is taken over all trained numbers together. It guards against single odd batches that would "
        + "undo much; 1 rarely acts on a LoRA that trains well. The screen of a run shows how long gradients are.",
      "zh-CN": "长度按全部训练参数合在一起计算。它防止个别异常的批次毁掉已学的内容；训练正常的 LoRA 很少触发 1 的限制。"
        + "训练画面会显示梯度的长度。",
    },
  }),
};
