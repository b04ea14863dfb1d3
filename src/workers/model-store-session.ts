/** Getting models into this browser, file by file. */
import { CancelledError, invariant } from "../errors.ts";
import type { TaggerRecord } from "../storage/database.ts";
import { copyFile, fetchFile, type FetchedFile, type FetchProgress } from "../storage/fetch-file.ts";
import type { PartFolder } from "../storage/part-file.ts";
import { filesOf, type FileRole, type ModelFile, type ModelManifest } from "../tagging/manifest.ts";
import type { ModelProgress, ModelStoreApi } from "./model-store-protocol.ts";

export interface ModelStoreServices {
  readonly folder: (id: string) => PartFolder;
  readonly fetch: typeof fetch;
  readonly record: (record: TaggerRecord) => Promise<void>;
}

/** Progress is told this often. */
const tellEveryMs = 100;

export class ModelStoreSession implements ModelStoreApi {
  readonly #services: ModelStoreServices;
  readonly #abort = new AbortController();

  constructor(services: ModelStoreServices) {
    this.#services = services;
  }

  download(manifest: ModelManifest, onprogress: ModelProgress): Promise<TaggerRecord> {
    const folder = this.#services.folder(manifest.id);
    return this.#each(manifest, onprogress, (file, tell) => {
      invariant(file.url !== undefined, "only models with addresses are downloaded");
      return fetchFile(folder, { ...file, url: file.url }, this.#services.fetch, tell, this.#abort.signal);
    });
  }

  keep(manifest: ModelManifest, files: ReadonlyMap<FileRole, Blob>, onprogress: ModelProgress): Promise<TaggerRecord> {
    const folder = this.#services.folder(manifest.id);
    const sized = Object.fromEntries(filesOf(manifest).map(([role, file]) => [role, { ...file, bytes: files.get(role)?.size ?? 0 }]));
    return this.#each({ ...manifest, files: sized } as ModelManifest, onprogress, (file, tell, role) => {
      const source = files.get(role);
      invariant(source !== undefined, "all files of the model are given");
      return copyFile(folder, file.name, source, tell, this.#abort.signal);
    });
  }

  cancel(): void {
    this.#abort.abort(new CancelledError());
  }

  async #each(
    manifest: ModelManifest, onprogress: ModelProgress,
    get: (file: ModelFile, tell: FetchProgress, role: FileRole) => Promise<FetchedFile>,
  ): Promise<TaggerRecord> {
    const files: TaggerRecord["files"][number][] = [];
    const entries = filesOf(manifest);
    const sizes = new Map(entries.map(([role, { bytes }]) => [role, bytes]));
    let told = -Infinity;
    for (const [role, file] of entries) {
      const before = files.reduce((sum, { bytes }) => sum + bytes, 0);
      const tell: FetchProgress = (done, total) => {
        sizes.set(role, total ?? sizes.get(role));
        if (performance.now() - told < tellEveryMs && done !== total) return;
        told = performance.now();
        const known = [...sizes.values()];
        // The list of tags is small: what is not known of it makes no difference to see.
        const largest = known[0] === undefined ? undefined : known.reduce<number>((sum, size) => sum + (size ?? 0), 0);
        onprogress(before + done, largest);
      };
      files.push({ role, name: file.name, ...(await get(file, tell, role)) });
    }
    const record: TaggerRecord = { id: manifest.id, manifest, files, addedAt: Date.now() };
    await this.#services.record(record);
    return record;
  }
}
