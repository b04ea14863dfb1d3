/** A set on its way out: as an archive, into a folder, or to the Train screen. */
import { serializeError } from "../../../errors.ts";
import type { SerializedError } from "../../../errors.ts";
import { writeZip } from "../../../formats/zip.ts";
import type { ZipEntry } from "../../../formats/zip.ts";
import { originalOf } from "../../../storage/set-store.ts";
import { layoutOf } from "../../../studio/layout.ts";
import type { LayoutNotice } from "../../../studio/layout.ts";
import { metadataFile, setFiles, trainingFiles } from "../../../studio/layout-files.ts";
import type { LaidOutFile } from "../../../studio/layout-files.ts";
import { safeName } from "../../../studio/safe-names.ts";
import { RenderClient } from "../../../workers/render-client.ts";
import type { DatasetFile } from "../../../workers/train-protocol.ts";
import { download } from "../../platform/file-access.ts";
import { newFolderIn, pickFolder, writeBelow } from "../../platform/folder-access.ts";
import { saveFile } from "../../platform/save-file.ts";
import type { OpenSet } from "./open-set.svelte.ts";

/** `folders`: as training wants it. `whole`: every file as it came, with what was decided beside them. */
export type ExportForm = "folders" | "whole";

export interface ExportResult {
  readonly files: number;
  /** Pictures whose files are gone. */
  readonly missing: number;
  readonly notices: readonly LayoutNotice[];
}

export class Exporting {
  readonly #render = new RenderClient();
  #progress: { readonly done: number; readonly total: number } | undefined = $state.raw();
  #result: ExportResult | undefined = $state.raw();
  #error: SerializedError | undefined = $state.raw();
  #isStopped = false;

  /** undefined: nothing is being written. */
  get progress() {
    return this.#progress;
  }
  get result() {
    return this.#result;
  }
  get error() {
    return this.#error;
  }

  stop(): void {
    this.#isStopped = true;
  }

  dismiss(): void {
    this.#result = undefined;
    this.#error = undefined;
  }

  zip(open: OpenSet, form: ExportForm): Promise<void> {
    return this.#guard(async () => {
      const name = `${safeName(open.set.name)}${form === "whole" ? "-set" : ""}.zip`;
      await saveFile(name, "application/zip", (to) => writeZip(this.#zipEntries(open, form), to));
    });
  }

  /** Into a new folder of the one that the user picks; nothing that is there is touched. Chromium only. */
  folder(open: OpenSet): Promise<void> {
    return this.#guard(async () => {
      const parent = await pickFolder("readwrite");
      if (parent === undefined) return;
      const folder = await newFolderIn(parent, safeName(open.set.name));
      for await (const file of this.#files(open, "folders")) await writeBelow(folder, file);
    });
  }

  /** All captions in one file, as sd-scripts' metadata. */
  metadata(open: OpenSet): void {
    download(metadataFile(layoutOf(open.set, open.pictures.values())), `${safeName(open.set.name)}.json`);
  }

  /** What the Train screen takes in; undefined where it was stopped or failed. */
  async forTraining(open: OpenSet): Promise<DatasetFile[] | undefined> {
    const files: DatasetFile[] = [];
    await this.#guard(async () => {
      for await (const file of this.#files(open, "folders")) files.push(file);
    });
    return this.#result === undefined || files.length === 0 ? undefined : files;
  }

  async *#zipEntries(open: OpenSet, form: ExportForm): AsyncGenerator<ZipEntry> {
    for await (const { path, file } of this.#files(open, form)) yield { path, size: file.size, open: () => file.stream() };
  }

  async *#files(open: OpenSet, form: ExportForm): AsyncGenerator<LaidOutFile> {
    const layout = layoutOf(open.set, open.pictures.values());
    const total = layout.pictures.length;
    let [files, missing] = [0, 0];
    let done = 0;
    const source = {
      original: (hash: string) => {
        if (this.#isStopped) throw new DOMException("Stopped", "AbortError");
        this.#progress = { done: done++, total };
        return originalOf(hash);
      },
      render: this.#render.render.bind(this.#render),
    };
    const onmissing = (): void => void missing++;
    const laidOut = form === "whole" ? setFiles(open.set, layout, source, onmissing) : trainingFiles(layout, source, onmissing);
    for await (const file of laidOut) {
      files++;
      yield file;
    }
    this.#result = { files, missing, notices: layout.notices };
  }

  async #guard(work: () => Promise<void>): Promise<void> {
    this.dismiss();
    this.#isStopped = false;
    this.#progress = { done: 0, total: 0 };
    try {
      await work();
    } catch (error) {
      if (!this.#isStopped) this.#error = serializeError(error);
      this.#result = undefined;
    } finally {
      this.#progress = undefined;
      this.#render.close();
    }
  }
}
