import { bool, text } from "../parameter.ts";

export const modelParameters = {
  pretrained_model_name_or_path: text({
    default: "",
    group: "model",
    label: { en: "Base model", "zh-CN": "底模" },
    hint: {
      en: "A Stable Diffusion 1.x or 2.x checkpoint (.safetensors). It stays where it is.",
      "zh-CN": "Stable Diffusion 1.x 或 2.x 的检查点（.safetensors）。文件留在原处，不会被复制。",
    },
    more: {
      en: "The LoRA learns differences from this model and works best on it and on its close relatives.",
      "zh-CN": "LoRA 学到的是相对这个模型的差异，在它和它的近亲模型上效果最好。",
    },
  }),
  v2: bool({
    default: false,
    group: "model",
    label: { en: "Stable Diffusion 2.x", "zh-CN": "SD 2.x 模型" },
    hint: {
      en: "Read from the checkpoint; on for SD 2.0 and 2.1.",
      "zh-CN": "从检查点读出；SD 2.0 和 2.1 为开。",
    },
    more: {
      en: "Stable Diffusion 2 has a larger text encoder and another tokenizer, so a LoRA of one family does "
        + "nothing useful in the other. The file's tensors tell which it is; a setting that contradicts them is "
        + "refused.",
      "zh-CN": "SD 2 使用更大的文本编码器和不同的分词，两个系列的 LoRA 不能混用。文件中的张量就能说明是哪一种；"
        + "与之矛盾的设置会被拒绝。",
    },
  }),
  v_parameterization: bool({
    default: false,
    group: "model",
    label: { en: "v-prediction", "zh-CN": "v 预测" },
    hint: {
      en: "On for the 768-pixel SD 2.x models, off for nearly all others.",
      "zh-CN": "SD 2.x 的 768 像素模型要开，其他模型几乎都要关。",
    },
    more: {
      en: "What the network predicts is not written in the file's tensors. "
        + "The wrong answer trains a LoRA that gives noise.",
      "zh-CN": "网络预测的是什么并没有写在文件的张量里。选错了，练出来的 LoRA 只会产生噪点。",
    },
  }),
};
