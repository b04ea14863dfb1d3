import { optionalInt, text } from "../parameter.ts";

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
