import { optionalFloat } from "../parameter.ts";

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
  }),
};
