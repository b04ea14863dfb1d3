/** The taggers and captioners that can be used here: those that are in this browser, and those that can be got. */
import { InputError, serializeError } from "../../../errors.ts";
import type { SerializedError } from "../../../errors.ts";
import type { TaggerRecord } from "../../../storage/database.ts";
import { deleteTagger, filesOfTagger, storedTaggers } from "../../../storage/tagger-store.ts";
import { catalogue } from "../../../tagging/catalogue.ts";
import { filesOf } from "../../../tagging/manifest.ts";
import type { FileRole, ModelManifest } from "../../../tagging/manifest.ts";
import { localManifest, recognize } from "../../../tagging/recognize.ts";
import type { Recognized } from "../../../tagging/recognize.ts";
import { downloadModel, keepModel } from "../../../workers/model-store-client.ts";
import type { ModelFiles } from "../../../workers/tag-protocol.ts";
import { findDemoTagger } from "../demo-tagger.ts";
import type { DemoTagger } from "../demo-tagger.ts";

/** `visit`: the user's files, as long as the page is open. `published`: to be downloaded. `converted`: made by tools/captioners. */
export type TaggerPlace = "demo" | "stored" | "visit" | "published" | "converted";

export interface TaggerEntry {
  readonly manifest: ModelManifest;
  readonly place: TaggerPlace;
  /** Of all files, where it is known. */
  readonly bytes: number | undefined;
}

type LocalFiles = ReadonlyMap<FileRole, File>;

export class Taggers {
  #stored: readonly TaggerRecord[] = $state.raw([]);
  #visit: readonly { readonly manifest: ModelManifest; readonly files: LocalFiles }[] = $state.raw([]);
  #demo: DemoTagger | undefined = $state.raw();
  #asking: Extract<Recognized<File>, { kind: "ask" }> | undefined = $state.raw();
  #fetching: { readonly id: string; readonly done: number; readonly total: number | undefined } | undefined = $state.raw();
  #error: SerializedError | undefined = $state.raw();
  /** Files that were chosen and are no whole model yet. */
  #offered: readonly File[] = [];
  #abort = new AbortController();
  #waking: Promise<void> | undefined;

  /** Those that can be used at once come first. */
  readonly entries: readonly TaggerEntry[] = $derived.by(() => {
    const here: TaggerEntry[] = [
      ...this.#visit.map(({ manifest, files }) => ({ manifest, place: "visit" as const, bytes: sum([...files.values()].map(({ size }) => size)) })),
      ...this.#stored.map(({ manifest, files }) => ({ manifest, place: "stored" as const, bytes: sum(files.map(({ bytes }) => bytes)) })),
      ...(this.#demo === undefined ? [] : [{ manifest: this.#demo.manifest, place: "demo" as const, bytes: this.#demo.bytes }]),
    ];
    const ids = new Set<string>();
    const once = here.filter(({ manifest: { id } }) => !ids.has(id) && ids.add(id));
    const others = catalogue.filter(({ id }) => !ids.has(id)).map((manifest): TaggerEntry => {
      const isPublished = filesOf(manifest).every(([, { url }]) => url !== undefined);
      return { manifest, place: isPublished ? "published" : "converted", bytes: undefined };
    });
    return [...once, ...others];
  });

  /** Files that could be several captioners, and which. */
  get asking() {
    return this.#asking;
  }
  /** A model on its way into this browser. */
  get fetching() {
    return this.#fetching;
  }
  get error() {
    return this.#error;
  }

  /** Finds out which models are here. Once. */
  wake(): Promise<void> {
    this.#waking ??= Promise.all([
      findDemoTagger().then((demo) => void (this.#demo = demo)),
      this.#refresh().catch(() => undefined),
    ]).then(() => undefined);
    return this.#waking;
  }

  entry(id: string | undefined): TaggerEntry | undefined {
    return this.entries.find(({ manifest }) => manifest.id === id);
  }

  isHere(id: string | undefined): boolean {
    const place = this.entry(id)?.place;
    return place === "demo" || place === "stored" || place === "visit";
  }

  /** @throws LorasmithError `demo.unavailable`; InputError `tagger.gone` where the browser has deleted its files */
  async files(id: string): Promise<ModelFiles> {
    const local = this.#visit.find(({ manifest }) => manifest.id === id);
    if (local !== undefined) return { manifest: local.manifest, files: named(local.files) };
    const record = this.#stored.find((one) => one.id === id);
    if (record === undefined && this.#demo?.manifest.id === id) return this.#demo.files();
    const files = record && (await filesOfTagger(record));
    if (record !== undefined && files !== undefined) return { manifest: record.manifest, files: named(files) };
    if (record !== undefined) await this.delete(id);
    const title = record?.manifest.title ?? id;
    throw new InputError("tagger.gone", `The files of ${title} are no longer in this browser. Get it again.`, { title });
  }

  /** Downloads a published model, or what is missing of it. */
  async download({ manifest }: TaggerEntry): Promise<void> {
    await this.#fetch(manifest, (tell, signal) => downloadModel(manifest, tell, signal));
  }

  /** Copies a model of this visit into the browser, so that it is there next time. */
  async keep(id: string): Promise<void> {
    const local = this.#visit.find(({ manifest }) => manifest.id === id);
    if (local === undefined) return;
    await this.#fetch(local.manifest, (tell, signal) => keepModel(local.manifest, local.files, tell, signal));
    if (this.#stored.some((record) => record.id === id)) this.#visit = this.#visit.filter(({ manifest }) => manifest.id !== id);
  }

  /** What came of a download stays, for the next time. */
  cancel(): void {
    this.#abort.abort();
  }

  /** Takes files of the user's, together or one after the other. @returns the id of the model, once it is whole and known */
  async take(files: readonly File[]): Promise<string | undefined> {
    this.#error = undefined;
    this.#asking = undefined;
    const names = new Set(files.map(({ name }) => name));
    this.#offered = [...this.#offered.filter(({ name }) => !names.has(name)), ...files];
    try {
      const found = await recognize(this.#offered);
      this.#offered = [];
      if (found.kind === "known") return this.#add(found.manifest, found.files);
      this.#asking = found;
    } catch (error) {
      this.#error = serializeError(error);
    }
    return undefined;
  }

  /** Says which captioner the files are that were asked about; undefined: none of these. */
  answer(id: string | undefined): string | undefined {
    const asked = this.#asking;
    this.#asking = undefined;
    const like = asked?.candidates.find((candidate) => candidate.id === id);
    return asked === undefined || like === undefined ? undefined : this.#add(localManifest(like, asked.files), asked.files);
  }

  /** Deletes a model from this browser, with all that it said. */
  async delete(id: string): Promise<void> {
    this.#visit = this.#visit.filter(({ manifest }) => manifest.id !== id);
    await deleteTagger(id).catch((error: unknown) => {
      this.#error = serializeError(error);
    });
    await this.#refresh().catch(() => undefined);
  }

  dismissError(): void {
    this.#error = undefined;
  }

  #add(manifest: ModelManifest, files: LocalFiles): string {
    this.#visit = [{ manifest, files }, ...this.#visit.filter(({ manifest: { id } }) => id !== manifest.id)];
    return manifest.id;
  }

  async #fetch(
    { id }: ModelManifest, work: (tell: (done: number, total: number | undefined) => void, signal: AbortSignal) => Promise<TaggerRecord>,
  ): Promise<void> {
    if (this.#fetching !== undefined) return;
    this.#error = undefined;
    this.#abort = new AbortController();
    this.#fetching = { id, done: 0, total: undefined };
    try {
      await work((done, total) => {
        this.#fetching = { id, done, total };
      }, this.#abort.signal);
      await this.#refresh();
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#error = serializeError(error);
    } finally {
      this.#fetching = undefined;
    }
  }

  async #refresh(): Promise<void> {
    this.#stored = await storedTaggers();
  }
}

function named(files: LocalFiles): ModelFiles["files"] {
  return new Map([...files].map(([role, file]) => [role, { name: file.name, file }]));
}

function sum(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total + size, 0);
}
