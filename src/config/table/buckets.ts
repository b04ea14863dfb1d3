import type { ConfigValues } from "../parameter.ts";
import { bool, int } from "../parameter.ts";

const withBuckets = (values: ConfigValues): boolean => values["enable_bucket"] === true;
const withFixedBuckets = (values: ConfigValues): boolean =>
  withBuckets(values) && values["bucket_no_upscale"] !== true;

export const bucketParameters = {
  enable_bucket: bool({
    default: false,
    suggested: true,
    group: "buckets",
    label: { en: "Buckets", "zh-CN": "长宽比分桶" },
    hint: {
      en: "Pictures keep their proportions instead of being cropped to one shape.",
      "zh-CN": "图片保留各自的长宽比，不必全部裁成同一形状。",
    },
    more: {
      en: "Shapes with about as many pixels as the resolution are made, and each picture goes to the one closest "
        + "to its own. Faces at the edge of a portrait are then not cut off. A batch holds pictures of one shape "
        + "only; the plan shows how many there are of each.",
      "zh-CN": "按与分辨率大致相同的像素数准备多种形状，每张图放入最接近的一种，竖图边缘的脸就不会被裁掉。一个批次只含同一形状的图片；"
        + "计划中会显示每种形状有多少张。",
    },
  }),
  min_bucket_reso: int({
    default: 256,
    min: 64,
    max: 4096,
    group: "buckets",
    when: withFixedBuckets,
    label: { en: "Shortest side", "zh-CN": "最短边" },
    hint: { en: "No bucket is narrower or lower.", "zh-CN": "桶的宽和高不会小于它。" },
    more: {
      en: "Very long pictures then go to the longest shape there is and lose more at the ends. It is rounded down "
        + "to a multiple of the step, and must not be above the resolution's shorter side.",
      "zh-CN": "特别狭长的图片会放入现有最长的形状，两端裁得更多。它会向下取整到步长的倍数，并且不能超过分辨率的短边。",
    },
  }),
  max_bucket_reso: int({
    default: 1024,
    min: 64,
    max: 4096,
    group: "buckets",
    when: withFixedBuckets,
    label: { en: "Longest side", "zh-CN": "最长边" },
    hint: { en: "No bucket is wider or higher.", "zh-CN": "桶的宽和高不会大于它。" },
    more: {
      en: "Shapes keep their area, so a longer side only allows more extreme proportions and does not cost memory. "
        + "It is rounded up to a multiple of the step.",
      "zh-CN": "形状的面积不变，更长的边只是允许更极端的长宽比，不会增加显存。它会向上取整到步长的倍数。",
    },
  }),
  bucket_reso_steps: int({
    default: 64,
    min: 64,
    max: 1024,
    multipleOf: 64,
    group: "buckets",
    when: withBuckets,
    label: { en: "Bucket step", "zh-CN": "分桶步长" },
    hint: {
      en: "Sides are multiples of this. Larger makes fewer shapes, and crops more.",
      "zh-CN": "桶的边长是它的倍数。越大则形状越少，裁切越多。",
    },
    more: {
      en: "Stable Diffusion works on patches of 64 pixels, so multiples of 64 are the finest there is. With few "
        + "pictures a larger step fills batches better.",
      "zh-CN": "Stable Diffusion 以 64 像素为一块，因此最细只能到 64 的倍数。图片少时，较大的步长能让批次更满。",
    },
  }),
  bucket_no_upscale: bool({
    default: false,
    group: "buckets",
    when: withBuckets,
    label: { en: "Never enlarge", "zh-CN": "不放大图片" },
    hint: {
      en: "Small pictures keep their size. Makes more shapes, each with its own preparation.",
      "zh-CN": "小图保持原尺寸。形状会变多，每种形状都要单独准备。",
    },
    more: {
      en: "Enlarged pictures teach blur. With this, small ones are only cut to a multiple of the step, and the "
        + "limits of sides above do not apply. Larger pictures are still brought to the area of the resolution.",
      "zh-CN": "放大的图片会教会模型模糊。开启后，小图只裁到步长的倍数，上面的边长限制不起作用。大图仍会缩小到分辨率的面积。",
    },
  }),
};
