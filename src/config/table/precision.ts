import { bool, choice } from "../parameter.ts";

export const precisionParameters = {
  mixed_precision: choice({
    choices: ["no", "fp16", "bf16"],
    default: "no",
    group: "training",
    label: { en: "Mixed precision", "zh-CN": "混合精度" },
    hint: {
      en: "fp16 or bf16 halves the memory of activations. What is trained stays in 32 bits.",
      "zh-CN": "fp16 或 bf16 使激活值占用的显存减半。训练出的权重仍为 32 位。",
    },
    more: {
      en: "Every layer still computes in 32 bits; only what it hands on is stored in 16, so any GPU can do it, and larger "
        + "batches and pictures fit. fp16 keeps 11 significant bits; its gradients are scaled, and the few updates that overflow "
        + "are left out and told in the log. bf16 keeps 8 and needs no scaling. Pick fp16 where memory is short, and bf16 if a "
        + "run in fp16 becomes invalid.",
      "zh-CN": "每一层仍以 32 位计算，只有传给下一层的结果以 16 位存放，因此任何显卡都能用，批量和图片也可以更大。fp16 保留 11 位有效数字，梯度会先放大，"
        + "少数溢出的更新会跳过并写入日志。bf16 保留 8 位有效数字，不需要放大。显存不足时选 fp16；如果用 fp16 训练出现无效数值，就换成 bf16。",
    },
  }),
  fp8_base: bool({
    default: false,
    group: "training",
    label: { en: "Base model in fp8", "zh-CN": "底模用 fp8" },
    hint: {
      en: "Halves the memory of the frozen weights. The base model becomes a little coarser.",
      "zh-CN": "使冻结权重占用的显存减半，底模会稍微变粗糙。",
    },
    more: {
      en: "Matrices and convolutions of UNet and text encoder are kept in 8 bits (float8_e4m3fn, 4 significant bits) instead of 16, "
        + "and widened where they are used. Norms, biases and token vectors stay as they are. The LoRA also learns to make up for the "
        + "rounding, which it need not do later, so use this only where memory is short. sd-scripts wants mixed_precision with it.",
      "zh-CN": "UNet 和文本编码器的矩阵与卷积以 8 位（float8_e4m3fn，4 位有效数字）代替 16 位存放，使用时再展开。归一化、偏置和词向量不变。"
        + "LoRA 也会去弥补舍入误差，而以后使用时并不需要，所以只在显存不足时使用。sd-scripts 要求同时开启 mixed_precision。",
    },
  }),
};
