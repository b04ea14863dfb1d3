import { choice } from "../parameter.ts";

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
};
