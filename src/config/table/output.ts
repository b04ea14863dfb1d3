import { bool, choice, optionalChoice, optionalInt, text } from "../parameter.ts";

export const outputParameters = {
  output_name: text({
    default: "last",
    group: "output",
    label: { en: "File name", "zh-CN": "文件名" },
    hint: {
      en: "Without an ending such as .safetensors. It is also the name in the <lora:…> tag.",
      "zh-CN": "不含 .safetensors 等扩展名。它也是 <lora:…> 标签里的名字。",
    },
    more: {
      en: "Files on the way have it in front: name-000001.safetensors. Something that tells runs apart later, such "
        + "as subject and version, saves confusion; the settings themselves are in the file.",
      "zh-CN": "训练途中的文件也以它开头：名字-000001.safetensors。用能区分各次训练的名字（如主题加版本），以后不易混淆；"
        + "各项设置本身已写在文件里。",
    },
  }),
  save_model_as: choice({
    choices: ["safetensors", "pt", "ckpt"],
    default: "safetensors",
    aliases: { "": "safetensors", diffusers: "safetensors", diffusers_safetensors: "safetensors", "same as source model": "safetensors" },
    group: "output",
    label: { en: "File format", "zh-CN": "文件格式" },
    hint: {
      en: "safetensors holds the settings too and opens everywhere. pt and ckpt are PyTorch's old format.",
      "zh-CN": "safetensors 还能存放各项设置，到处都能打开。pt 和 ckpt 是 PyTorch 的旧格式。",
    },
    more: {
      en: "pt and ckpt are the same file under two endings, for programs that read nothing else: the numbers alone, without the settings, the texts about the file and the hashes. An embedding is written as the webui writes its own.",
      "zh-CN": "pt 和 ckpt 是同一种文件的两种扩展名，供只能读取它们的程序使用：只有数值，没有各项设置、关于文件的文字和哈希。嵌入按 webui 自己的写法保存。",
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
    more: {
      en: "Training itself always keeps 32 bits. bf16 has a wider range and coarser steps than fp16, which a LoRA "
        + "does not need; programs of all kinds read fp16.",
      "zh-CN": "训练本身始终使用 32 位。bf16 范围更大但更粗糙，LoRA 用不到；各种程序都能读 fp16。",
    },
  }),
  save_every_n_epochs: optionalInt({
    default: null,
    suggested: 1,
    zeroIsNull: true,
    min: 1,
    group: "output",
    label: { en: "Save every … epochs", "zh-CN": "每几轮保存一次" },
    hint: {
      en: "Files to compare with the result. Empty saves none by epochs.",
      "zh-CN": "供与最终结果对比的文件。留空则不按轮保存。",
    },
    more: {
      en: "The best LoRA is often not the last one: where late epochs repeat the training pictures, an earlier file is the better one. Named -000001, -000002 and so on; the last epoch is the result itself. Each is as large as the result.",
      "zh-CN": "最好的 LoRA 往往不是最后一轮：如果后面几轮开始照搬训练图片，较早的文件会更好。文件名以 -000001、-000002 等结尾，最后一轮就是最终结果。每个文件与最终结果一样大。",
    },
  }),
  save_last_n_epochs: optionalInt({
    default: null,
    zeroIsNull: true,
    min: 1,
    group: "output",
    label: { en: "Epoch files to keep", "zh-CN": "保留的轮次文件数" },
    hint: {
      en: "Older ones are deleted while the run goes on. Empty keeps all.",
      "zh-CN": "训练中会删除更早的文件。留空则全部保留。",
    },
    more: {
      en: "The number of files: 3 keeps the last three, however many epochs lie between them. The result itself is never deleted.",
      "zh-CN": "指文件的个数：填 3 就保留最近三个，与中间隔几轮无关。最终结果不会被删除。",
    },
    when: (values) => values["save_every_n_epochs"] !== null,
  }),
  save_every_n_steps: optionalInt({
    default: null,
    zeroIsNull: true,
    min: 1,
    group: "output",
    label: { en: "Save every … steps", "zh-CN": "每几步保存一次" },
    hint: {
      en: "For runs whose epochs are long. It comes on top of saving by epochs.",
      "zh-CN": "适合每轮很长的训练，与按轮保存同时有效。",
    },
    more: {
      en: "Named -step00000100 and so on. In a run that learns in a few hundred steps, epochs may be too coarse to "
        + "catch the best moment.",
      "zh-CN": "文件名以 -step00000100 等结尾。如果几百步就能学会，按轮保存可能太粗，错过最好的时刻。",
    },
  }),
  save_last_n_steps: optionalInt({
    default: null,
    zeroIsNull: true,
    min: 1,
    group: "output",
    label: { en: "Keep files of the last … steps", "zh-CN": "保留最近多少步的文件" },
    hint: {
      en: "Counted in steps, not files. Empty keeps all.",
      "zh-CN": "按步数计算，不是文件数。留空则全部保留。",
    },
    more: {
      en: "With a file every 100 steps, 500 keeps those of the last 500 steps and deletes what is older, each time "
        + "a new one is written.",
      "zh-CN": "每 100 步保存一次时，填 500 会保留最近 500 步的文件，每次写入新文件时删除更早的。",
    },
    when: (values) => values["save_every_n_steps"] !== null,
  }),
  save_state: bool({
    default: false,
    group: "output",
    label: { en: "Keep states", "zh-CN": "保存训练状态" },
    hint: {
      en: "Command line: with each file on the way and the result, a state to continue from. This page keeps the newest by itself.",
      "zh-CN": "命令行：每个途中文件和最终结果都附带一份可继续训练的状态。本页面会自动保留最新状态。",
    },
    more: {
      en: "A file name-000001.state.safetensors beside name-000001.safetensors, about three times as large as a LoRA of 32 bits: the weights, what the optimizer remembers and where the run stands. --resume continues from it as if the run had never stopped. They are this program's own, not sd-scripts' folders.",
      "zh-CN": "在 名字-000001.safetensors 旁边保存 名字-000001.state.safetensors，约为 32 位 LoRA 的三倍大：包括权重、优化器的记忆和训练进度。用 --resume 可从它继续，就像从未中断。这是本程序自己的格式，不是 sd-scripts 的文件夹。",
    },
  }),
  save_state_on_train_end: bool({
    default: false,
    group: "output",
    label: { en: "Keep the state at the end", "zh-CN": "结束时保存训练状态" },
    hint: {
      en: "Command line: the state of the finished run alone, to train it further.",
      "zh-CN": "命令行：只保存训练结束时的状态，以便以后继续训练。",
    },
    more: {
      en: "Written as name.state.safetensors, like --save-state. To go further, continue from it with a higher number of epochs or steps.",
      "zh-CN": "写为 名字.state.safetensors，与 --save-state 相同。要继续训练，请从它继续，并设置更多的轮数或步数。",
    },
    when: (values) => values["save_state"] !== true,
  }),
  save_last_n_epochs_state: optionalInt({
    default: null,
    zeroIsNull: true,
    min: 1,
    group: "output",
    label: { en: "Epoch states to keep", "zh-CN": "保留的轮次状态数" },
    hint: {
      en: "Older ones are deleted. Empty: as many as epoch files.",
      "zh-CN": "删除更早的状态。留空则与轮次文件数相同。",
    },
    more: {
      en: "States are large and only the newest are of use, so 1 or 2 with all files kept is a good choice. It counts states, however many epochs lie between them.",
      "zh-CN": "状态文件很大，而且只有最新的有用，所以宜保留全部文件而状态只留 1 或 2 个。按状态个数计算，与中间隔几轮无关。",
    },
    when: (values) => values["save_state"] === true && values["save_every_n_epochs"] !== null,
  }),
  save_last_n_steps_state: optionalInt({
    default: null,
    zeroIsNull: true,
    min: 1,
    group: "output",
    label: { en: "Keep states of the last … steps", "zh-CN": "保留最近多少步的状态" },
    hint: {
      en: "Counted in steps, not states. Empty: as for the files.",
      "zh-CN": "按步数计算，不是状态个数。留空则与文件相同。",
    },
    more: {
      en: "With a state every 100 steps, 100 keeps the newest and the one before. The same rule as for the files saved by steps.",
      "zh-CN": "每 100 步保存一次时，填 100 会保留最新的和前一个。规则与按步保存的文件相同。",
    },
    when: (values) => values["save_state"] === true && values["save_every_n_steps"] !== null,
  }),
  training_comment: text({
    default: "",
    group: "output",
    label: { en: "Comment", "zh-CN": "备注" },
    hint: {
      en: "Written into the file's metadata, for example the trigger word.",
      "zh-CN": "写入文件的元数据，例如触发词。",
    },
    more: {
      en: "It stands beside the settings that every file holds (ss_training_comment), is shown where the LoRA is "
        + "inspected or tried here, and has no part in the training.",
      "zh-CN": "它与文件自带的各项设置写在一起（ss_training_comment），在这里查看或试用 LoRA 时会显示，不影响训练。",
    },
  }),
};
