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
    when: hasPrompts,
  }),
};
