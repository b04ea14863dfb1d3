import { bool, choice, float, int, optionalFloat, optionalInt, type ConfigValues } from "../parameter.ts";

const isLycoris = (values: ConfigValues): boolean => values["network_module"] === "lycoris.kohya";

export const networkParameters = {
  network_module: choice({
    default: "networks.lora",
    choices: ["networks.lora", "lycoris.kohya"],
    aliases: { "": "networks.lora" },
    group: "network",
    label: { en: "Kind of network", "zh-CN": "网络类型" },
    hint: {
      en: "networks.lora is the usual LoRA and LoCon. lycoris.kohya also has LoHa, LoKr and DoRA.",
      "zh-CN": "networks.lora 是常用的 LoRA 和 LoCon；lycoris.kohya 还提供 LoHa、LoKr 和 DoRA。",
    },
    more: {
      en: "A LoRA runs everywhere and trains fastest. LyCORIS' kinds say more with fewer numbers or train more layers, for slower steps; "
        + "they load in A1111 from 1.5 on, in ComfyUI and here. Choose its algorithm and layers below.",
      "zh-CN": "LoRA 通用且训练最快。LyCORIS 的类型用更少的数值表达更多，或训练更多的层，但每步更慢；A1111 1.5 及以后、ComfyUI 和本程序都能加载。算法和训练层在下面选择。",
    },
  }),
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
    more: {
      en: "Each adapted layer gets two thin matrices of this width. File size and the memory of the optimizer grow "
        + "with it, the time of a step hardly. With other kinds of adapter less is enough: up to 32 for LoHa and "
        + "12 for LoCon. Changing it changes what alpha means, too.",
      "zh-CN": "每个被适配的层有两个这样宽的窄矩阵。文件大小和优化器显存随之增长，每步时间几乎不变。其他类型需要得更少："
        + "LoHa 不超过 32，LoCon 不超过 12。改变它也会改变 Alpha 的实际效果。",
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
      en: "Trains the UNet's convolution blocks too. Empty leaves them alone (LyCORIS: as the rank); up to 12 is advised.",
      "zh-CN": "同时训练 UNet 的卷积块。留空则不训练（LyCORIS：与秩相同）；建议不超过 12。",
    },
    more: {
      en: "This makes the LoRA a LoCon: its 3×3 convolutions get this rank, and the other layers of those blocks get the rank above. It learns texture and style more closely, for a larger file and slower steps. 0 trains only those other layers.",
      "zh-CN": "设置后 LoRA 成为 LoCon：3×3 卷积使用此秩，这些块中的其他层使用上面的秩。它能更贴近质感和画风，但文件更大、每步更慢。0 表示只训练那些其他层。",
    },
    when: (values) => values["network_train_text_encoder_only"] !== true,
  }),
  conv_alpha: optionalFloat({
    default: null,
    min: 0,
    max: 1e6,
    isNetworkArg: true,
    group: "network",
    label: { en: "Convolution alpha", "zh-CN": "卷积 Alpha" },
    hint: {
      en: "As alpha, for the 3×3 convolutions. Empty means 1, with LyCORIS the alpha above; 0 the same as their rank.",
      "zh-CN": "与 Alpha 相同，用于 3×3 卷积。留空为 1，LyCORIS 为上面的 Alpha；0 表示与其秩相同。",
    },
    more: {
      en: "The strength of the convolutions is this divided by their rank, apart from the other layers. Half of "
        + "the rank or less keeps texture from being learned faster than shape.",
      "zh-CN": "卷积部分的强度为它除以卷积秩，与其他层分开计算。取秩的一半或更小，可避免质感比形状学得更快。",
    },
    when: (values) => (isLycoris(values) || values["conv_dim"] !== null) && values["conv_dim"] !== 0 && values["network_train_text_encoder_only"] !== true,
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
      when: (values) => !isLycoris(values),
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
    more: {
      en: "Whole columns of the factors are left out, and the others made stronger in their place, so that no "
        + "single one carries everything. Milder on fine detail than dropping layers. 0.1 to 0.2 if any; it makes "
        + "learning slower.",
      "zh-CN": "整列地舍去因子，其余列相应增强，避免全部依赖某一列。对细节的影响比整层舍去小。若使用，取 0.1 到 0.2；学习会变慢。",
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
    more: {
      en: "The strongest of the three kinds of dropout: a layer without its LoRA behaves as in the base model, so "
        + "the others must not rely on it. 0.1 is a careful beginning, more than 0.3 rarely learns.",
      "zh-CN": "三种 Dropout 中最强的一种：没有 LoRA 的层与底模相同，其余层因此不能依赖它。可从 0.1 谨慎开始，"
        + "超过 0.3 往往学不到东西。",
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
    more: {
      en: "Captions can then be encoded before the run, so the text encoder takes no memory in it, unless captions "
        + "are shuffled or dropped. Best for styles, and where the base model knows the words already.",
      "zh-CN": "此时标注可以在训练前编码好，训练中文本编码器不占显存（打乱或丢弃标注时除外）。适合画风，以及底模已经认识相关词语的情况。",
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
    more: {
      en: "The picture of a word moves towards what the UNet can already draw. That is much like a Textual "
        + "Inversion with more room, and in the same way cannot teach shapes that the base model has never seen.",
      "zh-CN": "只是让词义靠近 UNet 已经会画的内容，类似容量更大的 Textual Inversion，同样学不会底模从未见过的形状。",
    },
    when: (values) => values["network_train_unet_only"] !== true,
  }),
};
