import { float, optionalInt, type ConfigValues } from "../parameter.ts";

const isValidated = (values: ConfigValues): boolean => values["validation_split"] !== 0;

export const validationParameters = {
  validation_split: float({
    default: 0,
    min: 0,
    max: 0.9,
    group: "validation",
    label: { en: "Pictures held out", "zh-CN": "验证集比例" },
    hint: {
      en: "This share of each folder is not trained on but tested with; its loss tells over- from underfitting. 0.1 of 20 pictures or more.",
      "zh-CN": "每个文件夹按这个比例留出图片，不参与训练，只用来测试，从其损失看出欠拟合或过拟合。20 张以上时可用 0.1。",
    },
    more: {
      en: "Rounded down in each folder, so small folders lose none. While the loss of these pictures falls, the LoRA still "
        + "learns what they have in common with the others; where it rises while the training loss falls, it learns the "
        + "pictures by heart. They are always tested with the same noise, so the curve is far smoother than the training loss. "
        + "With few pictures, train on all of them and judge by samples.",
      "zh-CN": "在每个文件夹内向下取整，小文件夹不会减少。这些图片的损失下降，说明 LoRA 仍在学习共同的特征；训练损失下降而它上升，"
        + "说明模型在死记训练图片。测试总用相同的噪声，因此曲线比训练损失平滑得多。图片很少时请全部用于训练，通过预览图判断。",
    },
  }),
  validation_seed: optionalInt({
    default: null,
    min: 0,
    max: 0xffff_ffff,
    group: "validation",
    when: isValidated,
    label: { en: "Seed of the validation", "zh-CN": "验证随机种子" },
    hint: {
      en: "Chooses the pictures that are held out, and the noise that they are tested with. Empty takes the run's seed.",
      "zh-CN": "决定留出哪些图片，以及测试所用的噪声。留空则使用训练的种子。",
    },
    more: {
      en: "Set it to hold out the same pictures in runs with other seeds; with it, they are also the ones that sd-scripts holds out.",
      "zh-CN": "设置后，不同训练种子也会留出相同的图片，并且与 sd-scripts 留出的图片一致。",
    },
  }),
  validate_every_n_epochs: optionalInt({
    default: null,
    zeroIsNull: true,
    min: 1,
    max: 100_000,
    group: "validation",
    when: isValidated,
    label: { en: "Validate every … epochs", "zh-CN": "每几轮验证一次" },
    hint: {
      en: "Empty: after every epoch.",
      "zh-CN": "留空则每轮之后都验证。",
    },
    more: {
      en: "A validation takes about as long as four times its pictures in training without their backward pass. It changes nothing in the run.",
      "zh-CN": "一次验证的时间约为这些图片各做四次前向计算。验证不会影响训练结果。",
    },
  }),
  validate_every_n_steps: optionalInt({
    default: null,
    zeroIsNull: true,
    min: 1,
    group: "validation",
    when: isValidated,
    label: { en: "Validate every … steps, too", "zh-CN": "另外每几步验证一次" },
    hint: {
      en: "For runs whose epochs are long; in addition to the epochs.",
      "zh-CN": "适合每轮很长的训练；在按轮验证之外进行。",
    },
    more: {
      en: "To validate by steps alone, give a number of epochs that the run does not reach.",
      "zh-CN": "若只想按步数验证，请把轮数设为一个达不到的值。",
    },
  }),
  max_validation_steps: optionalInt({
    default: null,
    zeroIsNull: true,
    min: 1,
    group: "validation",
    when: isValidated,
    label: { en: "Batches to validate with", "zh-CN": "验证批次上限" },
    hint: {
      en: "At most so many batches, each at four levels of noise. Empty takes all pictures that are held out.",
      "zh-CN": "最多使用这么多批次，每批在四个噪声强度下测试。留空则用全部留出的图片。",
    },
    more: {
      en: "For large sets, where a validation would take longer than what it tells is worth. The batches are the same each time.",
      "zh-CN": "图片很多、验证耗时过长时使用。每次验证都用相同的批次。",
    },
  }),
};
