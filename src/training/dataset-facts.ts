/** `ss_datasets` of the written file: what sd-scripts says of the datasets of a configuration. */
import { configOf } from "../config/dataset-keys.ts";
import { bucketInfo } from "../dataset/buckets.ts";
import { tagFrequency, type CaptionedSubset, type TagFrequency } from "../dataset/captions.ts";
import { groupBy } from "../dataset/group-by.ts";
import { baseName } from "../dataset/paths.ts";
import type { FolderFacts } from "../lora/metadata.ts";
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
      min_bucket_reso: config.enable_bucket ? config.min_bucket_reso : null,
      max_bucket_reso: config.enable_bucket ? config.max_bucket_reso : null,
      tag_frequency: tagFrequency(own) as JsonLike,
      bucket_info: bucketInfo(group.plan) as JsonLike,
      resize_interpolation: config.resize_interpolation,
      subsets: own.map((subset) => describeSubset(subset, group)),
    };
  });
}

/** `ss_dataset_dirs`: without regularization pictures; a folder of several datasets has one entry for each. */
export function configuredDirs(subsets: readonly CaptionedSubset[]): Record<string, FolderFacts> {
  const dirs: Record<string, FolderFacts> = {};
  for (const { dir, isReg, repeats, images } of subsets) {
    if (isReg) continue;
    const name = baseName(dir);
    let free = name;
    for (let i = 2; Object.hasOwn(dirs, free); i++) free = `${name} (${i})`;
    dirs[free] = { repeats, images: images.length };
  }
  return dirs;
}

/** `ss_tag_frequency`: of a folder of several datasets, the first one's. */
export function configuredTags(subsets: readonly CaptionedSubset[]): TagFrequency {
  const datasets = [...groupBy(subsets, ({ dataset = 0 }) => dataset)].sort(([a], [b]) => b - a);
  return Object.assign({}, ...datasets.map(([, own]) => tagFrequency(own))) as TagFrequency;
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
