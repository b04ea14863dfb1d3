/** A folder of pictures as a dataset configuration of sd-scripts describes it, instead of kohya's folder names. */
import { checkOverrides, readDatasetConfig, type ConfiguredSubset } from "../config/dataset-config.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import { InputError } from "../errors.ts";
import { findCaption, normalizeExtension } from "./caption-files.ts";
import { groupBy } from "./group-by.ts";
import { baseName, isHidden, isPicture, parentOf, stemOf } from "./paths.ts";
import type { DatasetReport, FolderEntry, Ignored, Subset } from "./report.ts";
import { byCodePoint } from "./sort.ts";

const CONFIG_NAME = /^dataset([-_]?config)?\.(toml|json)$/i;

/** The dataset configuration that lies beside the folders: the one that is nearest to the top. */
export function findDatasetConfig(entries: readonly FolderEntry[]): string | undefined {
  const depth = (path: string): number => path.split("/").length;
  const found = entries.map(({ path }) => path).filter((path) => CONFIG_NAME.test(baseName(path)) && !isHidden(path));
  return found.sort((a, b) => depth(a) - depth(b) || byCodePoint(a, b))[0];
}

/**
 * @param captionExtension `caption_extension` of the run, for folders that have none of their own
 * @param locate folder of an `image_dir` where that is known; otherwise it is found by its name
 * @throws InputError `datasetConfig.*`
 */
export function understandConfigured(
  entries: readonly FolderEntry[], config: { readonly path: string; readonly text: string }, captionExtension: string,
  locate?: (dir: string) => string | undefined,
): DatasetReport {
  const visible = entries.map(({ path }) => path).filter((path) => !isHidden(path)).sort(byCodePoint);
  const folders = groupBy(visible.filter(isPicture), parentOf);
  const files = new Set(visible);
  const taken = new Set<string>();
  const locateFolder = (row: ConfiguredSubset, written: string): string =>
    locate?.(written) ?? findFolder(row, written, [...folders.keys()], parentOf(config.path));
  const subsets = readDatasetConfig(config.text).flatMap((row): Subset[] => {
    const dir = locateFolder(row, row.imageDir);
    const place = `${row.dataset}/${dir}`;
    // As in sd-scripts, a folder counts once in a dataset, and the first time is what counts.
    if (taken.has(place)) return [];
    taken.add(place);
    const extension = normalizeExtension(row.overrides.caption_extension ?? captionExtension);
    const paths = folders.get(dir) ?? [];
    if (paths.length === 0) throw noFolder(row, row.imageDir);
    const maskDir = row.maskDir === undefined ? undefined : locateFolder(row, row.maskDir);
    const masks = maskDir === undefined ? undefined : masksOf(row, paths, folders.get(maskDir) ?? []);
    const images = paths.map((path, i) => ({ path, captionPath: findCaption(path, extension, files), ...(masks === undefined ? {} : { maskPath: masks[i]! }) }));
    const { repeats, classTokens, isReg, dataset, overrides, table } = row;
    return [{
      dir, repeats, hasRepeatsPrefix: true, isReg, classTokens, images, dataset, overrides, table,
      ...(row.maskDir === undefined ? {} : { maskDir: row.maskDir }),
    }];
  });
  return { subsets, ignored: leftOut(entries, subsets, config.path), notices: [] };
}

/** The folder that a path on another computer means: beside the configuration, or the one that ends alike. */
function findFolder(row: ConfiguredSubset, written: string, dirs: readonly string[], beside: string): string {
  const parts = written.replaceAll("\\", "/").split("/").filter((part) => part !== "" && part !== ".");
  const path = parts.join("/");
  const exact = [beside === "" ? path : [beside, ...parts].join("/"), path].find((dir) => dirs.includes(dir));
  if (exact !== undefined) return exact;
  const shared = (dir: string): number => {
    const own = dir.split("/");
    let count = 0;
    while (count < Math.min(own.length, parts.length) && own.at(-1 - count) === parts.at(-1 - count)) count++;
    return count;
  };
  const most = Math.max(0, ...dirs.map(shared));
  const best = dirs.filter((dir) => shared(dir) === most);
  if (most === 0 || best.length !== 1) throw noFolder(row, written);
  return best[0]!;
}

/** One mask for each picture, and each mask of one: sd-scripts takes nothing else. */
function masksOf({ table }: ConfiguredSubset, pictures: readonly string[], masks: readonly string[]): string[] {
  const stem = (path: string): string => baseName(stemOf(path));
  const byStem = new Map(masks.map((path) => [stem(path), path]));
  const found = pictures.map((path) => byStem.get(stem(path)) ?? "");
  const alone = pictures.find((_, i) => found[i] === "") ?? masks.find((path) => !found.includes(path));
  if (alone === undefined) return found;
  const message = `In ${table} of the dataset configuration, every picture wants a mask of the same name in conditioning_data_dir, and every mask a picture: ${alone} is alone.`;
  throw new InputError("datasetConfig.mask", message, { table, file: alone });
}

function noFolder({ table }: ConfiguredSubset, dir: string): InputError {
  const message = `${table} of the dataset configuration names the folder ${dir}, and no folder of pictures here is clearly that one; add it, or correct image_dir.`;
  return new InputError("datasetConfig.folder", message, { table, dir });
}

function leftOut(entries: readonly FolderEntry[], subsets: readonly Subset[], configPath: string): Ignored[] {
  const used = new Set(subsets.flatMap(({ images }) => images.flatMap((image) => [image.path, image.captionPath, image.maskPath])));
  const others = entries.map(({ path }) => path).filter((path) => !used.has(path) && path !== configPath);
  return others.sort(byCodePoint).map((path): Ignored => {
    if (isHidden(path)) return { path, reason: "hidden" };
    return { path, reason: isPicture(path) ? "notConfigured" : "notAPicture" };
  });
}

/** Checks what folders say together with a run's settings. @throws InputError `datasetConfig.value` */
export function checkSubsets(subsets: readonly Pick<Subset, "overrides" | "table" | "maskDir">[], config: TrainingConfig): void {
  for (const { overrides, table = "", maskDir } of subsets) {
    if (overrides !== undefined) checkOverrides(config, table, overrides);
    if (maskDir === undefined || config.masked_loss) continue;
    const key = "conditioning_data_dir";
    const message = `In ${table} of the dataset configuration, ${key} names masks, which count only with masked_loss; turn it on, or take ${key} out.`;
    throw new InputError("datasetConfig.needsMaskedLoss", message, { table, key });
  }
}
