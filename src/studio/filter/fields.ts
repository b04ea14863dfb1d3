/** What a filter can ask about, and under which words. */

const textFields = ["tag", "caption", "name", "path", "subset", "group"] as const;
const numberFields = ["width", "height", "pixels", "ratio", "tags", "chars", "tokens"] as const;
export const states = [
  "untagged", "reg", "cropped", "mirrored", "duplicate", "generated", "derived", "grouped", "small",
] as const;

export type TextField = (typeof textFields)[number];
export type NumberField = (typeof numberFields)[number];
export type FilterState = (typeof states)[number];
export type FilterField = TextField | NumberField | "is";

const chineseFields: Readonly<Record<string, FilterField>> = {
  标签: "tag", 标注: "caption", 文件名: "name", 路径: "path", 子集: "subset", 编组: "group",
  宽: "width", 高: "height", 像素: "pixels", 宽高比: "ratio", 标签数: "tags", 字数: "chars", 词元数: "tokens", 状态: "is",
};
const chineseStates: Readonly<Record<string, FilterState>> = {
  无标注: "untagged", 正则: "reg", 已裁剪: "cropped", 已镜像: "mirrored", 重复: "duplicate", 生成: "generated",
  派生: "derived", 已编组: "grouped", 过小: "small",
};
const fields: ReadonlyMap<string, FilterField> = new Map([
  ...[...textFields, ...numberFields, "is" as const].map((field) => [field as string, field] as const),
  ...Object.entries(chineseFields),
]);
const statesByWord: ReadonlyMap<string, FilterState> = new Map([
  ...states.map((state) => [state as string, state] as const),
  ...Object.entries(chineseStates),
]);

export function fieldOf(word: string): FilterField | undefined {
  return fields.get(word.toLowerCase());
}

export function stateOf(word: string): FilterState | undefined {
  return statesByWord.get(word.toLowerCase());
}

export function isNumberField(field: FilterField): field is NumberField {
  return (numberFields as readonly string[]).includes(field);
}
