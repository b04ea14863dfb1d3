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
  }),
  min_bucket_reso: int({
    default: 256,
    min: 64,
    max: 4096,
    group: "buckets",
    when: withFixedBuckets,
    label: { en: "Shortest side", "zh-CN": "最短边" },
    hint: { en: "No bucket is narrower or lower.", "zh-CN": "桶的宽和高不会小于它。" },
  }),
  max_bucket_reso: int({
    default: 1024,
    min: 64,
    max: 4096,
    group: "buckets",
    when: withFixedBuckets,
    label: { en: "Longest side", "zh-CN": "最长边" },
    hint: { en: "No bucket is wider or higher.", "zh-CN": "桶的宽和高不会大于它。" },
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
  }),
};
