import type { ConfigValues } from "../parameter.ts";
import { bool, float, optionalFloat, optionalInt } from "../parameter.ts";

const isSet = (key: string) => (values: ConfigValues): boolean => values[key] !== null && values[key] !== 0;

export const noiseParameters = {
  noise_offset: optionalFloat({
    default: null,
    zeroIsNull: true,
    min: 0,
    max: 1,
    group: "noise",
    label: { en: "Noise offset", "zh-CN": "噪声偏移" },
    hint: {
      en: "Lets pictures get darker and brighter as a whole. 0.05 to 0.1; empty is off.",
      "zh-CN": "让画面整体能更暗或更亮。常用 0.05 到 0.1；留空为关闭。",
    },
    more: {
      en: "Stable Diffusion is hardly ever shown a picture that is dark or bright as a whole, so it draws medium "
        + "ones. This shifts the noise of each colour channel by a random amount of this size, so that the mean "
        + "has to be learned too. Above 0.1 contrast easily becomes harsh.",
      "zh-CN": "Stable Diffusion 几乎没学过整体很暗或很亮的画面，因此总是画得不明不暗。此项让每个通道的噪声随机偏移这么多，"
        + "使整体明暗也必须学习。超过 0.1 对比度容易过强。",
    },
  }),
  noise_offset_random_strength: bool({
    default: false,
    group: "noise",
    when: isSet("noise_offset"),
    label: { en: "Random offset strength", "zh-CN": "随机偏移强度" },
    hint: {
      en: "Each batch takes a random share of the noise offset, from none to all of it.",
      "zh-CN": "每个批次随机取噪声偏移的一部分，从零到全部。",
    },
    more: {
      en: "Pictures with and without an offset then take turns, which changes brightness more gently than a fixed "
        + "offset and keeps ordinary light ordinary.",
      "zh-CN": "有偏移与无偏移的情况交替出现，比固定偏移更温和，普通光线的画面也能保持正常。",
    },
  }),
  adaptive_noise_scale: optionalFloat({
    default: null,
    zeroIsNull: true,
    min: -10,
    max: 10,
    group: "noise",
    when: isSet("noise_offset"),
    label: { en: "Adaptive noise scale", "zh-CN": "自适应噪声缩放" },
    hint: {
      en: "Adds this much of each picture's own brightness and tint to the offset. Empty is off.",
      "zh-CN": "按此比例把图片自身的明暗和色调加到偏移上。留空为关闭。",
    },
    more: {
      en: "Pictures that are far from grey as a whole get a larger offset; a negative number gives them a smaller one, never "
        + "below none.",
      "zh-CN": "整体偏离灰色越多的图片，偏移越大；负数则相反，但不会低于零。",
    },
  }),
  multires_noise_iterations: optionalInt({
    default: null,
    zeroIsNull: true,
    min: 1,
    max: 64,
    group: "noise",
    label: { en: "Multires noise levels", "zh-CN": "多分辨率噪声层数" },
    hint: {
      en: "Mixes in noise of coarser and coarser grain. 6 to 10; empty is off.",
      "zh-CN": "混入越来越粗的噪声。常用 6 到 10；留空为关闭。",
    },
    more: {
      en: "Like the noise offset it teaches large dark and bright areas, but also what lies between. Use one of the two: "
        + "kohya's GUI allows only one.",
      "zh-CN": "与噪声偏移一样能学到大面积的明暗，还包括中等尺度的变化。两者选一：kohya 的界面只允许其中之一。",
    },
  }),
  multires_noise_discount: float({
    default: 0.3,
    min: 0,
    max: 1,
    group: "noise",
    when: isSet("multires_noise_iterations"),
    label: { en: "Multires noise discount", "zh-CN": "多分辨率噪声衰减" },
    hint: {
      en: "Strength of each coarser level relative to the one before. 0.1 to 0.3 for a LoRA.",
      "zh-CN": "每一层相对上一层的强度。训练 LoRA 常用 0.1 到 0.3。",
    },
    more: {
      en: "The level k counts with this to the power of k, and the sum is brought back to the usual strength. Near "
        + "1 coarse patches drown the fine noise; 0.8 is for training whole models.",
      "zh-CN": "第 k 层的权重是它的 k 次方，总和再调整回通常的强度。接近 1 时粗块会盖过细噪声；0.8 用于训练整个模型。",
    },
  }),
  ip_noise_gamma: optionalFloat({
    default: null,
    zeroIsNull: true,
    min: 0,
    max: 1,
    group: "noise",
    label: { en: "Input perturbation", "zh-CN": "输入扰动噪声" },
    hint: {
      en: "Puts extra noise into what the model sees, so that it learns to mend its own errors. 0.1; empty is off.",
      "zh-CN": "在模型的输入里多加噪声，使其学会纠正自己的误差。常用 0.1；留空为关闭。",
    },
    more: {
      en: "While drawing, each step starts from the small mistakes of those before, which training otherwise never "
        + "shows. The extra noise is not part of what has to be predicted. Much more than 0.1 blurs details.",
      "zh-CN": "生成时每一步都从前面各步的小误差出发，而训练中平时见不到这种情况。额外的噪声不计入要预测的目标。"
        + "远大于 0.1 会使细节模糊。",
    },
  }),
  ip_noise_gamma_random_strength: bool({
    default: false,
    group: "noise",
    when: isSet("ip_noise_gamma"),
    label: { en: "Random input perturbation", "zh-CN": "随机输入扰动" },
    hint: {
      en: "Each batch takes a random share of it, from none to all.",
      "zh-CN": "每个批次随机取其中一部分，从零到全部。",
    },
    more: {
      en: "The model then meets exact and inexact inputs alike, and the setting above is the most instead of the "
        + "rule; it may be a little larger than a fixed one.",
      "zh-CN": "模型既会遇到准确的输入，也会遇到不准确的输入；上面的数值变成上限而不是定值，可以比固定时稍大。",
    },
  }),
  zero_terminal_snr: bool({
    default: false,
    group: "noise",
    label: { en: "Zero terminal SNR", "zh-CN": "零终端信噪比" },
    hint: {
      en: "The last step is pure noise. Only for v-prediction models.",
      "zh-CN": "最后一步为纯噪声。仅用于 v 预测模型。",
    },
    more: {
      en: "Stable Diffusion's last step still shows a little of the picture, and models learn to rely on it: nothing gets really "
        + "dark or bright. Without v-prediction the last step teaches nothing. Pictures made with such a LoRA want a "
        + "sampler that rescales its schedule too.",
      "zh-CN": "Stable Diffusion 的最后一步仍残留一点图像，模型会依赖它，画面就无法真正变暗或变亮。没有 v 预测时，最后一步学不到东西。"
        + "使用这样的 LoRA 生成图片时，采样器也要使用零终端信噪比。",
    },
  }),
  min_timestep: optionalInt({
    default: null,
    min: 0,
    max: 999,
    group: "noise",
    label: { en: "First timestep", "zh-CN": "最小时间步" },
    hint: {
      en: "Train only with at least this much noise, 0 to 999. Empty: 0.",
      "zh-CN": "只用不少于此的噪声训练，0 到 999。留空为 0。",
    },
    more: {
      en: "Small numbers are nearly clean pictures, where details are learned; large ones are nearly noise, where composition "
        + "is. Where the first is not below the last, all samples have the last.",
      "zh-CN": "小的时间步几乎没有噪声，学的是细节；大的几乎全是噪声，学的是构图。若最小值不小于最大值，则全部使用最大值。",
    },
  }),
  max_timestep: optionalInt({
    default: null,
    min: 1,
    max: 1000,
    group: "noise",
    label: { en: "Last timestep", "zh-CN": "最大时间步" },
    hint: {
      en: "Train only with less noise than this, 1 to 1000. Empty: 1000.",
      "zh-CN": "只用少于此的噪声训练，1 到 1000。留空为 1000。",
    },
    more: {
      en: "Leaving out the noisiest steps keeps composition as the base model has it and learns surfaces and "
        + "details; it suits a style of lines or textures. Together with the first timestep it cuts out a band.",
      "zh-CN": "去掉噪声最大的步，构图保持底模原样，只学表面和细节，适合线条或质感类的画风。与最小时间步一起可截取中间一段。",
    },
  }),
};
