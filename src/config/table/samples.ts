import { bool, choice, optionalInt, text, type ConfigValues } from "../parameter.ts";

const hasPrompts = (values: ConfigValues): boolean => String(values["sample_prompts"] ?? "").trim() !== "";

export const sampleParameters = {
  sample_prompts: text({
    default: "",
    isMultiline: true,
    group: "samples",
    label: { en: "Prompts of the samples", "zh-CN": "预览图的提示词" },
    hint: {
      en: "One picture a line. Empty makes no samples.",
      "zh-CN": "每行一张图。留空则不生成预览图。",
    },
    more: {
      en: "Behind the prompt: --n negative prompt, --w and --h size, --d seed, --s steps, --l CFG scale, --ss sampler. Lines that begin with # are left out. Without --d each line keeps one seed through the run, so that its pictures can be compared.",
      "zh-CN": "提示词之后可写：--n 反向提示词、--w 与 --h 尺寸、--d 种子、--s 步数、--l CFG、--ss 采样器。以 # 开头的行会跳过。不写 --d 时，每行在整个训练中使用同一个种子，便于比较。",
    },
  }),
  sample_every_n_epochs: optionalInt({
    default: null,
    suggested: 1,
    zeroIsNull: true,
    min: 1,
    group: "samples",
    label: { en: "Samples every … epochs", "zh-CN": "每几轮生成预览图" },
    hint: {
      en: "Wins over every … steps. Empty: by steps, or only when asked for.",
      "zh-CN": "优先于按步数。留空则按步数，或仅在手动要求时生成。",
    },
    more: {
      en: "Pictures take time from the run, and change nothing in it: the LoRA comes out the same with and without "
        + "them. One set per saved file makes it easy to choose a file by its pictures.",
      "zh-CN": "生成预览图需要时间，但不影响训练：有没有它们，得到的 LoRA 完全相同。与保存文件的间隔一致，就能按图挑选文件。",
    },
    when: hasPrompts,
  }),
  sample_every_n_steps: optionalInt({
    default: null,
    zeroIsNull: true,
    min: 1,
    group: "samples",
    label: { en: "Samples every … steps", "zh-CN": "每几步生成预览图" },
    hint: {
      en: "For runs whose epochs are long.",
      "zh-CN": "适合每轮很长的训练。",
    },
    more: {
      en: "Counted from the beginning of the run. A set costs about as long as each of its pictures does on the "
        + "Test screen; every hundred steps is usually often enough.",
      "zh-CN": "从训练开始计数。一组图片所需的时间与在“测试”页生成它们相当；通常每一百步一次就够了。",
    },
    when: (values) => hasPrompts(values) && values["sample_every_n_epochs"] === null,
  }),
  sample_at_first: bool({
    default: false,
    suggested: true,
    group: "samples",
    label: { en: "Samples before training", "zh-CN": "训练前先生成" },
    hint: {
      en: "Shows what the base model makes of the prompts: what all others are compared with.",
      "zh-CN": "展示底模对这些提示词的结果，作为其余预览图的对照。",
    },
    more: {
      en: "A subject that looks right already in these pictures is known to the base model, and needs little "
        + "training. They also show a mistake in the prompts before hours are spent.",
      "zh-CN": "如果这些图里主题已经很像，说明底模本来就认识它，只需少量训练。它们还能在花费几小时之前暴露提示词的错误。",
    },
    when: hasPrompts,
  }),
  sample_sampler: choice({
    choices: ["ddim", "euler", "euler_a", "heun", "dpmsolver++", "dpmpp_sde", "dpmpp_2m_sde", "lcm"],
    aliases: {
      pndm: "ddim", lms: "euler", k_lms: "euler", k_euler: "euler", k_euler_a: "euler_a", dpm_2: "heun", k_dpm_2: "heun",
      dpm_2_a: "euler_a", k_dpm_2_a: "euler_a", dpmsolver: "dpmsolver++", dpmsingle: "dpmsolver++", dpmpp_2m: "dpmsolver++",
    },
    default: "ddim",
    group: "samples",
    label: { en: "Sampler of the samples", "zh-CN": "预览图的采样器" },
    hint: {
      en: "For lines without --ss. It has no part in the training.",
      "zh-CN": "用于没有 --ss 的行，不影响训练。",
    },
    more: {
      en: "euler_a suits most models at 20 to 30 steps, ddim is what sd-scripts takes. Use the one that you will "
        + "draw with. Names that kohya knows and are not here are drawn with their closest relative.",
      "zh-CN": "euler_a 在 20 到 30 步时适合大多数模型，ddim 是 sd-scripts 的默认值。"
        + "建议用你以后实际作图的采样器。kohya 有而这里没有的名字，会用最接近的代替。",
    },
    when: hasPrompts,
  }),
};
