import { float, optionalFloat, text, type ConfigValues, type Parameter } from "../parameter.ts";

const isOwn = (values: ConfigValues): boolean => values["network_module"] !== "lycoris.kohya";
const trainsUNet = (values: ConfigValues): boolean => isOwn(values) && values["network_train_text_encoder_only"] !== true;
const weightKeys = ["down_lr_weight", "mid_lr_weight", "up_lr_weight"] as const;
const hasWeights = (values: ConfigValues): boolean => weightKeys.some((key) => values[key] !== "");
const hasBlocks = (values: ConfigValues): boolean => trainsUNet(values) && (hasWeights(values) || values["block_dims"] !== "");

type Words = Pick<Parameter, "label" | "hint" | "more">;

const list = (words: Words, when: (values: ConfigValues) => boolean): Parameter<string> =>
  text({ default: "", isNetworkArg: true, group: "network", when, ...words });

const ratio = (words: Words, when = isOwn): Parameter<number | null> =>
  optionalFloat({ default: null, zeroIsNull: true, min: 0, max: 1000, isNetworkArg: true, group: "network", when, ...words });

/** Which parts of the network learn how fast and how much, and how large its modules may become. */
export const blockParameters = {
  scale_weight_norms: optionalFloat({
    default: null,
    zeroIsNull: true,
    min: 0,
    max: 1000,
    group: "network",
    when: isOwn,
    label: { en: "Limit of weight norms", "zh-CN": "权重范数上限" },
    hint: {
      en: "Keeps single layers from taking over. 1 is usual; empty sets no limit.",
      "zh-CN": "防止个别层过度主导。通常取 1；留空则不限制。",
    },
    more: {
      en: "After each update the layers whose change is larger than this (Frobenius norm) are scaled down to it. "
        + "LoRAs made so go together better, and overfit less by far; a limit that scales most layers stops the learning. "
        + "The run tells how many were scaled.",
      "zh-CN": "每次更新后，改动超过此值（Frobenius 范数）的层会被缩小到此值。这样练出的 LoRA 更容易与其他 LoRA 叠加，"
        + "也明显更不易过拟合；若大多数层都被缩小，学习就会停滞。训练画面会显示被缩小的层数。",
    },
  }),
  loraplus_lr_ratio: ratio({
    label: { en: "LoRA+ ratio", "zh-CN": "LoRA+ 倍率" },
    hint: {
      en: "How much faster each layer's second matrix learns than its first. 4 to 16 if any.",
      "zh-CN": "每层第二个矩阵的学习率是第一个的多少倍。若使用，取 4 到 16。",
    },
    more: {
      en: "The second matrix (up) starts at zero and lags behind; with LoRA+ it catches up, so a run needs fewer steps "
        + "at the same learning rate. With optimizers that find their own rate it cannot be used.",
      "zh-CN": "第二个矩阵（up）从零开始，学得较慢；LoRA+ 让它赶上来，相同学习率下所需步数更少。不能与自行估计学习率的优化器同用。",
    },
  }),
  loraplus_unet_lr_ratio: ratio({
    label: { en: "LoRA+ ratio of the UNet", "zh-CN": "UNet 的 LoRA+ 倍率" },
    hint: { en: "In place of the ratio above, for the UNet.", "zh-CN": "在 UNet 中代替上面的倍率。" },
    more: {
      en: "Empty takes the general ratio. 1 leaves the UNet out of LoRA+ where the general one is set.",
      "zh-CN": "留空则使用通用倍率。填 1 表示 UNet 不使用 LoRA+。",
    },
  }, trainsUNet),
  loraplus_text_encoder_lr_ratio: ratio({
    label: { en: "LoRA+ ratio of the text encoder", "zh-CN": "文本编码器的 LoRA+ 倍率" },
    hint: { en: "In place of the ratio above, for the text encoder.", "zh-CN": "在文本编码器中代替上面的倍率。" },
    more: {
      en: "Empty takes the general ratio. The text encoder overfits sooner than the UNet, so less is wise here.",
      "zh-CN": "留空则使用通用倍率。文本编码器比 UNet 更早过拟合，宜取较小的值。",
    },
  }, (values) => isOwn(values) && values["network_train_unet_only"] !== true),
  down_lr_weight: list({
    label: { en: "Rates of the blocks on the way down", "zh-CN": "下行各块的学习率权重" },
    hint: {
      en: "12 factors of the UNet's rate, with commas, or sine, cosine, linear, reverse_linear, zeros. 0 leaves a block out.",
      "zh-CN": "UNet 学习率的 12 个倍数，用逗号分隔；或写 sine、cosine、linear、reverse_linear、zeros。0 表示不训练该块。",
    },
    more: {
      en: "The first is for conv_in, which no LoRA changes; the others follow the picture from large to small. The early "
        + "blocks hold textures and colours. Too few numbers are filled up with 1. A curve may have a floor: sine+0.25.",
      "zh-CN": "第一个对应 conv_in，LoRA 不改动它；其余从大尺寸到小尺寸排列。前面的块管质感和颜色。数字不足时补 1。曲线可加底值，如 sine+0.25。",
    },
  }, trainsUNet),
  mid_lr_weight: list({
    label: { en: "Rate of the middle block", "zh-CN": "中间块的学习率权重" },
    hint: { en: "One factor of the UNet's rate, such as 0.5.", "zh-CN": "UNet 学习率的一个倍数，例如 0.5。" },
    more: {
      en: "The middle block sees the whole picture at its smallest: composition, pose, what is in it. 0 leaves it out.",
      "zh-CN": "中间块看到的是缩到最小的整张画面：构图、姿势、内容。0 表示不训练它。",
    },
  }, trainsUNet),
  up_lr_weight: list({
    label: { en: "Rates of the blocks on the way up", "zh-CN": "上行各块的学习率权重" },
    hint: {
      en: "As on the way down: 12 factors with commas, or a curve. The first is the one next to the middle.",
      "zh-CN": "与下行相同：12 个用逗号分隔的倍数，或一条曲线。第一个紧接中间块。",
    },
    more: {
      en: "From small to large. The first of them decide shapes and subjects, the last ones style, light and lines: a "
        + "style LoRA may leave the early ones out, one of a character the late ones.",
      "zh-CN": "从小尺寸到大尺寸排列。前面的块决定形体和主体，后面的块决定画风、光影和线条：画风 LoRA 可不训练前面的块，角色 LoRA 可不训练后面的块。",
    },
  }, trainsUNet),
  block_lr_zero_threshold: float({
    default: 0,
    min: 0,
    max: 1000,
    isNetworkArg: true,
    group: "network",
    label: { en: "Smallest weight of a block", "zh-CN": "块权重的下限" },
    hint: {
      en: "Blocks whose weight is this or less get no adapter.",
      "zh-CN": "权重不大于此值的块没有适配器。",
    },
    more: {
      en: "It acts on the weights above. With a curve it takes out the blocks that would hardly learn, which makes the file smaller and the steps faster.",
      "zh-CN": "作用于上面的权重。使用曲线时，可以去掉几乎学不到东西的块，文件更小、每步更快。",
    },
    when: (values) => trainsUNet(values) && hasWeights(values),
  }),
  block_dims: list({
    label: { en: "Ranks of the blocks", "zh-CN": "各块的秩" },
    hint: {
      en: "25 whole numbers with commas: conv_in, 11 down, the middle, 12 up. 0 leaves a block out.",
      "zh-CN": "25 个整数，用逗号分隔：conv_in、下行 11 个、中间、上行 12 个。0 表示不训练该块。",
    },
    more: {
      en: "In place of the one rank for all of the UNet. Blocks that matter for your subject get room, the others none; "
        + "the text encoder keeps the rank above.",
      "zh-CN": "代替 UNet 统一的秩。对主题重要的块给更多容量，其余不给；文本编码器仍使用上面的秩。",
    },
  }, trainsUNet),
  block_alphas: list({
    label: { en: "Alphas of the blocks", "zh-CN": "各块的 Alpha" },
    hint: { en: "25 numbers with commas. Empty: alpha as above for all.", "zh-CN": "25 个数字，用逗号分隔。留空则都使用上面的 Alpha。" },
    more: {
      en: "A block's strength is its alpha by its rank, so blocks of unequal rank want alphas in step with them to learn alike.",
      "zh-CN": "块的强度为其 Alpha ÷ 秩，因此秩不同的块应按比例设置 Alpha，学习速度才相近。",
    },
  }, hasBlocks),
  conv_block_dims: list({
    label: { en: "Convolution ranks of the blocks", "zh-CN": "各块的卷积秩" },
    hint: { en: "25 whole numbers, for the 3×3 convolutions. Empty: the convolution rank for all.", "zh-CN": "25 个整数，用于 3×3 卷积。留空则都使用卷积秩。" },
    more: {
      en: "It makes a LoCon of the LoRA as the convolution rank does, block by block.",
      "zh-CN": "与卷积秩一样使 LoRA 成为 LoCon，但可逐块设置。",
    },
  }, hasBlocks),
  conv_block_alphas: list({
    label: { en: "Convolution alphas of the blocks", "zh-CN": "各块的卷积 Alpha" },
    hint: { en: "25 numbers with commas. Empty: the convolution alpha for all.", "zh-CN": "25 个数字，用逗号分隔。留空则都使用卷积 Alpha。" },
    more: {
      en: "As the alphas of the blocks, for the 3×3 convolutions: each is divided by its block's convolution rank.",
      "zh-CN": "与各块的 Alpha 相同，用于 3×3 卷积：分别除以该块的卷积秩。",
    },
  }, (values) => hasBlocks(values) && values["conv_block_dims"] !== ""),
};
