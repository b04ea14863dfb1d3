/** Dataset configurations as they are written, changed in place, and exported for sd-scripts. */
import { describe, expect, it } from "vitest";
import { readDatasetConfig } from "../../src/config/dataset-config.ts";
import { changeSubset, replaceRegularization, writeDatasetConfig } from "../../src/config/dataset-write.ts";
import { exportForSdScripts } from "../../src/config/kohya-export.ts";
import { defaultConfig } from "../../src/config/parameters.ts";

const TEXT = `# mine
[general]
shuffle_caption = true   # for all

[[datasets]]
batch_size = 2

  [[datasets.subsets]]
  image_dir = "a"
  keep_tokens = 1  # the trigger

  [[datasets.subsets]]
  image_dir = "b"
  is_reg = true

[[datasets]]
  [[datasets.subsets]]
  image_dir = "c"
`;

describe("a configuration", () => {
  it("comes back from what is written of it", () => {
    const read = readDatasetConfig(TEXT);
    const again = readDatasetConfig(writeDatasetConfig(read));
    expect(again).toEqual(read);
  });

  it("changes one folder's value and nothing else, comments included", () => {
    expect(changeSubset(TEXT, 1, "keep_tokens", 3)).toBe(TEXT.replace("keep_tokens = 1  # the trigger", "keep_tokens = 3"));
    expect(changeSubset(TEXT, 2, "flip_aug", true)).toBe(TEXT.replace("is_reg = true\n", "is_reg = true\n  flip_aug = true\n"));
    expect(changeSubset(TEXT, 3, "class_tokens", "a \"dog\"")).toBe(`${TEXT}  class_tokens = "a \\"dog\\""\n`);
    expect(changeSubset(TEXT, 1, "keep_tokens", undefined)).toBe(TEXT.replace("  keep_tokens = 1  # the trigger\n", ""));
  });

  it("changes what does not stand on lines of its own", () => {
    const inline = 'datasets = [{ subsets = [{ image_dir = "a" }, { image_dir = "b" }] }]';
    expect(readDatasetConfig(changeSubset(inline, 2, "num_repeats", 4)).map(({ repeats }) => repeats)).toEqual([1, 4]);
    const json = JSON.stringify({ datasets: [{ subsets: [{ image_dir: "a" }] }] });
    expect(readDatasetConfig(changeSubset(json, 1, "num_repeats", 4))[0]!.repeats).toBe(4);
  });

  it("takes other regularization pictures", () => {
    const changed = replaceRegularization(TEXT, [{ imageDir: "reg/1_dog", repeats: 2, classTokens: "dog", isReg: true }]);
    expect(readDatasetConfig(changed).map(({ imageDir, isReg, repeats }) => [imageDir, isReg, repeats])).toEqual([
      ["a", false, 1], ["reg/1_dog", true, 2], ["c", false, 1],
    ]);
    expect(readDatasetConfig(replaceRegularization(TEXT, [])).map(({ imageDir }) => imageDir)).toEqual(["a", "c"]);
  });

  it("goes into the export with its options, under the export's own folders", () => {
    const subsets = readDatasetConfig(TEXT).map((row) => {
      const { imageDir: dir, repeats, classTokens, isReg, dataset, overrides } = row;
      const images = [{ path: `${dir}/1.png`, captionPath: null, maskPath: `m/${dir}/1.png` }];
      return { dir, repeats, classTokens, isReg, dataset, overrides, hasRepeatsPrefix: true, images, maskDir: `m/${dir}` };
    });
    const { files } = exportForSdScripts(defaultConfig(), subsets, "model.safetensors");
    const toml = files.find(({ path }) => path === "dataset.toml");
    const text = toml !== undefined && "text" in toml ? toml.text : "";
    const exported = readDatasetConfig(text);
    expect(exported.map(({ imageDir }) => imageDir)).toEqual(["train/1_pictures", "reg/1_pictures", "train/1_pictures (2)"]);
    expect(exported.map(({ maskDir }) => maskDir)).toEqual(["masks/train/1_pictures", "masks/reg/1_pictures", "masks/train/1_pictures (2)"]);
    expect(files.map(({ path }) => path)).toContain("masks/train/1_pictures/1.png");
    expect(exported.map(({ overrides, isReg, dataset }) => [overrides, isReg, dataset])).toEqual(
      readDatasetConfig(TEXT).map(({ overrides, isReg, dataset }) => [overrides, isReg, dataset]),
    );
  });
});
