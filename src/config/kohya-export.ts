/** A run for sd-scripts: kohya's folders, both configurations and the command, as files beside each other. */
import { normalizeExtension } from "../dataset/caption-files.ts";
import { variesPictures } from "../dataset/crop-window.ts";
import { baseName, stemOf } from "../dataset/paths.ts";
import type { Subset } from "../dataset/report.ts";
import type { WrittenConfig } from "./kohya-write.ts";
import { configOf } from "./dataset-keys.ts";
import { writeDatasetConfig } from "./dataset-write.ts";
import { writeKohya } from "./kohya-write.ts";
import { trainsLycoris } from "./lycoris-settings.ts";
import { startFileNames } from "./start-files.ts";
import { trainsWords } from "./trained-words.ts";
import type { TrainingConfig } from "./parameters.ts";

/** A text that is made, a file of the dataset under another path, or a file that the settings name to start from. */
export type ExportedFile = { readonly path: string } & ({ readonly text: string } | { readonly from: string } | { readonly start: string });

export interface SdScriptsExport {
  readonly files: readonly ExportedFile[];
  readonly warnings: WrittenConfig["warnings"];
}

/**
 * @param origin text of the file of kohya's that the settings came from
 * @param model file name of the base model, which is not part of it
 * @param isHere whether a file that the settings name can go along; what cannot is asked for in its readme
 */
export function exportForSdScripts(
  config: TrainingConfig, subsets: readonly Subset[], model: string, origin?: string,
  isHere: (start: string) => boolean = () => true,
): SdScriptsExport {
  const folders = folderNames(subsets);
  const extension = normalizeExtension(config.caption_extension);
  const pictures = subsets.flatMap(({ images }, index) => images.flatMap(({ path, captionPath, maskPath }): ExportedFile[] => {
    const to = `${folders[index]}/${baseName(path)}`;
    return [
      { path: to, from: path },
      ...(captionPath === null ? [] : [{ path: `${stemOf(to)}${extension}`, from: captionPath }]),
      ...(maskPath === undefined ? [] : [{ path: `${maskFolder(folders[index] ?? "")}/${baseName(maskPath)}`, from: maskPath }]),
    ];
  }));
  const isCached = !subsets.some(({ overrides }) => variesPictures(configOf(config, overrides)));
  const prompts = config.sample_prompts === "" ? "" : "prompts.txt";
  const starts = startPaths(config);
  const pathOf = (name: string): string => starts.get(name) ?? name;
  const there = {
    ...config, network_weights: pathOf(config.network_weights), base_weights: config.base_weights.map(pathOf), weights: pathOf(config.weights),
    pretrained_model_name_or_path: model, train_data_dir: "", reg_data_dir: "", output_dir: "output",
    caption_extension: extension, sample_prompts: prompts,
  };
  const { text, warnings } = writeKohya(there, "toml", origin);
  const texts: ExportedFile[] = [
    { path: "config.toml", text: withRuntime(text, isCached) },
    { path: "dataset.toml", text: datasetToml(subsets, folders) },
    { path: "train.sh", text: script(commandFor(config)) },
    { path: "README.txt", text: readme([model, ...[...starts].flatMap(([name, path]) => (isHere(name) ? [] : [path]))].join(", "), commandFor(config)) + (trainsLycoris(config) && config.training_kind === "lora" ? lycorisNote : "") },
    ...[...starts].flatMap(([start, path]) => (isHere(start) ? [{ path, start }] : [])),
    ...(prompts === "" ? [] : [{ path: prompts, text: `${config.sample_prompts}\n` }]),
  ];
  // Pictures of the same name and different kinds share a caption.
  const files = new Map([...texts, ...pictures].map((file) => [file.path, file]));
  return { files: [...files.values()], warnings };
}

/** Where the files that a run starts from lie, by the names that the settings have for them; two of one name get numbers. */
function startPaths(config: TrainingConfig): ReadonlyMap<string, string> {
  const names = trainsWords(config) && config.weights !== "" ? [config.weights] : startFileNames(config);
  const paths = new Map<string, string>();
  const used = new Set<string>();
  for (const name of names) {
    const base = baseName(name.replaceAll("\\", "/"));
    let path = `networks/${base}`;
    for (let count = 2; used.has(path.toLowerCase()); count++) path = `networks/${count}_${base}`;
    used.add(path.toLowerCase());
    paths.set(name, path);
  }
  return paths;
}

/** kohya's `10_name`, below `train` or `reg`; the same name twice gets a number. */
function folderNames(subsets: readonly Subset[]): string[] {
  const used = new Map<string, number>();
  return subsets.map(({ repeats, classTokens, isReg }) => {
    const name = classTokens.replaceAll(/[\\/:*?"<>|\p{Cc}]/gu, "_").trim() || "pictures";
    const path = `${isReg ? "reg" : "train"}/${repeats}_${name}`;
    const count = (used.get(path) ?? 0) + 1;
    used.set(path, count);
    return count === 1 ? path : `${path} (${count})`;
  });
}

/** What is not said here sd-scripts takes from `config.toml`. */
function datasetToml(subsets: readonly Subset[], folders: readonly string[]): string {
  return writeDatasetConfig(subsets.map((subset, index) => {
    // Captions have one ending here.
    const { caption_extension: _, ...overrides } = subset.overrides ?? {};
    const imageDir = folders[index] ?? "";
    return { ...subset, overrides, imageDir, maskDir: subset.maskDir === undefined ? undefined : maskFolder(imageDir) };
  }));
}

function maskFolder(folder: string): string {
  return `masks/${folder}`;
}

/** Latents are cached here wherever that is possible, and sd-scripts brings pictures to their size only where it does so too. */
function withRuntime(toml: string, isCached: boolean): string {
  return isCached ? `cache_latents = true\n${toml}` : toml;
}

const programs: Readonly<Record<TrainingConfig["training_kind"], string>> = {
  lora: "train_network.py", textual_inversion: "train_textual_inversion.py", full: "train_db.py",
};

function commandFor(config: TrainingConfig): string {
  const program = programs[config.training_kind];
  return `accelerate launch --num_cpu_threads_per_process 2 "$SD_SCRIPTS/${program}" --config_file config.toml --dataset_config dataset.toml`;
}

const script = (command: string): string => `#!/bin/sh
# SD_SCRIPTS is the folder of kohya's sd-scripts.
cd "$(dirname "$0")" || exit 1
SD_SCRIPTS="\${SD_SCRIPTS:-../sd-scripts}"
${command} "$@"
`;

const lycorisNote = `
The network is LyCORIS': install it there first, with: pip install lycoris-lora
此网络属于 LyCORIS：请先在那个环境中安装：pip install lycoris-lora
`;

const readme = (absent: string, command: string): string => `Put what is not part of this export (${absent}) into this folder, or correct its path in config.toml.
Then, in sd-scripts' Python environment and with SD_SCRIPTS set to its folder:

  ${command}

Several GPUs: put --multi_gpu --num_processes N behind "accelerate launch".
The result is written to the folder "output".

请把未随附的文件（${absent}）放进本文件夹，或修改 config.toml 中的路径。
然后在 sd-scripts 的 Python 环境中，把 SD_SCRIPTS 设为其目录并运行上面的命令。
多张显卡：在 accelerate launch 后面加上 --multi_gpu --num_processes N。
结果保存在 output 文件夹。
`;
