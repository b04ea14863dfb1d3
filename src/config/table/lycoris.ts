/** What only LyCORIS' networks have. sd-scripts hands all of it on within `network_args`. */
import { bool, choice, int, type ConfigValues } from "../parameter.ts";

const isLycoris = (values: ConfigValues): boolean => values["network_module"] === "lycoris.kohya";
const isLokr = (values: ConfigValues): boolean => isLycoris(values) && values["algo"] === "lokr";

/** LyCORIS' presets: which layers get a module. */
export const LYCORIS_PRESETS = [
  "full", "full-lin", "attn-mlp", "attn-only", "unet-only", "unet-transformer-only", "unet-convblock-only",
] as const;
export type LycorisPreset = (typeof LYCORIS_PRESETS)[number];

/** Whether a preset has 3×3 convolutions among its layers. */
export function hasConvolutions(preset: string): boolean {
  return ["full", "unet-only", "unet-convblock-only"].includes(preset);
}

const common = { isNetworkArg: true, group: "network" } as const;

export const lycorisParameters = {
  algo: choice({
    ...common,
    default: "lora",
    choices: ["lora", "locon", "loha", "lokr"],
    label: { en: "LyCORIS algorithm", "zh-CN": "LyCORIS 算法" },
    hint: {
      en: "lora and locon are the same: two thin matrices. loha says more with less rank, lokr makes small files.",
      "zh-CN": "lora 与 locon 相同：两个窄矩阵。loha 用更低的秩表达更多，lokr 文件最小。",
    },
    more: {
      en: "LoHa multiplies two products of matrices with each other, so rank r can do what r² does elsewhere; ranks up to 32 are advised, "
        + "with a lower rate if the loss turns to NaN. LoKr is a Kronecker product. Both rebuild each layer's weight in every "
        + "step: a step takes about half longer, and each layer needs its weight in 32 bits while it runs.",
      "zh-CN": "LoHa 把两个矩阵乘积逐元素相乘，秩 r 即可达到别处 r² 的表达力；建议不超过 32，若损失变成 NaN 就降低学习率。LoKr 使用克罗内克积。"
        + "两者每一步都要重建各层权重：每步大约慢一半，且每层运行时需要 32 位的权重。",
    },
    when: isLycoris,
  }),
  preset: choice({
    ...common,
    default: "full",
    choices: LYCORIS_PRESETS,
    label: { en: "LyCORIS preset (layers)", "zh-CN": "LyCORIS 预设（训练层）" },
    hint: {
      en: "Which layers are trained. attn-mlp are those of a standard LoRA; full adds every convolution.",
      "zh-CN": "训练哪些层。attn-mlp 与标准 LoRA 相同；full 还包括所有卷积。",
    },
    more: {
      en: "full also trains the first and last convolution and the time embedding, full-lin leaves the 3×3 convolutions out, attn-only "
        + "keeps to the attentions. The unet- presets leave the text encoder alone. LyCORIS' authors suggest attn-mlp.",
      "zh-CN": "full 还训练首尾卷积和时间嵌入，full-lin 不含 3×3 卷积，attn-only 只训练注意力层。unet- 开头的预设不训练文本编码器。LyCORIS 作者建议使用 attn-mlp。",
    },
    when: isLycoris,
  }),
  use_tucker: bool({
    ...common,
    default: false,
    label: { en: "Tucker decomposition", "zh-CN": "Tucker 分解" },
    hint: {
      en: "3×3 convolutions get a small core between thin factors: smaller files.",
      "zh-CN": "3×3 卷积使用窄因子之间的小核心：文件更小。",
    },
    more: {
      en: "Without it a convolution's factors hold the whole kernel. With it the kernel is only in a core of rank × rank, which "
        + "pays where ranks are small beside the channels. kohya's older names use_cp and use_conv_cp mean the same.",
      "zh-CN": "关闭时卷积因子包含完整的卷积核；开启后卷积核只在秩 × 秩的核心里，秩远小于通道数时更划算。旧名称 use_cp 与 use_conv_cp 含义相同。",
    },
    when: (values) => isLycoris(values) && hasConvolutions(String(values["preset"])),
  }),
  use_scalar: bool({
    ...common,
    default: false,
    label: { en: "Trained scale (use_scalar)", "zh-CN": "可训练缩放（use_scalar）" },
    hint: {
      en: "One more trained number per layer, from 0 on, multiplies what the layer learns.",
      "zh-CN": "每层多一个从 0 开始训练的数，乘以该层学到的内容。",
    },
    more: {
      en: "It takes over the job of the factor that otherwise starts at zero, which then starts at random like the others. The file holds "
        + "the number multiplied in, so every program reads it.",
      "zh-CN": "它代替原本从零开始的因子，那个因子便与其他因子一样随机初始化。保存时该数已乘入文件，任何程序都能读取。",
    },
    when: isLycoris,
  }),
  rs_lora: bool({
    ...common,
    default: false,
    label: { en: "Rank-stabilized (rs_lora)", "zh-CN": "秩稳定（rs_lora）" },
    hint: {
      en: "Strength is alpha ÷ √rank instead of alpha ÷ rank.",
      "zh-CN": "实际强度为 alpha ÷ √秩，而不是 alpha ÷ 秩。",
    },
    more: {
      en: "High ranks then learn as strongly as low ones with the same alpha. Saved files name an alpha that other programs, which divide "
        + "by the rank itself, understand.",
      "zh-CN": "这样在相同 Alpha 下，高秩与低秩的学习强度一致。保存的文件写入换算后的 Alpha，其他按秩相除的程序也能正确使用。",
    },
    when: isLycoris,
  }),
  dora_wd: bool({
    ...common,
    default: false,
    label: { en: "DoRA (dora_wd)", "zh-CN": "DoRA（dora_wd）" },
    hint: {
      en: "Trains the length of each weight row apart from its direction. Slower; often closer to full training.",
      "zh-CN": "把每行权重的长度与方向分开训练。更慢，往往更接近完整训练。",
    },
    more: {
      en: "Every layer gets one more number per output, beginning at the length that its weight has. The file is for this base model alone, "
        + "more than others are. Not every program applies it correctly: A1111 has its own reading of it.",
      "zh-CN": "每层的每个输出多一个数，从原权重的长度开始。这样的文件比其他类型更依赖所用的底模。并非所有程序都能正确使用：A1111 的解释与 LyCORIS 不同。",
    },
    when: isLycoris,
  }),
  wd_on_output: bool({
    ...common,
    default: true,
    label: { en: "DoRA by output (wd_on_output)", "zh-CN": "DoRA 按输出（wd_on_output）" },
    hint: {
      en: "Lengths are those of the weight's rows; off: of its columns, one per input.",
      "zh-CN": "长度按权重的行（输出）计算；关闭则按列（输入）。",
    },
    more: {
      en: "LyCORIS takes rows unless it is told otherwise. A1111 reads files whose lengths belong to columns more reliably.",
      "zh-CN": "LyCORIS 默认按行。若文件要在 A1111 中使用，按列保存更可靠。",
    },
    when: (values) => isLycoris(values) && values["dora_wd"] === true,
  }),
  rank_dropout_scale: bool({
    ...common,
    default: false,
    label: { en: "Scale rank dropout up", "zh-CN": "秩 Dropout 补偿" },
    hint: {
      en: "What rank dropout leaves is made stronger, so that the whole stays as strong.",
      "zh-CN": "放大秩 Dropout 之后剩下的部分，使整体强度不变。",
    },
    more: {
      en: "LyCORIS leaves out whole rows of what a layer adds, anew in every step. With this the others are divided by their share.",
      "zh-CN": "LyCORIS 每一步随机舍去一层所加内容的若干整行；开启后，其余各行除以所剩比例。",
    },
    when: (values) => isLycoris(values) && values["rank_dropout"] !== null,
  }),
  factor: int({
    ...common,
    default: -1,
    min: -1,
    max: 1024,
    label: { en: "LoKr factor", "zh-CN": "LoKr 因子" },
    hint: {
      en: "Size of LoKr's small matrix. -1 is the smallest file; 4 to 8 learns more.",
      "zh-CN": "LoKr 小矩阵的大小。-1 文件最小；4 到 8 能学到更多。",
    },
    more: {
      en: "A layer's width is cut into this and its counterpart, or where it does not divide into the next smaller divisor. The large one "
        + "is a low-rank product below half its size, whole otherwise.",
      "zh-CN": "层的宽度被分成它和对应的另一因数；若不能整除则取更小的约数。较大的矩阵在秩小于其一半时为低秩乘积，否则完整保存。",
    },
    when: isLokr,
  }),
  decompose_both: bool({
    ...common,
    default: false,
    label: { en: "LoKr: decompose both", "zh-CN": "LoKr：两个矩阵都分解" },
    hint: {
      en: "The small matrix becomes a low-rank product, too.",
      "zh-CN": "小矩阵也用低秩乘积表示。",
    },
    more: {
      en: "Makes files smaller still, where the rank is below half of the small matrix's size; elsewhere nothing changes.",
      "zh-CN": "秩小于小矩阵尺寸的一半时文件会更小；否则没有变化。",
    },
    when: (values) => isLokr(values) && values["full_matrix"] !== true,
  }),
  full_matrix: bool({
    ...common,
    default: false,
    label: { en: "LoKr: full matrices", "zh-CN": "LoKr：完整矩阵" },
    hint: {
      en: "Neither matrix is a product; rank and alpha then mean nothing.",
      "zh-CN": "两个矩阵都不分解；此时秩和 Alpha 不起作用。",
    },
    more: {
      en: "For a LoKr that should learn as much as its factor allows. Larger files; use it with a factor of 4 to 16.",
      "zh-CN": "适合希望在给定因子下学得尽量多的 LoKr。文件更大；建议与 4 到 16 的因子一起使用。",
    },
    when: isLokr,
  }),
  unbalanced_factorization: bool({
    ...common,
    default: false,
    label: { en: "LoKr: unbalanced", "zh-CN": "LoKr：非均衡分解" },
    hint: {
      en: "Gives the small matrix the larger part of the outputs.",
      "zh-CN": "让小矩阵承担输出的较大因数。",
    },
    more: {
      en: "On the output side the two divisors change places. An option of LyCORIS 3; most recipes leave it off.",
      "zh-CN": "输出一侧的两个因数互换。LyCORIS 3 的选项，多数配方不开启。",
    },
    when: isLokr,
  }),
};

/** Whether only LyCORIS understands a setting. */
export function isLycorisKey(key: string): boolean {
  return Object.hasOwn(lycorisParameters, key);
}
