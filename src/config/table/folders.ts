import { bool, float, optionalChoice, size, text } from "../parameter.ts";

export const folderParameters = {
  train_data_dir: text({
    default: "",
    group: "folders",
    label: { en: "Training pictures", "zh-CN": "训练图片" },
    hint: {
      en: "A folder of pictures, or of folders such as “10_sls 1girl” (10 repeats).",
      "zh-CN": "图片文件夹，或者像“10_sls 1girl”（重复 10 次）这样的文件夹的上一级。",
    },
    more: {
      en: "10_sls 1girl means: each picture counts ten times per epoch, and “sls 1girl” is the caption of pictures "
        + "that have none. Choose the folder above such folders. Loose pictures count once. Pictures differ best "
        + "in everything but what is to be learned.",
      "zh-CN": "10_sls 1girl 的意思是：每张图每轮算十次，没有标注的图片用“sls 1girl”作标注。"
        + "请选择这类文件夹的上一级。零散的图片各算一次。除了要学的内容之外，图片的其他方面越多样越好。",
    },
  }),
  reg_data_dir: text({
    default: "",
    group: "folders",
    label: { en: "Regularization pictures", "zh-CN": "正则化图片" },
    hint: {
      en: "A folder of folders such as “1_1girl”: pictures of the class in general, so that it is not forgotten.",
      "zh-CN": "放有“1_1girl”这类文件夹的目录：该类别的普通图片，防止模型遗忘这个类别。",
    },
    more: {
      en: "They tell the model what it already knows, such as what other girls look like, so that the new name "
        + "does not take over the whole class. The same picture must not be on both sides. As many of them are "
        + "shown per epoch as training pictures with their repeats: with few they repeat, with many some are never "
        + "used.",
      "zh-CN": "它们告诉模型已有的知识（例如其他女孩的样子），避免新名字占据整个类别。同一张图不要同时放在两边。"
        + "每轮使用的数量与训练图片（含重复）相同：太少会重复使用，太多则有些永远用不到。",
    },
  }),
  prior_loss_weight: float({
    default: 1,
    min: 0,
    max: 100,
    group: "folders",
    label: { en: "Weight of regularization", "zh-CN": "正则化权重" },
    hint: {
      en: "How much the loss of regularization pictures counts. Without such pictures it does nothing.",
      "zh-CN": "正则化图片的损失所占的权重。没有正则化图片时不起作用。",
    },
    more: {
      en: "An epoch shows about as many regularization pictures as training pictures, so it becomes twice as long. "
        + "1 counts both alike; less lets the new subject win.",
      "zh-CN": "每轮会使用与训练图片大致相同数量的正则化图片，因此一轮的长度加倍。1 表示两者同等重要；更小则更偏向新的主题。",
    },
  }),
  resolution: size({
    default: [512, 512],
    min: 64,
    max: 4096,
    group: "folders",
    label: { en: "Resolution", "zh-CN": "分辨率" },
    hint: {
      en: "Pixels each picture is brought to, as width,height. 512 suits SD 1.x, 768 the larger SD 2.x.",
      "zh-CN": "每张图缩放到的像素大小，写作 宽,高。SD 1.x 用 512，较大的 SD 2.x 用 768。",
    },
    more: {
      en: "With buckets on this is the area to keep, and each picture keeps its own proportions. "
        + "Memory and time grow faster than the number of pixels.",
      "zh-CN": "开启分桶时，这里表示要保持的面积，每张图保留自己的长宽比。显存和时间的增长比像素数更快。",
    },
  }),
  resize_interpolation: optionalChoice({
    choices: ["area", "lanczos", "bilinear", "linear", "bicubic", "cubic", "nearest"],
    default: null,
    group: "folders",
    label: { en: "Resizing", "zh-CN": "缩放算法" },
    hint: {
      en: "How pictures are resized. Empty is best for most: area when they shrink, lanczos when they grow. nearest keeps pixel art sharp.",
      "zh-CN": "图片的缩放方式。通常留空最好：缩小用 area，放大用 lanczos。nearest 可保持像素画清晰。",
    },
    more: {
      en: "area averages what comes together in one pixel and so never flickers; lanczos draws sharp edges and may "
        + "leave thin halos; bilinear and bicubic lie between. Pictures are resized to cover their bucket, and "
        + "what stands over is cut off evenly.",
      "zh-CN": "area 对合并到一个像素的内容取平均，不会产生锯齿；lanczos 边缘更锐利，但可能有细小光晕；"
        + "bilinear 和 bicubic 介于两者之间。图片缩放到刚好盖住所属的桶，多出的部分从两侧均匀裁掉。",
    },
  }),
  flip_aug: bool({
    default: false,
    group: "folders",
    label: { en: "Mirror images", "zh-CN": "水平翻转增强" },
    hint: {
      en: "Half of the time a picture is shown mirrored. Not for faces with a parting or a scar, text, or anything else that has a side.",
      "zh-CN": "每次有一半概率使用图片的镜像。发型偏分、疤痕、文字等左右不对称的内容不要开启。",
    },
    more: {
      en: "It doubles a small set of pictures, and the time to encode them. The mirror image is encoded by itself, as in sd-scripts.",
      "zh-CN": "相当于把少量图片增加一倍，编码时间也加倍。镜像图片会像 sd-scripts 那样单独编码。",
    },
  }),
  random_crop: bool({
    default: false,
    group: "folders",
    label: { en: "Random crop", "zh-CN": "随机裁剪" },
    hint: {
      en: "What does not fit into the bucket is cut off elsewhere each time. Slower: pictures are encoded in every step.",
      "zh-CN": "每次在不同位置裁掉超出分桶的部分。较慢：每一步都要重新编码图片。",
    },
    more: {
      en: "Without it the middle is kept. With buckets little is cut off, so it changes little; without buckets pictures larger "
        + "than the resolution are shown in pieces at their own size. The VAE's encoder then stays in memory and runs in every "
        + "step, as the forecast shows.",
      "zh-CN": "不开启时保留中间部分。开启分桶时裁掉的很少，影响不大；不分桶时，大于分辨率的图片会按原尺寸随机取一块。"
        + "此时 VAE 编码器要留在显存中并在每一步运行，显存预测中已包含。",
    },
  }),
  color_aug: bool({
    default: false,
    group: "folders",
    label: { en: "Vary colours", "zh-CN": "颜色增强" },
    hint: {
      en: "A third of the time a picture has a slightly other hue or brightness. Slower: pictures are encoded in every step.",
      "zh-CN": "约三分之一的时候略微改变图片的色相或亮度。较慢：每一步都要重新编码图片。",
    },
    more: {
      en: "Hues turn by up to 16 degrees, gamma changes by up to 5 %. Not where colours are what is learned. The VAE's encoder "
        + "then stays in memory and runs in every step, as the forecast shows.",
      "zh-CN": "色相最多偏移 16 度，伽马最多变化 5 %。如果颜色本身就是学习目标，请不要开启。此时 VAE 编码器要留在显存中并在每一步运行，显存预测中已包含。",
    },
  }),
  face_crop_aug_range: text({
    default: "",
    group: "folders",
    label: { en: "Crop around faces", "zh-CN": "以人脸为中心裁剪" },
    hint: {
      en: "Two numbers such as 2.0,4.0: the shorter side is that many times the face. Only without buckets; slower.",
      "zh-CN": "两个数字，如 2.0,4.0：短边是人脸大小的这么多倍。仅在不分桶时有效；较慢。",
    },
    more: {
      en: "For pictures whose names end in a face's place and size, as kohya's face detection writes them: name_cx_cy_w_h.png. "
        + "Others are shown as usual. Pictures are encoded in every step, for which the VAE's encoder stays in memory.",
      "zh-CN": "适用于文件名以人脸位置和大小结尾的图片（kohya 人脸检测的写法：名称_cx_cy_w_h.png），其他图片照常使用。"
        + "每一步都要重新编码图片，因此 VAE 编码器要留在显存中。",
    },
    when: (values) => values["enable_bucket"] !== true,
  }),
  masked_loss: bool({
    default: false,
    group: "folders",
    label: { en: "Masks beside the pictures", "zh-CN": "使用遮罩图片" },
    hint: {
      en: "Learns only what is white in a second picture of the same name. Name the masks' folder among the options of each folder.",
      "zh-CN": "只学习同名遮罩图片中白色的部分。遮罩所在文件夹在每个文件夹的选项中指定。",
    },
    more: {
      en: "The folder is conditioning_data_dir of sd-scripts' dataset configuration; every picture needs a mask of the same name "
        + "and size, of which the red channel counts. Where much is masked the loss becomes smaller, as in sd-scripts.",
      "zh-CN": "该文件夹对应 sd-scripts 数据集配置中的 conditioning_data_dir；每张图片都需要同名、同尺寸的遮罩，以红色通道为准。"
        + "遮住的部分多时损失会变小，与 sd-scripts 一致。",
    },
  }),
  alpha_mask: bool({
    default: false,
    group: "folders",
    label: { en: "Transparency as a mask", "zh-CN": "透明度作为遮罩" },
    hint: {
      en: "What is transparent in a PNG or WebP is not learned; what is half transparent counts half.",
      "zh-CN": "PNG 或 WebP 中透明的部分不参与学习，半透明的部分按一半计算。",
    },
    more: {
      en: "For subjects that were cut out of their background. Pictures without transparency count whole. Where much is "
        + "masked, the loss becomes smaller, as in sd-scripts: it is still divided by all pixels.",
      "zh-CN": "适合抠掉背景的主体。没有透明度的图片整张参与。遮住的部分多时损失会变小，与 sd-scripts 一致：仍然除以全部像素。",
    },
  }),
  output_dir: text({
    default: "",
    group: "folders",
    label: { en: "Output folder", "zh-CN": "输出文件夹" },
    hint: {
      en: "Where the command line writes; in the browser you download the file.",
      "zh-CN": "命令行写入文件的位置；在浏览器里则直接下载。",
    },
    more: {
      en: "Besides the LoRA itself it gets the files saved on the way, and the samples in a folder of their own. "
        + "Files of the same name are replaced.",
      "zh-CN": "除了最终的 LoRA，训练途中保存的文件也写在这里，预览图放在其中单独的文件夹里。同名文件会被替换。",
    },
  }),
};
