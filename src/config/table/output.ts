import { optionalChoice, text } from "../parameter.ts";

export const outputParameters = {
  output_name: text({
    default: "last",
    group: "output",
    label: { en: "File name", "zh-CN": "文件名" },
    hint: {
      en: "Without .safetensors. It is also the name in the <lora:…> tag.",
      "zh-CN": "不含 .safetensors。它也是 <lora:…> 标签里的名字。",
    },
  }),
  save_precision: optionalChoice({
    choices: ["float", "fp16", "bf16"],
    default: null,
    suggested: "fp16",
    group: "output",
    label: { en: "Number format in the file", "zh-CN": "保存精度" },
    hint: {
      en: "fp16 halves the file with no visible difference. Empty keeps 32 bits.",
      "zh-CN": "fp16 使文件减半，看不出差别。留空则保留 32 位。",
    },
  }),
  training_comment: text({
    default: "",
    group: "output",
    label: { en: "Comment", "zh-CN": "备注" },
    hint: {
      en: "Written into the file's metadata, for example the trigger word.",
      "zh-CN": "写入文件的元数据，例如触发词。",
    },
  }),
};
