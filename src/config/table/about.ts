import { bool, text, type ConfigValues, type Parameter } from "../parameter.ts";

const writesSettings = (values: ConfigValues): boolean => values["training_kind"] !== "textual_inversion";

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
