/** What was done to a set of pictures, in Chinese. */
export const editsZhCN = {
  rename: "重命名为“{name}”",
  remove: "移出了 {n} 张图片",
  mirror: "镜像了 {n} 张图片",
} as const;
