/** What was done to a set of pictures, in Chinese. */
export const editsZhCN = {
  rename: "重命名为“{name}”",
  remove: "移出了 {n} 张图片",
  crop: "裁剪了 {n} 张图片",
  uncrop: "取消了 {n} 张图片的裁剪",
  cropParts: "把 {n} 张图片切分成 {parts} 部分",
  flip: "添加了 {n} 张翻转副本",
  mirror: "镜像了 {n} 张图片",
  import: "添加图片：{n}，标注：{captions}",
  folders: "修改了文件夹",
  move: "移动图片：{n}",
  split: "一半作为正则化：{n}",
} as const;
