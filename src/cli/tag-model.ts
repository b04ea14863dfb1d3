/** A tagger or captioner in a folder. */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../errors.ts";
import type { FileRole, ModelManifest } from "../tagging/manifest.ts";
import type { LoadedFile } from "../tagging/onnx-runtime.ts";
import { openModel, type OpenedModel } from "../tagging/open-model.ts";
import { recognize } from "../tagging/recognize.ts";
import { usageError } from "./command.ts";
import { openNodeFile } from "./node-file.ts";

export interface FoundModel {
  readonly manifest: ModelManifest;
  /** By what they are to the model. */
  readonly paths: ReadonlyMap<FileRole, string>;
}

/**
 * @param kind of the catalogue, for files that could be several captioners
 * @throws InputError `folder.missing`, `tagger.files`, `tagger.manifest`, `cli.usage`
 */
export async function findModel(folder: string, kind: string | undefined): Promise<FoundModel> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new InputError("folder.missing", `${folder} does not exist.`, { folder }, { cause });
  });
  const offered = await Promise.all(names.toSorted().map(async (name) => {
    const path = join(folder, name);
    return { name, size: (await stat(path)).size, path, text: () => readFile(path, "utf8") };
  }));
  const found = await recognize(offered);
  const paths = new Map([...found.files].map(([role, { path }]) => [role, path]));
  if (found.kind === "known") return { manifest: found.manifest, paths };
  const manifest = found.candidates.find(({ id }) => id === kind);
  if (manifest !== undefined) return { manifest, paths };
  const ids = found.candidates.map(({ id }) => id).join(", ");
  throw usageError("tag", `${folder} has no captioner.json, so say with --kind what it is: ${ids}`);
}

/** On the CPU. @throws InputError `file.*`, `tagger.*`, `captioner.*` */
export async function openFoundModel({ manifest, paths }: FoundModel): Promise<OpenedModel> {
  const files = new Map<FileRole, LoadedFile>();
  for (const [role, path] of paths) files.set(role, { name: path, bytes: await readWhole(path) });
  // Fourteen megabytes of WebAssembly that no other command needs.
  const ort = await import("onnxruntime-web");
  ort.env.logLevel = "fatal";
  return openModel(ort, manifest, files, ["wasm"]);
}

export async function readWhole(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const file = await openNodeFile(path);
  try {
    return await file.read(0, file.size);
  } finally {
    await file.close();
  }
}
