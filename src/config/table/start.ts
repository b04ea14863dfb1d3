import { bool, list, text, type ConfigValues } from "../parameter.ts";

const hasFile = (values: ConfigValues): boolean => values["network_weights"] !== "";
const hasBase = (values: ConfigValues): boolean => Array.isArray(values["base_weights"]) && values["base_weights"].length > 0;

/** Files that a network starts from, and files that the model is changed by before. */
export const startParameters = {
  network_weights: text({
    default: "",
    group: "network",
    label: { en: "LoRA to go on from", "zh-CN": "继续训练的 LoRA" },
    hint: {
      en: "A LoRA file whose values this network begins with. Empty begins anew.",
      "zh-CN": "网络以这个 LoRA 文件的数值作为起点。留空则从头开始。",
    },
    more: {
      en: "The file must be of the same kind and rank as this network, unless the ranks are taken from it. Layers that only one "
        + "of them has are named in the log: they begin anew, or are left out. Optimizer and learning rate begin anew; to continue a run of "
        + "this program exactly, resume the run itself. As in sd-scripts, training scales with the alpha set here, and the finished "
        + "file says the alpha of this one: set the same.",
      "zh-CN": "除非从文件中取秩，否则文件的类型和秩须与此网络相同。只有一方才有的层会列在日志中：它们从头开始，或被舍去。"
        + "优化器和学习率重新开始；若要原样继续本程序的一次训练，请恢复那次训练。与 sd-scripts 相同，训练时按这里设定的 Alpha 缩放，"
        + "而完成的文件写入原文件的 Alpha：请设为相同的值。",
    },
  }),
  dim_from_weights: bool({
    default: false,
    group: "network",
    label: { en: "Ranks from that file", "zh-CN": "秩取自该文件" },
    hint: {
      en: "Layers, ranks and alphas are those of the file, layer by layer. The ranks set here do not count.",
      "zh-CN": "要训练的层、秩和 Alpha 逐层取自文件。这里设定的秩不起作用。",
    },
    more: {
      en: "For files whose layers differ in rank, such as resized ones, or where the rank is not known. As in sd-scripts, what the "
        + "file does not hold is not trained, and ranks, alphas, dropout and LoRA+ of the settings have no effect; of LyCORIS' files "
        + "the algorithm counts, too.",
      "zh-CN": "适合各层秩不同的文件（如调整过大小的 LoRA），或不知道秩的情况。与 sd-scripts 相同，文件中没有的层不训练，"
        + "设置中的秩、Alpha、Dropout 和 LoRA+ 不起作用；LyCORIS 文件的算法也取自文件。",
    },
    when: hasFile,
  }),
  base_weights: list({
    default: [],
    group: "network",
    label: { en: "LoRAs in the base model", "zh-CN": "并入底模的 LoRA" },
    hint: {
      en: "LoRA files that are merged into the model before training. The model's own file stays as it is.",
      "zh-CN": "训练前合并进模型的 LoRA 文件。模型文件本身不变。",
    },
    more: {
      en: "What these files do is then part of the model: the new LoRA learns only what is missing, and later wants the same files "
        + "beside it. Samples show the model with them. As in sd-scripts, a network without convolutions then also trains the linear layers of the residual "
        + "blocks. LoRA, LoCon, LoHa, LoKr, DoRA and full differences can be merged.",
      "zh-CN": "这些文件的效果成为模型的一部分：新的 LoRA 只学习缺少的内容，以后使用时也需要同样的文件。样图显示的是合并后的模型。"
        + "与 sd-scripts 相同，此时不含卷积的网络也会训练残差块中的线性层。可以合并 LoRA、LoCon、LoHa、LoKr、DoRA 和完整差值。",
    },
  }),
  base_weights_multiplier: list({
    default: [],
    isNumeric: true,
    group: "network",
    label: { en: "Their strengths", "zh-CN": "它们的强度" },
    hint: {
      en: "One number for each of these files, in their order. Missing ones are 1.",
      "zh-CN": "按顺序为每个文件指定一个数值。缺少的为 1。",
    },
    more: {
      en: "0.5 merges half of what a file does, a negative number the opposite. Numbers beyond the files count for nothing.",
      "zh-CN": "0.5 只合并一半的效果，负数则合并相反的效果。多出的数值不起作用。",
    },
    when: hasBase,
  }),
};
