/** `ss_datasets` of the written file: what sd-scripts says of the datasets of a configuration. */
import { configOf } from "../config/dataset-keys.ts";
import { bucketInfo } from "../dataset/buckets.ts";
import { tagFrequency, type CaptionedSubset } from "../dataset/captions.ts";
import { baseName } from "../dataset/paths.ts";
import type { JsonLike } from "../lora/python-text.ts";
import type { BucketGroup } from "./bucket-groups.ts";
import type { DatasetPlan } from "./run-plan.ts";

/** @param subsets without pictures that are held out */
export function describeDatasets(subsets: readonly CaptionedSubset[], { buckets }: Pick<DatasetPlan, "buckets">): JsonLike {
  return buckets.groups.map((group): JsonLike => {
    const own = subsets.filter((subset) => (subset.dataset ?? 0) === group.dataset);
    const { config } = group;
    const withRepeats = (isReg: boolean): number =>
      own.reduce((sum, subset) => sum + (subset.isReg === isReg ? subset.repeats * subset.images.length : 0), 0);
    return {
      is_dreambooth: true,
      batch_size_per_device: config.train_batch_size,
      num_train_images: withRepeats(false),
      num_reg_images: withRepeats(true),
      resolution: [...config.resolution],
      enable_bucket: config.enable_bucket,
      min_bucket_reso: config.min_bucket_reso,
      max_bucket_reso: config.max_bucket_reso,
      tag_frequency: tagFrequency(own) as JsonLike,
      bucket_info: bucketInfo(group.plan) as JsonLike,
      resize_interpolation: config.resize_interpolation,
      subsets: own.map((subset) => describeSubset(subset, group)),
    };
  });
}

function describeSubset({ dir, repeats, classTokens, isReg, images, overrides }: CaptionedSubset, { config }: BucketGroup): JsonLike {
  const own = configOf(config, overrides);
  const set = (text: string): string | null => (text === "" ? null : text);
  return {
    img_count: images.length,
    num_repeats: repeats,
    color_aug: own.color_aug,
    flip_aug: own.flip_aug,
    random_crop: own.random_crop,
    shuffle_caption: own.shuffle_caption,
    keep_tokens: own.keep_tokens,
    keep_tokens_separator: own.keep_tokens_separator,
    secondary_separator: set(own.secondary_separator),
    enable_wildcard: own.enable_wildcard,
    caption_prefix: set(own.caption_prefix),
    caption_suffix: set(own.caption_suffix),
    resize_interpolation: own.resize_interpolation,
    image_dir: baseName(dir),
    class_tokens: set(classTokens),
    is_reg: isReg,
  };
}
