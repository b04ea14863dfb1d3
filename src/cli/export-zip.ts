/** A run for sd-scripts as a zip file, pictures and all. */
import { createReadStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { basename } from "node:path";
import { Readable } from "node:stream";
import { exportForSdScripts, type SdScriptsExport } from "../config/kohya-export.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import { understandDataset } from "../dataset/inspect.ts";
import { writeZip } from "../formats/zip.ts";
import { createNodeFile, openNodeFile } from "./node-file.ts";
import { openFolder, type DatasetPlace } from "./open-dataset.ts";

/**
 * Writes the zip, one picture at a time; its name never stands for half of it.
 * @param origin text of the file of kohya's that the settings came from
 * @throws InputError `folder.*`, `dataset.noPictures`, `datasetConfig.*`, `file.*`
 */
export async function exportZip(
  config: TrainingConfig, origin: string | undefined, place: DatasetPlace, to: string,
): Promise<Pick<SdScriptsExport, "warnings">> {
  const folder = await openFolder(place);
  const { subsets } = await understandDataset(folder, config.caption_extension);
  const model = basename(config.pretrained_model_name_or_path) || "model.safetensors";
  const { files, warnings } = exportForSdScripts(config, subsets, model, origin);
  const sizes = new Map(folder.entries.map(({ path, size }) => [path, size]));
  const entries = await Promise.all(files.map(async (file) => {
    const path = `${config.output_name}/${file.path}`;
    if ("start" in file) return { path, size: await sizeOf(file.start), open: () => Readable.toWeb(createReadStream(file.start)) as ReadableStream<Uint8Array> };
    if (!("text" in file)) return { path, size: sizes.get(file.from) ?? 0, open: () => streamOf(() => folder.read(file.from)) };
    const bytes = new TextEncoder().encode(file.text);
    return { path, size: bytes.length, open: () => streamOf(async () => bytes) };
  }));
  const draft = `${to}.${process.pid}.part`;
  const sink = await createNodeFile(draft);
  try {
    await writeZip(entries, new WritableStream({ write: (bytes) => sink.write(bytes), close: () => sink.close(), abort: () => sink.close() }));
    await rename(draft, to);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  return { warnings };
}

async function sizeOf(path: string): Promise<number> {
  const file = await openNodeFile(path);
  await file.close();
  return file.size;
}

function streamOf(read: () => Promise<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      controller.enqueue(await read());
      controller.close();
    },
  });
}
