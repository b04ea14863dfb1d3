/** sd-scripts' dataset configuration: its rules, and what folders, buckets, batches and captions become under it. */
import { describe, expect, it } from "vitest";
import { readDatasetConfig } from "../../src/config/dataset-config.ts";
import { defaultConfig, type TrainingConfig } from "../../src/config/parameters.ts";
import { blobFolder } from "../../src/dataset/blob-folder.ts";
import { checkSubsets } from "../../src/dataset/configured-folders.ts";
import { inspectDataset } from "../../src/dataset/inspect.ts";
import { InputError } from "../../src/errors.ts";
import { blobSource } from "../../src/formats/byte-source.ts";
import { buildLoraMetadata } from "../../src/lora/metadata.ts";
import { CaptionSource } from "../../src/training/caption-source.ts";
import { describeOrigin } from "../../src/training/run-origin.ts";
import { planDataset } from "../../src/training/run-plan.ts";
import type { Checkpoint } from "../../src/models/checkpoint-types.ts";
import fixture from "./fixtures/images.json" with { type: "json" };

const picture = Buffer.from(fixture.pictures.find(({ name }) => name === "rgb.png")!.file, "base64");
const folder = (files: Record<string, Uint8Array | string>) =>
  blobFolder(Object.entries(files).map(([path, content]) => ({ path, file: new Blob([content as BlobPart]) })));
const config = (values: Partial<TrainingConfig> = {}): TrainingConfig => ({ ...defaultConfig(), caption_extension: ".txt", ...values });

const TOML = `
[general]
shuffle_caption = true
caption_extension = ".txt"
keep_tokens = 1

[[datasets]]
resolution = 512
batch_size = 4
keep_tokens = 2

  [[datasets.subsets]]
  image_dir = 'C:\\data\\cats'
  class_tokens = "sks cat"
  num_repeats = 10

  [[datasets.subsets]]
  image_dir = "/home/me/reg"
  is_reg = true
  keep_tokens = 3

[[datasets]]
resolution = [768, 640]
batch_size = 2
enable_bucket = true

  [[datasets.subsets]]
  image_dir = "dogs"
  flip_aug = true
`;

describe("the dataset configuration", () => {
  it("inherits from the table above, the innermost value winning", () => {
    const [cats, reg, dogs] = readDatasetConfig(TOML);
    expect(cats).toMatchObject({ imageDir: "C:\\data\\cats", repeats: 10, classTokens: "sks cat", isReg: false, dataset: 0 });
    expect(cats!.overrides).toEqual({ shuffle_caption: true, caption_extension: ".txt", keep_tokens: 2, resolution: [512, 512], train_batch_size: 4 });
    expect(reg).toMatchObject({ isReg: true, repeats: 1, classTokens: "", dataset: 0, overrides: { keep_tokens: 3 } });
    expect(dogs).toMatchObject({ dataset: 1, overrides: { keep_tokens: 1, flip_aug: true, resolution: [768, 640], train_batch_size: 2, enable_bucket: true } });
  });

  it("is the same as JSON", () => {
    const json = '{"general": {"keep_tokens": 1}, "datasets": [{"batch_size": 3, "subsets": [{"image_dir": "a"}]}]}';
    expect(readDatasetConfig(json)).toEqual(readDatasetConfig("[general]\nkeep_tokens = 1\n[[datasets]]\nbatch_size = 3\n[[datasets.subsets]]\nimage_dir = 'a'"));
  });

  const subset = (lines: string): string => `[[datasets]]\n[[datasets.subsets]]\nimage_dir = "a"\n[[datasets.subsets]]\nimage_dir = "b"\n${lines}`;
  it.each([
    ["datasetConfig.syntax", "[[datasets]\n", /line 1/],
    ["datasetConfig.missing", "[general]\nkeep_tokens = 1", /no datasets in the file/],
    ["datasetConfig.missing", "[[datasets]]\nbatch_size = 1", /no subsets in \[\[datasets\]\] 1/],
    ["datasetConfig.missing", "[[datasets]]\n[[datasets.subsets]]\nnum_repeats = 1", /no image_dir in \[\[datasets.subsets\]\] 1/],
    ["datasetConfig.unknownKey", "learning_rate = 1\n[[datasets]]", /learning_rate in the file/],
    ["datasetConfig.unknownKey", subset("shufle_caption = true"), /shufle_caption in \[\[datasets.subsets\]\] 2/],
    ["datasetConfig.unknownKey", subset("batch_size = 2"), /batch_size in \[\[datasets.subsets\]\] 2/],
    ["datasetConfig.unknownKey", "[general]\nprior_loss_weight = 0.5\n[[datasets]]", /prior_loss_weight in \[general\]/],
    ["datasetConfig.unknownKey", "[[datasets]]\nis_reg = true\n[[datasets.subsets]]\nimage_dir = 'a'", /is_reg in \[\[datasets\]\] 1/],
    ["datasetConfig.value", subset('shuffle_caption = "yes"'), /shuffle_caption is "yes", but must be true or false/],
    ["datasetConfig.value", subset("keep_tokens = 1.5"), /keep_tokens is 1.5, but must be a whole number/],
    ["datasetConfig.value", subset("caption_dropout_rate = 3"), /caption_dropout_rate is 3, but must be between/],
    ["datasetConfig.value", subset("num_repeats = 0"), /num_repeats is 0, but must be at least 1/],
    ["datasetConfig.value", subset('resize_interpolation = "magic"'), /resize_interpolation is "magic", but must be one of/],
    ["datasetConfig.value", "[[datasets]]\nresolution = [512, 512, 3]", /resolution is \[512,512,3\]/],
    ["datasetConfig.value", "[general]\n[datasets]\nsubsets = []", /datasets is .*, but must be a list of tables/],
    ["datasetConfig.unsupported", subset('metadata_file = "meta.json"'), /metadata_file is not supported/],
    ["datasetConfig.unsupported", subset("custom_attributes = { diff_output_preservation = true }"), /custom_attributes is not supported/],
  ])("is refused with %s: %#", (code, text, message) => {
    const reading = (): unknown => readDatasetConfig(text);
    expect(reading).toThrow(InputError);
    expect(reading).toThrow(message);
    expect(reading).toThrow(expect.objectContaining({ code }) as Error);
  });

  it("takes what changes nothing here: caches of sizes, multipliers, empty attributes", () => {
    const text = "[general]\ncache_info = true\n[[datasets]]\nnetwork_multiplier = 0.5\n[[datasets.subsets]]\nimage_dir = 'a'\ncustom_attributes = {}";
    expect(readDatasetConfig(text)[0]!.overrides).toEqual({});
  });

  it("never lets random text do anything but be refused", () => {
    const pieces = ["[[datasets]]\n", "[[datasets.subsets]]\n", "image_dir = 'a'\n", "[general]\n", "keep_tokens = ", "-1\n", "\"x\"\n", "true\n", "resolution = ", "[1,2]\n", "{}\n", "__proto__ = 1\n"];
    let state = 7;
    const next = (limit: number): number => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) % limit;
    const untyped: string[] = [];
    for (let i = 0; i < 1000; i++) {
      const text = Array.from({ length: next(9) }, () => pieces[next(pieces.length)]!).join("");
      try {
        readDatasetConfig(text);
      } catch (error) {
        if (!(error instanceof InputError && error.code.startsWith("datasetConfig."))) untyped.push(text);
      }
    }
    expect(untyped).toEqual([]);
  });
});

describe("a dataset with its configuration beside it", () => {
  const files = {
    "set/dataset.toml": TOML, "set/cats/a.png": picture, "set/cats/a.txt": "solo, sitting", "set/cats/b.png": picture,
    "set/reg/r.png": picture, "set/dogs/d.png": picture, "set/other/10_x/o.png": picture, "set/notes.md": "…",
  };

  it("has its folders, found by the ends of their paths, and passes over the others", async () => {
    const { subsets, pictures, ignored } = await inspectDataset(folder(files), config());
    expect(subsets.map(({ dir, repeats, isReg, classTokens, dataset }) => [dir, repeats, isReg, classTokens, dataset])).toEqual([
      ["set/cats", 10, false, "sks cat", 0], ["set/reg", 1, true, "", 0], ["set/dogs", 1, false, "", 1],
    ]);
    expect(pictures.map(({ caption }) => caption)).toEqual(["solo, sitting", "sks cat", "", ""]);
    expect(ignored).toEqual([{ path: "set/notes.md", reason: "notAPicture" }, { path: "set/other/10_x/o.png", reason: "notConfigured" }]);
  });

  it("names the table whose folder is not there, or not clearly one", async () => {
    const { "set/dogs/d.png": _, ...without } = files;
    await expect(inspectDataset(folder(without), config())).rejects.toThrow(/\[\[datasets.subsets\]\] 3 .* dogs/);
    const twice = { "dataset.toml": "[[datasets]]\n[[datasets.subsets]]\nimage_dir = '/x/cats'", "a/cats/a.png": picture, "b/cats/a.png": picture };
    await expect(inspectDataset(folder(twice), config())).rejects.toThrow(/cats/);
  });

  it("checks its settings together with the run's", async () => {
    const { subsets } = await inspectDataset(folder({ ...files, "set/dataset.toml": `${TOML}\n` }), config());
    expect(() => checkSubsets(subsets, config())).not.toThrow();
    expect(() => checkSubsets(subsets.map((own) => ({ ...own, overrides: { ...own.overrides, min_bucket_reso: 1024, enable_bucket: true } })), config()))
      .toThrow(/subsets\]\] 1 of the dataset configuration, min_bucket_reso is 1024/);
  });

  it("has buckets, batches and a balance of regularization pictures for each dataset", async () => {
    const { pictures } = await inspectDataset(folder(files), config());
    const plan = planDataset(pictures, config({ max_train_epochs: 2 }));
    expect(plan.buckets.buckets.map(({ resolution, items, batchSize }) => [...resolution, items.length, batchSize])).toEqual([
      [512, 512, 40, 4], [plan.buckets.buckets[1]!.resolution[0], plan.buckets.buckets[1]!.resolution[1], 1, 2],
    ]);
    expect(plan.steps).toMatchObject({ batchesPerEpoch: 11, totalUpdates: 22 });
    expect(plan.shapes).toContainEqual({ height: 64, width: 64, batch: 4 });
  });

  it("shows each folder's captions by its own rules", async () => {
    const { pictures } = await inspectDataset(folder(files), config());
    const prefixed = pictures.map((own, i) => (i === 3 ? { ...own, overrides: { ...own.overrides, caption_prefix: "dog," } } : own));
    const source = new CaptionSource(prefixed, config({ caption_suffix: "end" }), { seed: 1, totalUpdates: 9, variant: "sd1", vocabulary: 49_408 });
    const shown = (i: number): string => source.caption(i, { microBatch: 0, place: 0, epoch: 1, step: 0 });
    expect(source.varies).toBe(true);
    expect(shown(1)).toBe("sks cat end");
    expect(shown(3)).toBe("dog, end");
  });

  it("finds a mask for each picture, and names what is alone", async () => {
    const toml = "[[datasets]]\n[[datasets.subsets]]\nimage_dir = 'cats'\nconditioning_data_dir = 'masks'";
    const masked = { "dataset.toml": toml, "cats/a.jpg": picture, "cats/b.png": picture, "masks/a.png": picture, "masks/b.png": picture };
    const { pictures, subsets, ignored } = await inspectDataset(folder(masked), config());
    expect(pictures.map(({ path, maskPath }) => [path, maskPath])).toEqual([["cats/a.jpg", "masks/a.png"], ["cats/b.png", "masks/b.png"]]);
    expect(ignored).toEqual([]);
    expect(() => checkSubsets(subsets, config({ masked_loss: true }))).not.toThrow();
    expect(() => checkSubsets(subsets, config())).toThrow(/conditioning_data_dir names masks, which count only with masked_loss/);
    await expect(inspectDataset(folder({ ...masked, "cats/c.png": picture }), config())).rejects.toThrow(/cats\/c\.png is alone/);
    await expect(inspectDataset(folder({ ...masked, "masks/d.png": picture }), config())).rejects.toThrow(/masks\/d\.png is alone/);
  });
});

describe("the file of a run from a dataset configuration", () => {
  it("says what sd-scripts says of datasets and folders, and not what it says of runs from folders", async () => {
    const toml = `${TOML}\n[[datasets.subsets]]\nimage_dir = "cats"\n`;
    const dataset = await inspectDataset(folder({
      "set/dataset.toml": toml, "set/cats/a.png": picture, "set/cats/a.txt": "solo, sitting", "set/cats/b.png": picture,
      "set/reg/r.png": picture, "set/dogs/d.png": picture,
    }), config());
    const settings = config({ max_train_epochs: 1 });
    const source = blobSource(new Blob([new Uint8Array(8)]), "model.safetensors");
    const facts = await describeOrigin({
      checkpoint: { file: { source }, family: "sd1" } as unknown as Checkpoint, config: settings, dataset,
      plan: planDataset(dataset.pictures, settings), sessionId: 1, startedAt: 0,
    });
    const metadata = buildLoraMetadata(settings, { ...facts, finishedAt: 1, steps: 1, epoch: 1 });
    for (const key of ["batch_size_per_device", "resolution", "color_aug", "flip_aug", "keep_tokens", "enable_bucket", "reg_dataset_dirs", "bucket_info"]) {
      expect(metadata.has(`ss_${key}`)).toBe(false);
    }
    const read = (key: string): unknown => JSON.parse(metadata.get(key) ?? "null");
    expect(read("ss_dataset_dirs")).toEqual({
      cats: { n_repeats: 10, img_count: 2 }, dogs: { n_repeats: 1, img_count: 1 }, "cats (2)": { n_repeats: 1, img_count: 2 },
    });
    expect(read("ss_tag_frequency")).toEqual({ cats: { solo: 1, sitting: 1, "sks cat": 1 }, reg: {}, dogs: {} });
    const [first, second] = read("ss_datasets") as { subsets: unknown[] }[];
    expect(first).toMatchObject({
      is_dreambooth: true, batch_size_per_device: 4, num_train_images: 20, num_reg_images: 1, resolution: [512, 512],
      enable_bucket: false, min_bucket_reso: null, max_bucket_reso: null, bucket_info: null,
    });
    expect(first!.subsets[0]).toEqual({
      img_count: 2, num_repeats: 10, color_aug: false, flip_aug: false, random_crop: false, shuffle_caption: true, keep_tokens: 2,
      keep_tokens_separator: "", secondary_separator: null, enable_wildcard: false, caption_prefix: null, caption_suffix: null,
      resize_interpolation: null, image_dir: "cats", class_tokens: "sks cat", is_reg: false,
    });
    expect(second).toMatchObject({ batch_size_per_device: 2, resolution: [768, 640], enable_bucket: true, min_bucket_reso: 256, max_bucket_reso: 1024 });
    expect(second!.subsets).toHaveLength(2);
  });
});
