import type { SameCodes } from "./coded-en.ts";

const damaged = "请重新下载或导出这个文件。";

export const codedZhCN = {
  errors: {
    "gpu.none": { what: "没有找到可用的显卡。", do: "请使用支持 WebGPU 的浏览器，并更新显卡驱动。" },
    "gpu.limit": {
      what: "当前显卡的 {limit} 为 {offered}，至少需要 {needed}。",
      do: "换一个浏览器、更新驱动或换用其他显卡，可能会提高。",
    },
    "gpu.outOfMemory": {
      what: "分配 {what}（{bytes:bytes}）时显存不足。",
      do: "请关闭其他程序，打开 gradient_checkpointing，或降低分辨率、批量大小、network_dim。最近的检查点已保留。",
    },
    "gpu.bindingTooLarge": {
      what: "{tensor} 需要一整块 {bytes:bytes}，而当前显卡最多允许 {limit:bytes}。",
      do: "请减小 train_batch_size 或分辨率。",
    },
    "gpu.deviceLost": {
      what: "显卡驱动反复重启。",
      do: "最近的检查点已保留。请关闭其他占用显卡的程序，或降低分辨率、批量大小，然后继续。",
    },
    "gpu.shader": { what: "显卡驱动拒绝了程序 {kernel}。", do: "请更新驱动或换一个浏览器，并附上下方的详细信息反馈。" },
    "train.notFinite": {
      what: "第 {step} 步损失变为无效值，训练已停止。",
      do: "最近的正常检查点已保留。常见原因是学习率过高：请减半后重新开始。",
    },
    "run.otherTab": { what: "另一个标签页正在训练。", do: "请等它结束，或暂停并关闭那个标签页，然后在这里开始。" },
    "run.busy": { what: "此标签页中已有训练在进行。", do: "请先停止它，再开始新的训练。" },
    "run.unknown": { what: "这次训练的记录已不在本机。", do: "请重新设置。" },
    "run.nothingToKeep": { what: "这次训练还没有检查点。", do: "请重新开始。" },
    "storage.full": {
      what: "浏览器的存储空间已满，无法继续保存。",
      do: "请清理磁盘，或在下方删除之前的训练。已保存的内容不会丢失。",
    },
    "storage.unavailable": { what: "这个窗口无法保存数据。", do: "可以训练，但刷新页面会丢失进度。请使用普通窗口（非隐私窗口）。" },
    "storage.failed": { what: "浏览器无法保存训练状态。", do: "训练仍在继续，结束前请不要刷新页面。" },
    "model.copyGone": { what: "浏览器已删除模型副本。", do: "请重新选择文件。" },
    "file.unreadable": { what: "无法继续读取 {file}。", do: "选择之后它被移动、修改或删除了。请重新选择。" },
    "safetensors.tooShort": { what: "{file} 太短，不是 safetensors 文件。", do: damaged },
    "safetensors.headerTooLarge": {
      what: "{file} 不是 safetensors 文件，或文件头已损坏。",
      do: "请选择 .safetensors 模型；.ckpt 文件需要先转换。",
    },
    "safetensors.truncated": { what: "{file} 不完整，缺少一部分内容。", do: damaged },
    "safetensors.headerUtf8": { what: "{file} 的文件头不是文本。", do: damaged },
    "safetensors.headerJson": { what: "无法读取 {file} 的文件头。", do: damaged },
    "safetensors.duplicateKey": { what: "{file} 中 {key} 出现了两次。", do: damaged },
    "safetensors.metadata": { what: "{file} 的元数据格式有误。", do: damaged },
    "safetensors.entry": { what: "{file} 对张量 {tensor} 的描述不完整。", do: damaged },
    "safetensors.dtype": { what: "{file} 中 {tensor} 使用了未知格式 {dtype}。", do: damaged },
    "safetensors.size": { what: "{file} 中 {tensor} 的大小与形状不符。", do: damaged },
    "safetensors.offsets": { what: "{file} 中 {tensor} 的位置有误。", do: damaged },
    "safetensors.overlap": { what: "{file} 中 {tensor} 的数据与其他张量重叠。", do: damaged },
    "safetensors.trailing": { what: "{file} 在最后一个张量之后还有多余内容。", do: damaged },
    "checkpoint.missingTensors": { what: "{file} 缺少模型的 {count} 个张量：{tensors}", do: damaged },
    "checkpoint.wrongShape": {
      what: "{file} 中有 {count} 个张量的形状不匹配：{tensors}",
      do: "它的结构与 Stable Diffusion 1、2 不同，或者文件已损坏。请选择其他模型。",
    },
  },
  problem: {},
  advice: {},
  rule: {
    "config.conflict.network_train_unet_only": "network_train_text_encoder_only 也打开了，没有可训练的部分。请关闭其中一个。",
    "config.conflict.lr_warmup_steps": "constant 没有预热。请设为 0，或选择 constant_with_warmup。",
    "config.conflict.resolution": "不分桶时两边都必须是 64 的倍数。请换一个尺寸，或打开 enable_bucket。",
    "config.conflict.min_bucket_reso": "不能小于 bucket_reso_steps，也不能大于分辨率的短边。",
    "config.conflict.max_bucket_reso": "不能小于分辨率的长边。",
    "config.range.caption_extension": "必须是 .txt 这样的文件扩展名。",
    "config.range.output_name": "必须是不含文件夹的文件名。",
  },
  log: {
    "run.deviceLost": "显卡驱动重启了，正从第 {step} 步继续。",
    "run.resultNotStored": "训练好的 LoRA 无法保存在这里（{reason}）。关闭标签页之前请先下载。",
    "storage.full": "浏览器空间不足。训练继续进行，但不再写入检查点；已保存的内容不会丢失。",
    "storage.failed": "无法保存训练状态。训练继续进行，结束前请不要刷新页面。",
    "storage.unavailable": "这个窗口无法保存数据。训练继续进行，但刷新页面会丢失进度。",
  },
} satisfies SameCodes;
