import type { ConfigValues } from "../parameter.ts";
import { bool, choice, float, optionalFloat } from "../parameter.ts";

const bends = (values: ConfigValues): boolean => values["loss_type"] === "huber" || values["loss_type"] === "smooth_l1";

export const lossParameters = {
  loss_type: choice({
    choices: ["l2", "l1", "huber", "smooth_l1"],
    default: "l2",
    group: "noise",
    label: { en: "Loss type", "zh-CN": "损失类型" },
    hint: {
      en: "How differences count: l2 by their square, l1 by their size, the others in between.",
      "zh-CN": "差异如何计入损失：l2 按平方，l1 按绝对值，其余介于两者之间。",
    },
    more: {
      en: "l2 is what Stable Diffusion was trained with. huber and smooth_l1 give large differences less weight, so a few "
        + "damaged or odd pictures spoil less; fine detail may suffer. Losses of different types cannot be compared.",
      "zh-CN": "Stable Diffusion 本身用 l2 训练。huber 和 smooth_l1 减小大差异的权重，少数损坏或异常的图片影响更小，"
        + "但细节可能变差。不同类型的损失值不能相互比较。",
    },
  }),
  huber_schedule: choice({
    choices: ["snr", "exponential", "constant"],
    default: "snr",
    group: "noise",
    when: bends,
    label: { en: "Huber schedule", "zh-CN": "Huber 调度" },
    hint: {
      en: "How the border between small and large differences moves with the noise.",
      "zh-CN": "大小差异的分界如何随噪声变化。",
    },
    more: {
      en: "snr and exponential keep the border near 1 where a picture is almost clean, where details are learned, and lower it "
        + "to huber_c where it is almost noise. constant has one border everywhere.",
      "zh-CN": "snr 和 exponential 在几乎无噪声处（学习细节的地方）让分界接近 1，在几乎全是噪声处降到 huber_c。constant 处处相同。",
    },
  }),
  huber_c: float({
    default: 0.1,
    min: 1e-4,
    max: 100,
    group: "noise",
    when: bends,
    label: { en: "Huber c", "zh-CN": "Huber c" },
    hint: {
      en: "Differences well above it count by their size, those below by their square.",
      "zh-CN": "远大于它的差异按绝对值计，小于它的按平方计。",
    },
    more: {
      en: "Smaller counts more of the differences by their size, which bears odd pictures better and smooths more. "
        + "It is where the schedule ends: with snr and exponential the border is near 1 in the first, almost clean "
        + "steps.",
      "zh-CN": "越小，按绝对值计的差异越多，更能容忍异常图片，但也更平滑。它是调度的终点：用 snr 和 exponential 时，"
        + "几乎无噪声处的分界接近 1。",
    },
  }),
  huber_scale: float({
    default: 1,
    min: 1e-4,
    max: 100,
    group: "noise",
    when: (values) => bends(values) && values["huber_schedule"] !== "snr",
    label: { en: "Huber scale", "zh-CN": "Huber 缩放" },
    hint: {
      en: "Factor of the border with exponential and constant.",
      "zh-CN": "exponential 和 constant 的分界要乘的系数。",
    },
    more: {
      en: "Twice as much moves the border twice as far out at every step, towards l2. snr has a border of its own "
        + "and does not ask for it.",
      "zh-CN": "加倍会使每一步的分界都外移一倍，更接近 l2。snr 有自己的分界，不使用此项。",
    },
  }),
  min_snr_gamma: optionalFloat({
    default: null,
    zeroIsNull: true,
    min: 0,
    max: 100,
    group: "noise",
    label: { en: "Min-SNR gamma", "zh-CN": "Min-SNR gamma" },
    hint: {
      en: "Weighs nearly noise-free steps down, so learning is steadier. 5 is usual; empty is off.",
      "zh-CN": "降低几乎无噪声的步的权重，学习更稳定。常用 5；留空为关闭。",
    },
    more: {
      en: "Steps with little noise have by far the largest say, though little is learned there. With this their "
        + "weight is held at gamma; smaller is stronger. It makes losses smaller, so curves with and without it "
        + "cannot be compared.",
      "zh-CN": "噪声小的步占的比重极大，学到的却很少。此项把它们的权重限制在 gamma；越小作用越强。损失值会变小，"
        + "因此开与不开的曲线不能比较。",
    },
  }),
  debiased_estimation_loss: bool({
    default: false,
    group: "noise",
    label: { en: "Debiased estimation", "zh-CN": "去偏估计损失" },
    hint: {
      en: "Weighs noisy steps up, where the composition is decided.",
      "zh-CN": "提高噪声大的步的权重，构图正是在那里决定的。",
    },
    more: {
      en: "An alternative to min-SNR; both at once weigh twice. Losses get other sizes, so curves with and without it cannot "
        + "be compared.",
      "zh-CN": "可代替 Min-SNR；两者同时使用会重复加权。损失的大小随之改变，开与不开的曲线不能比较。",
    },
  }),
  scale_v_pred_loss_like_noise_pred: bool({
    default: false,
    group: "noise",
    when: (values) => values["v_parameterization"] === true,
    label: { en: "Weigh v like noise", "zh-CN": "v 损失按噪声损失加权" },
    hint: {
      en: "For v-prediction models: the loss counts as if noise were predicted.",
      "zh-CN": "用于 v 预测模型：损失按预测噪声时的方式计权。",
    },
    more: {
      en: "Predicting v gives noisy steps more say than predicting noise does. This takes that back, so that "
        + "settings that are known from noise prediction behave alike. Rather leave it off together with min-SNR.",
      "zh-CN": "预测 v 时，噪声大的步比预测噪声时更受重视。此项把权重调回去，使从噪声预测得来的经验设置同样适用。"
        + "与 Min-SNR 最好不要同时使用。",
    },
  }),
  v_pred_like_loss: optionalFloat({
    default: null,
    zeroIsNull: true,
    min: 0,
    max: 100,
    group: "noise",
    when: (values) => values["v_parameterization"] !== true,
    label: { en: "Add a v-like loss", "zh-CN": "附加 v 形式损失" },
    hint: {
      en: "For noise-prediction models: share of a loss that counts as for v. Empty is off.",
      "zh-CN": "用于预测噪声的模型：附加按 v 预测计权的损失的比例。留空为关闭。",
    },
    more: {
      en: "Adds this share of the loss once more, weighed by how noisy the step is. Composition then counts more, "
        + "as in models that predict v. 0.1 to 1; it enlarges the loss.",
      "zh-CN": "把损失按该步的噪声程度加权后再加上这个比例，使构图更受重视，类似预测 v 的模型。取 0.1 到 1；损失值会变大。",
    },
  }),
};
