import { size, text } from "../parameter.ts";

export const folderParameters = {
  train_data_dir: text({
    default: "",
    group: "folders",
    label: { en: "Training pictures", "zh-CN": "训练图片" },
    hint: {
      en: "A folder of pictures, or of folders such as “10_sls 1girl” (10 repeats).",
      "zh-CN": "图片文件夹，或者像“10_sls 1girl”（重复 10 次）这样的文件夹的上一级。",
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
  output_dir: text({
    default: "",
    group: "folders",
    label: { en: "Output folder", "zh-CN": "输出文件夹" },
    hint: {
      en: "Where the command line writes; in the browser you download the file.",
      "zh-CN": "命令行写入文件的位置；在浏览器里则直接下载。",
    },
  }),
};
