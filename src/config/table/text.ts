import { bool, float, int, optionalInt, text, warmup } from "../parameter.ts";
import type { ConfigValues } from "../parameter.ts";

/** Where a caption is taken for a list of tags. */
const withTags = (values: ConfigValues): boolean =>
  values["shuffle_caption"] === true || values["token_warmup_step"] !== 0 || values["caption_tag_dropout_rate"] !== 0;

export const textParameters = {
  caption_extension: text({
    default: ".caption",
    suggested: ".txt",
    group: "text",
    label: { en: "Caption files", "zh-CN": "标注文件扩展名" },
    hint: {
      en: "Ending of the text files beside the pictures.",
      "zh-CN": "图片旁边的文本文件的扩展名。",
    },
  }),
  shuffle_caption: bool({
    default: false,
    group: "text",
    label: { en: "Shuffle tags", "zh-CN": "打乱标签" },
    hint: {
      en: "Tags of a caption come in another order each time, so that none counts more for being first.",
      "zh-CN": "每次使用时都打乱标注中标签的顺序，避免排在前面的标签权重过高。",
    },
    more: {
      en: "The text encoder then runs in every step, also where it is not trained: a little slower, and it needs memory. "
        + "Settings that drop captions or tags, or choose wildcards, do the same.",
      "zh-CN": "此时即使不训练文本编码器，每一步也都要运行它：稍慢，并占用显存。丢弃标注或标签、随机选词等设置也是如此。",
    },
  }),
  keep_tokens: int({
    default: 0,
    min: 0,
    max: 255,
    group: "text",
    when: withTags,
    label: { en: "Tags that stay first", "zh-CN": "保留前几个标签" },
    hint: {
      en: "So many tags at the beginning are neither moved nor dropped. 1 keeps a trigger word in its place.",
      "zh-CN": "开头的这么多个标签既不打乱也不丢弃。填 1 可固定触发词的位置。",
    },
  }),
  keep_tokens_separator: text({
    default: "",
    group: "text",
    when: withTags,
    label: { en: "Fence behind kept tags", "zh-CN": "保留标签的分隔符" },
    hint: {
      en: "For example |||: tags before it stay where they are, and so do those behind a second one. Wins over the number.",
      "zh-CN": "例如 |||：它前面的标签保持不动，第二个它后面的标签也保持不动。优先于上面的数量。",
    },
  }),
  caption_separator: text({
    default: ",",
    group: "text",
    label: { en: "Between tags", "zh-CN": "标签分隔符" },
    hint: { en: "What separates the tags of a caption.", "zh-CN": "标注中标签之间的分隔符。" },
  }),
  secondary_separator: text({
    default: "",
    group: "text",
    label: { en: "Inside of a group of tags", "zh-CN": "组内分隔符" },
    hint: {
      en: "For example ;;;: tags joined by it move and drop together, and it becomes the usual separator at the end.",
      "zh-CN": "例如 ;;;：用它连接的标签会一起移动或丢弃，最后它会被替换成普通分隔符。",
    },
  }),
  caption_prefix: text({
    default: "",
    group: "text",
    label: { en: "Before every caption", "zh-CN": "标注前缀" },
    hint: { en: "Put before each caption, with a blank between.", "zh-CN": "加在每条标注前面，中间隔一个空格。" },
  }),
  caption_suffix: text({
    default: "",
    group: "text",
    label: { en: "Behind every caption", "zh-CN": "标注后缀" },
    hint: { en: "Put behind each caption, with a blank between.", "zh-CN": "加在每条标注后面，中间隔一个空格。" },
  }),
  caption_dropout_rate: float({
    default: 0,
    min: 0,
    max: 1,
    group: "text",
    label: { en: "Drop captions", "zh-CN": "丢弃整条标注的比例" },
    hint: {
      en: "This share of the pictures is shown without any caption. 0.05 to 0.1 helps styles that need no trigger word.",
      "zh-CN": "按这个比例让图片不带任何标注。训练不需要触发词的画风时，0.05 到 0.1 有帮助。",
    },
  }),
  caption_dropout_every_n_epochs: int({
    default: 0,
    min: 0,
    max: 100_000,
    group: "text",
    label: { en: "Drop captions every … epochs", "zh-CN": "每隔几轮丢弃标注" },
    hint: {
      en: "Every so many epochs, all pictures are shown without captions. 0 never does.",
      "zh-CN": "每隔这么多轮，整轮图片都不带标注。0 表示从不。",
    },
  }),
  caption_tag_dropout_rate: float({
    default: 0,
    min: 0,
    max: 1,
    group: "text",
    label: { en: "Drop tags", "zh-CN": "丢弃标签的比例" },
    hint: {
      en: "Each tag is left out with this probability, except those that stay first.",
      "zh-CN": "每个标签按这个概率被丢弃，保留在开头的标签除外。",
    },
  }),
  enable_wildcard: bool({
    default: false,
    group: "text",
    label: { en: "Choices in captions", "zh-CN": "标注通配选择" },
    hint: {
      en: "Of {red|blue} one is chosen each time, and one line of a caption with several.",
      "zh-CN": "每次从 {red|blue} 中随机选一个；标注有多行时随机选一行。",
    },
  }),
  token_warmup_step: warmup({
    default: 0,
    group: "text",
    label: { en: "Tags come in over", "zh-CN": "标签逐步加入的步数" },
    hint: {
      en: "Captions begin with few tags and have all after this many steps, or this share of the run (0.2). 0 has all at once.",
      "zh-CN": "标注从少量标签开始，经过这么多步（或总步数的比例，如 0.2）后用上全部标签。0 表示一开始就用全部。",
    },
  }),
  token_warmup_min: int({
    default: 1,
    min: 1,
    max: 255,
    group: "text",
    when: (values) => values["token_warmup_step"] !== 0,
    label: { en: "Tags at the beginning", "zh-CN": "起始标签数" },
    hint: { en: "How many tags captions begin with.", "zh-CN": "开始时使用的标签数量。" },
  }),
  max_token_length: optionalInt({
    default: null,
    zeroIsNull: true,
    min: 75,
    max: 225,
    multipleOf: 75,
    group: "text",
    label: { en: "Longest caption, in tokens", "zh-CN": "标注的最大 token 数" },
    hint: {
      en: "75, 150 or 225. What is longer is cut. Empty means 75.",
      "zh-CN": "75、150 或 225，超出部分会被截断。留空即 75。",
    },
    more: {
      en: "Longer captions are read in pieces of 75 tokens, each with its own start and end, and put together. They cost memory and time.",
      "zh-CN": "较长的标注会按每段 75 个 token 分别编码再拼接，会占用更多显存和时间。",
    },
  }),
  weighted_captions: bool({
    default: false,
    group: "text",
    label: { en: "Weights in captions", "zh-CN": "标注权重" },
    hint: {
      en: "(word:1.3), (word) and [word] in captions say how much a word counts, as in the web UI. Off, brackets are text.",
      "zh-CN": "标注中的 (词:1.3)、(词) 和 [词] 像 WebUI 一样表示权重。关闭时括号只是普通文字。",
    },
  }),
  clip_skip: optionalInt({
    default: null,
    zeroIsNull: true,
    min: 1,
    max: 12,
    group: "text",
    label: { en: "Clip skip", "zh-CN": "Clip skip" },
    hint: {
      en: "2 for anime models that were made that way; otherwise empty. Leave empty on SD 2.x.",
      "zh-CN": "以此方式训练的二次元模型用 2；其他情况留空。SD 2.x 请留空。",
    },
  }),
};
