import type { ConfigValues } from "../parameter.ts";
import { TORCH_SCHEDULERS } from "../torch-schedulers.ts";
import { choice, float, int, list, optionalChoice, optionalFloat, optionalInt, warmup } from "../parameter.ts";

const isTorch = (values: ConfigValues): boolean => (values["lr_scheduler_type"] ?? "") !== "";
const runs = (...schedulers: readonly string[]) => (values: ConfigValues): boolean =>
  !isTorch(values) && schedulers.includes(String(values["lr_scheduler"]));

export const scheduleParameters = {
  lr_scheduler: choice({
    choices: [
      "constant", "constant_with_warmup", "cosine", "cosine_with_restarts", "linear", "polynomial", "inverse_sqrt",
      "cosine_with_min_lr", "warmup_stable_decay", "piecewise_constant", "adafactor",
    ],
    default: "constant",
    suggested: "cosine",
    group: "rates",
    label: { en: "Scheduler", "zh-CN": "学习率调度器" },
    hint: {
      en: "How the rate moves during the run. Cosine lets it sink to zero.",
      "zh-CN": "训练中学习率如何变化。cosine 会逐渐降到零。",
    },
    more: {
      en: "A rate that sinks towards the end lets details settle. Cosine and linear are safe choices; restarts go back up "
        + "several times, which can leave a poor spot but also undo what was learned; constant suits optimizers that find "
        + "their own rate. The plot shows what the settings give. "
        + "Adafactor with relative_step brings the schedule adafactor, whatever is chosen here.",
      "zh-CN": "学习率在后期下降，有助于细节稳定。cosine 和 linear 最稳妥；cosine_with_restarts 会多次回升，"
        + "能跳出不好的位置，也可能丢掉已学到的内容；constant 适合会自己找学习率的优化器。设置的效果见曲线图。"
        + "Adafactor 开启 relative_step 时自带 adafactor 调度，这里的选择不起作用。",
    },
  }),
  lr_warmup_steps: warmup({
    default: 0,
    group: "rates",
    when: (values) => !isTorch(values) && !runs("constant", "piecewise_constant", "adafactor")(values),
    label: { en: "Warmup", "zh-CN": "预热" },
    hint: {
      en: "Updates until the full rate is reached; a number below 1 is a share of the run.",
      "zh-CN": "学习率升到设定值所用的步数；小于 1 的数表示占总步数的比例。",
    },
    more: {
      en: "A gentle start keeps the first, still meaningless updates from doing harm. The very first update then has "
        + "rate 0. 5 to 10 % of the run are usual.",
      "zh-CN": "平缓的开始可避免最初几步（方向还不可靠）造成破坏。此时第一步的学习率为 0。常用总步数的 5% 到 10%。",
    },
  }),
  lr_decay_steps: warmup({
    default: 0,
    group: "rates",
    when: runs("warmup_stable_decay"),
    label: { en: "Decay", "zh-CN": "衰减步数" },
    hint: {
      en: "Last updates of warmup_stable_decay, in which the rate sinks; below 1 is a share of the run.",
      "zh-CN": "warmup_stable_decay 结尾学习率下降的步数；小于 1 的数表示占总步数的比例。",
    },
    more: {
      en: "The rate stays high until so many updates before the end and then falls to the minimum. Long enough to "
        + "settle is usually a tenth to a fifth of the run (0.1 to 0.2).",
      "zh-CN": "学习率一直保持到结束前这么多步，然后降到最小值。通常取总步数的十分之一到五分之一（0.1 到 0.2）就足够稳定。",
    },
  }),
  lr_scheduler_num_cycles: int({
    default: 1,
    min: 1,
    max: 1000,
    group: "rates",
    when: runs("cosine_with_restarts", "cosine_with_min_lr", "warmup_stable_decay"),
    label: { en: "Cycles", "zh-CN": "周期数" },
    hint: {
      en: "How often cosine_with_restarts begins anew. With a minimum rate: half waves.",
      "zh-CN": "cosine_with_restarts 重新开始的次数；在有最小学习率的调度器中表示半波数。",
    },
    more: {
      en: "With 3, the rate sinks to zero three times and jumps back up in between. Files saved just before a jump "
        + "are the settled ones. 1 is the same as cosine.",
      "zh-CN": "取 3 时，学习率三次降到零，中间两次跳回最高。跳回之前保存的文件最稳定。取 1 与 cosine 相同。",
    },
  }),
  lr_scheduler_power: float({
    default: 1,
    min: 0,
    max: 100,
    group: "rates",
    when: runs("polynomial"),
    label: { en: "Power", "zh-CN": "多项式次数" },
    hint: {
      en: "Shape of polynomial: 1 is a straight line, 2 falls fast at first.",
      "zh-CN": "polynomial 的形状：1 为直线，2 先快后慢。",
    },
    more: {
      en: "The share of the run that is left is raised to this power. Below 1 the rate stays high for long and "
        + "falls at the end; above 1 most of the run is spent at small rates.",
      "zh-CN": "把剩余比例取这个次方。小于 1 时学习率长时间保持较高、最后才下降；大于 1 时大部分时间都在较小的学习率上。",
    },
  }),
  lr_scheduler_timescale: optionalInt({
    default: null,
    zeroIsNull: true,
    min: 1,
    max: 1e9,
    group: "rates",
    when: runs("inverse_sqrt"),
    label: { en: "Time scale", "zh-CN": "时间尺度" },
    hint: {
      en: "Updates over which inverse_sqrt falls to 71 %. Empty: the warmup, or 10,000.",
      "zh-CN": "inverse_sqrt 降到 71% 所用的步数。留空则为预热步数，没有预热时为 10000。",
    },
    more: {
      en: "After the warmup the rate sinks with the root of the step: after three times this number it is half, "
        + "after fifteen times a quarter. It never reaches zero, so a run can be made longer without another "
        + "schedule.",
      "zh-CN": "预热之后学习率按步数的平方根下降：经过三倍于此的步数为一半，十五倍为四分之一。它不会降到零，"
        + "因此可以直接延长训练而不必更换调度。",
    },
  }),
  lr_scheduler_min_lr_ratio: optionalFloat({
    default: null,
    min: 0,
    max: 1,
    group: "rates",
    when: runs("cosine_with_min_lr", "warmup_stable_decay"),
    label: { en: "Minimum rate", "zh-CN": "最小学习率比例" },
    hint: {
      en: "Share of the rate that is left at the end, such as 0.1.",
      "zh-CN": "最后剩下的学习率所占比例，例如 0.1。",
    },
    more: {
      en: "With 0.1 the run ends at a tenth of its rate instead of at zero, so its last epochs still learn "
        + "something. cosine_with_min_lr must have a number here.",
      "zh-CN": "填 0.1 时，训练结束时的学习率为十分之一而不是零，最后几轮仍能学到东西。cosine_with_min_lr 必须填写。",
    },
  }),
  lr_scheduler_type: optionalChoice({
    choices: [...TORCH_SCHEDULERS],
    default: null,
    group: "rates",
    label: { en: "PyTorch scheduler", "zh-CN": "PyTorch 调度器" },
    hint: {
      en: "One of PyTorch's own schedulers in place of the scheduler above. Its numbers go into the scheduler arguments.",
      "zh-CN": "用 PyTorch 自带的调度器代替上面的调度器，其参数写在调度器参数里。",
    },
    more: {
      en: "StepLR: step_size, gamma. MultiStepLR: milestones, gamma. ConstantLR: factor, total_iters. LinearLR: start_factor, end_factor, "
        + "total_iters. ExponentialLR: gamma. PolynomialLR: total_iters, power. CosineAnnealingLR: T_max, eta_min. "
        + "CosineAnnealingWarmRestarts: T_0, T_mult, eta_min. All count updates and know no warmup. OneCycleLR and CyclicLR also "
        + "move the optimizer's momentum and are not here.",
      "zh-CN": "StepLR：step_size、gamma。MultiStepLR：milestones、gamma。ConstantLR：factor、total_iters。LinearLR：start_factor、end_factor、"
        + "total_iters。ExponentialLR：gamma。PolynomialLR：total_iters、power。CosineAnnealingLR：T_max、eta_min。"
        + "CosineAnnealingWarmRestarts：T_0、T_mult、eta_min。均按更新步计数，没有预热。OneCycleLR 和 CyclicLR 还会改变优化器的动量，未提供。",
    },
  }),
  lr_scheduler_args: list({
    default: [],
    group: "rates",
    when: (values) =>
      isTorch(values) || runs("cosine", "polynomial", "cosine_with_min_lr", "warmup_stable_decay", "piecewise_constant")(values),
    label: { en: "Scheduler arguments", "zh-CN": "调度器参数" },
    hint: {
      en: "For example step_rules='1:100,0.5:200,0.1' for piecewise_constant.",
      "zh-CN": "例如 piecewise_constant 用 step_rules='1:100,0.5:200,0.1'。",
    },
    more: {
      en: "cosine: num_cycles (0.5 sinks once). polynomial: lr_end (1e-7). cosine_with_min_lr: min_lr, in place of the minimum "
        + "rate. warmup_stable_decay: warmup_type and decay_type, each 'linear', 'cosine' or '1-sqrt'. piecewise_constant: "
        + "step_rules; '1:100,0.5:200,0.1' is the full rate for updates below 100, half of it below 200, then a tenth.",
      "zh-CN": "cosine：num_cycles（0.5 表示只下降一次）。polynomial：lr_end（1e-7）。cosine_with_min_lr：min_lr，代替最小学习率比例。"
        + "warmup_stable_decay：warmup_type 和 decay_type，可为 'linear'、'cosine' 或 '1-sqrt'。piecewise_constant：step_rules；"
        + "'1:100,0.5:200,0.1' 表示 100 步之前用全部学习率，200 步之前用一半，之后用十分之一。",
    },
  }),
};
