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
    more: {
      en: "a.png has its caption in a.txt. Where no file has this ending, .txt and .caption are tried. sd-scripts "
        + "means .caption where nothing is set, kohya_ss .txt.",
      "zh-CN": "a.png 的标注在 a.txt 中。如果没有这种扩展名的文件，会尝试 .txt 和 .caption。未设置时，"
        + "sd-scripts 默认 .caption，kohya_ss 默认 .txt。",
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
    more: {
      en: "It counts tags, that is, what stands between commas, and not words or tokens. When tags are shuffled, "
        + "what always stands first gathers what the others do not explain, so put the trigger word there and keep "
        + "it.",
      "zh-CN": "按标签（逗号之间的内容）计数，而不是单词或 token。打乱标签时，固定在最前面的标签会吸收其他标签解释不了的特征，"
        + "所以应把触发词放在开头并保留。",
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
    more: {
      en: "Sets of tags may then differ in how many stay: “sls, 1girl ||| smile, park” keeps two. The fence itself "
        + "never reaches the model. Where it does not occur, the number of tags that stay decides.",
      "zh-CN": "这样每条标注可以保留不同数量的标签：“sls, 1girl ||| smile, park”保留前两个。"
        + "分隔符本身不会进入模型。标注中没有它时，按保留数量处理。",
    },
  }),
  caption_separator: text({
    default: ",",
    group: "text",
    label: { en: "Between tags", "zh-CN": "标签分隔符" },
    hint: { en: "What separates the tags of a caption.", "zh-CN": "标注中标签之间的分隔符。" },
    more: {
      en: "Tags are split at it and joined again by it, with a blank. Change it only where your captions are "
        + "written otherwise; after dropping or shuffling, sd-scripts joins with a comma in any case, and so does "
        + "Lorasmith.",
      "zh-CN": "标签按它拆分。只有标注使用其他写法时才需要修改；打乱或丢弃之后，sd-scripts 一律用逗号重新连接，这里也一样。",
    },
  }),
  secondary_separator: text({
    default: "",
    group: "text",
    label: { en: "Inside of a group of tags", "zh-CN": "组内分隔符" },
    hint: {
      en: "For example ;;;: tags joined by it move and drop together, and it becomes the usual separator at the end.",
      "zh-CN": "例如 ;;;：用它连接的标签会一起移动或丢弃，最后它会被替换成普通分隔符。",
    },
    more: {
      en: "“blue eyes;;;long hair” then counts as one tag for shuffling, dropping and keeping, and reaches the "
        + "model as “blue eyes,long hair”. For features that always come together.",
      "zh-CN": "“blue eyes;;;long hair”在打乱、丢弃和保留时算作一个标签，"
        + "最后以“blue eyes,long hair”进入模型。适合总是同时出现的特征。",
    },
  }),
  caption_prefix: text({
    default: "",
    group: "text",
    label: { en: "Before every caption", "zh-CN": "标注前缀" },
    hint: { en: "Put before each caption, with a blank between.", "zh-CN": "加在每条标注前面，中间隔一个空格。" },
    more: {
      en: "A way to give all pictures a trigger word without touching their files: “sls,” puts it in front. It "
        + "counts among the tags that stay first. Of captions with several lines only the first gets it.",
      "zh-CN": "不改动文件就能给所有图片加上触发词，例如“sls,”。它计入保留在开头的标签。多行标注中只有第一行会加上。",
    },
  }),
  caption_suffix: text({
    default: "",
    group: "text",
    label: { en: "Behind every caption", "zh-CN": "标注后缀" },
    hint: { en: "Put behind each caption, with a blank between.", "zh-CN": "加在每条标注后面，中间隔一个空格。" },
    more: {
      en: "For what all pictures share and the LoRA shall not learn as its own, such as “white background”. "
        + "Without shuffling it stays last; of captions with several lines only the last gets it.",
      "zh-CN": "适合所有图片共有、又不希望 LoRA 当作自身特征的内容，例如“white background”。不打乱时位于末尾；"
        + "多行标注中只有最后一行会加上。",
    },
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
    more: {
      en: "A picture without words teaches what all of them have in common, whatever is asked for, and keeps the "
        + "model able to draw without a prompt, which guidance relies on. For a subject with a name it blurs the "
        + "name; leave it at 0 there.",
      "zh-CN": "没有文字的图片教的是所有图片的共同点，与提示词无关；它也保持模型在无提示词时的能力，而 CFG 正依赖于此。"
        + "训练有名字的主题时会削弱名字的作用，应保持 0。",
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
    more: {
      en: "With 5, the epochs 5, 10, 15 and so on show all pictures without their captions. It drops in blocks "
        + "what the rate above drops here and there; one of the two is enough.",
      "zh-CN": "填 5 时，第 5、10、15 等轮的图片全部不带标注。上面的比例是零散地丢弃，这里则整轮丢弃；两者用一个就够了。",
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
    more: {
      en: "Each tag then has to do without the others at times, so that features do not grow together: a dress can "
        + "be drawn without the hair that it was always seen with. 0.05 to 0.2; more makes tags unreliable.",
      "zh-CN": "每个标签有时要在缺少其他标签的情况下学习，避免特征绑在一起：衣服不必总和当时的发型一起出现。取 0.05 到 0.2；"
        + "过大会使标签不可靠。",
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
    more: {
      en: "Several ways of saying the same keep the LoRA from hanging on one wording. Alternatives stand in braces "
        + "with | between; {{ and }} are braces themselves. Without it only the first line of a caption is read.",
      "zh-CN": "同一内容用多种说法，可避免 LoRA 依赖某种固定措辞。备选项写在花括号里，用 | 分隔；{{ 和 }} 表示花括号本身。"
        + "关闭时只读标注的第一行。",
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
    more: {
      en: "The first tags, usually the most important, are learned on their own before the rest explains things "
        + "away. Tags that stay first are there from the beginning. Shuffling picks among those that are in.",
      "zh-CN": "最前面（通常最重要）的标签先单独学习，再由其余标签分担。保留在开头的标签从一开始就在。打乱只在已加入的标签之间进行。",
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
    more: {
      en: "Counted among the tags that do not stay first anyway. From this number the captions grow evenly to all "
        + "of their tags.",
      "zh-CN": "不包括本来就保留在开头的标签。标注从这个数量均匀增加到全部标签。",
    },
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
    more: {
      en: "( ) is 1.1 times as much, [ ] is 1.1 times less, \\( is a bracket itself. The weights multiply what the "
        + "text encoder gives for the word, without evening out the rest as the web UI does. Captions from booru "
        + "tags often have brackets in their names: leave this off for them or escape them.",
      "zh-CN": "( ) 为 1.1 倍，[ ] 为除以 1.1，\\( 表示括号本身。权重直接乘到该词的编码上，"
        + "不像 WebUI 那样再整体均衡。booru 标签的名字常带括号：这时应关闭此项，或对括号转义。",
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
    more: {
      en: "2 takes the text encoder's last layer but one. What counts is how the base model was trained: many "
        + "anime models with 2, realistic ones with 1. Make pictures with the same number. SD 2 is built on the "
        + "layer before the last already.",
      "zh-CN": "2 表示取文本编码器的倒数第二层。取决于底模的训练方式：许多二次元模型用 2，写实模型用 1。生成图片时也要用相同的值。"
        + "SD 2 本身已经使用倒数第二层。",
    },
  }),
};
