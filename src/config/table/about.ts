import { bool, text, type ConfigValues, type Parameter } from "../parameter.ts";

const writesSettings = (values: ConfigValues): boolean => values["training_kind"] !== "textual_inversion" && values["training_kind"] !== "full";

const about = (words: Pick<Parameter, "label" | "hint" | "more">): Parameter<string> => text({ default: "", group: "output", ...words });

/** What a file says of itself (the modelspec standard), for programs that list models. */
export const aboutParameters = {
  metadata_title: about({
    label: { en: "Title", "zh-CN": "标题" },
    hint: { en: "Name of the model in lists. Empty: the file name.", "zh-CN": "模型列表中显示的名称。留空则用文件名。" },
    more: {
      en: "Written as modelspec.title, which programs show instead of the file's name where they know the standard.",
      "zh-CN": "写入 modelspec.title；支持该标准的程序会用它代替文件名显示。",
    },
  }),
  metadata_author: about({
    label: { en: "Author", "zh-CN": "作者" },
    hint: { en: "Who made it.", "zh-CN": "制作者。" },
    more: { en: "Written as modelspec.author, and left out where it is empty. Web pages that share models show it.", "zh-CN": "写入 modelspec.author，留空则不写。分享模型的网站会显示它。" },
  }),
  metadata_description: about({
    label: { en: "Description", "zh-CN": "说明" },
    hint: { en: "What it is for.", "zh-CN": "用途说明。" },
    more: {
      en: "Written as modelspec.description; good things to say are the subject, the words that call it and the best strength.",
      "zh-CN": "写入 modelspec.description；宜写明主题、触发词和合适的强度。",
    },
  }),
  metadata_license: about({
    label: { en: "Licence", "zh-CN": "许可协议" },
    hint: { en: "What others may do with it, for example CC-BY-4.0.", "zh-CN": "他人可以如何使用，例如 CC-BY-4.0。" },
    more: {
      en: "Written as modelspec.license. The licence of the base model holds for what is made from it as well.",
      "zh-CN": "写入 modelspec.license。底模的许可协议对由它制作的内容同样有效。",
    },
  }),
  metadata_tags: about({
    label: { en: "Tags of the model", "zh-CN": "模型标签" },
    hint: { en: "Words to find it by, with commas.", "zh-CN": "便于查找的词，用逗号分隔。" },
    more: { en: "Written as modelspec.tags. They are not the tags of the captions.", "zh-CN": "写入 modelspec.tags。与标注中的标签无关。" },
  }),
  metadata_usage_hint: about({
    label: { en: "Usage hint", "zh-CN": "使用提示" },
    hint: { en: "A few words on how to use it, for example: strength 0.7, with short prompts.", "zh-CN": "简短的用法，例如：强度 0.7，提示词宜短。" },
    more: {
      en: "Written as modelspec.usage_hint. Programs show it beside the model, so it should be shorter than the description.",
      "zh-CN": "写入 modelspec.usage_hint。程序会在模型旁显示它，应比说明更短。",
    },
  }),
  metadata_trigger_phrase: about({
    label: { en: "Trigger phrase", "zh-CN": "触发词" },
    hint: { en: "The words in a prompt that call it.", "zh-CN": "在提示词中唤出它的词。" },
    more: {
      en: "Written as modelspec.trigger_phrase, for people to read: it is not put into captions or prompts. The words that the captions really have in common are the ones that work.",
      "zh-CN": "写入 modelspec.trigger_phrase，供人阅读：不会加进标注或提示词。真正有效的是各标注中共有的那些词。",
    },
  }),
  metadata_thumbnail: about({
    label: { en: "Thumbnail", "zh-CN": "缩略图" },
    hint: {
      en: "A small picture as text: data:image/jpeg;base64,… The command line takes a picture's path as well.",
      "zh-CN": "文本形式的小图：data:image/jpeg;base64,…。命令行也可以填图片路径。",
    },
    more: {
      en: "Written as modelspec.thumbnail: the picture lies within the file and travels with it. Keep it to a few dozen kilobytes, since programs read it whenever they list models. It is no part of presets and links.",
      "zh-CN": "写入 modelspec.thumbnail：图片存在文件里，随文件一起走。宜控制在几十 KB 以内，因为程序每次列出模型都会读取它。预设和分享链接不含此图。",
    },
  }),
  metadata_preprocessor: about({
    label: { en: "Preprocessor", "zh-CN": "预处理器" },
    hint: { en: "What pictures have to go through before the model sees them; rarely needed.", "zh-CN": "图片在送入模型前须经过的处理；很少用到。" },
    more: {
      en: "Written as modelspec.preprocessor. The standard has it for models that are steered by pictures; the training does not look at it.",
      "zh-CN": "写入 modelspec.preprocessor。该标准为由图片控制的模型而设；训练不使用它。",
    },
  }),
  metadata_is_negative_embedding: about({
    label: { en: "For the negative prompt", "zh-CN": "用于负面提示词" },
    hint: { en: "For an embedding of what pictures should not have: true.", "zh-CN": "如果是表示不想要的内容的嵌入，填 true。" },
    more: {
      en: "Written as modelspec.is_negative_embedding, word for word. Programs that know it offer the embedding for the negative prompt. Empty says nothing.",
      "zh-CN": "原样写入 modelspec.is_negative_embedding。支持它的程序会把该嵌入用于负面提示词。留空则不写。",
    },
  }),
  metadata_merged_from: about({
    label: { en: "Merged from", "zh-CN": "合并来源" },
    hint: { en: "Models that the base model was made of, with commas.", "zh-CN": "底模由哪些模型合并而成，用逗号分隔。" },
    more: {
      en: "Written as modelspec.merged_from. Nothing is merged here; it keeps the names of what went into a merged base model.",
      "zh-CN": "写入 modelspec.merged_from。这里不会合并任何模型，只记下合并底模所用模型的名称。",
    },
  }),
  no_metadata: bool({
    default: false,
    group: "output",
    label: { en: "Leave the settings out of the file", "zh-CN": "文件中不写训练设置" },
    hint: {
      en: "Nobody can then read how it was made, nor can you.",
      "zh-CN": "之后谁也看不到它是怎样练成的，包括你自己。",
    },
    more: {
      en: "What programs need to use the file stays: base model, rank, alpha, arguments of the network and the texts above. Names of folders and counts of tags are among what goes.",
      "zh-CN": "使用文件所需的信息会保留：底模类型、秩、Alpha、网络参数和上面的文字。文件夹名和标签统计等不再写入。",
    },
    when: writesSettings,
  }),
};
