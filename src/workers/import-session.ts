/** An import as the worker does it: list, plan, then picture by picture into the set. */
import { CancelledError, LorasmithError } from "../errors.ts";
import { insidePath } from "../formats/unzip.ts";
import type { UnzipLimits } from "../formats/unzip.ts";
import type { IncomingPicture } from "../storage/set-store.ts";
import { matchMetadata, readCaptionMetadata } from "../studio/caption-metadata.ts";
import { decodeText } from "../studio/decode-text.ts";
import type { FoundCaption, ImportReport, UnreadableFile } from "../studio/import-report.ts";
import { isPlanText, planImport } from "../studio/import-plan.ts";
import type { ImportPlan, PlannedPicture } from "../studio/import-plan.ts";
import { stemOf } from "../studio/picture.ts";
import { caseKey } from "../studio/safe-names.ts";
import { folderNameOf } from "../studio/studio-set.ts";
import { ImportLedger } from "./import-ledger.ts";
import { readPicture } from "./import-picture.ts";
import type { ImportServices } from "./import-picture.ts";
import type { ImportObserver, ImportRequest, ImportWorkerApi, KnownPicture } from "./import-protocol.ts";
import { largestText, listSources } from "./import-sources.ts";
import type { ImportSource, ImportSources } from "./import-sources.ts";
import { inOrder } from "./in-order.ts";
import { placesOf } from "./import-places.ts";

/** Pictures that are read at a time, and the bytes of their files. */
const AT_ONCE = { count: 4, weight: 64 * 1024 ** 2 };
/**
 * Pictures are stored together: so many at first, and more the more there are, since the page looks at all of them each
 * time; never more bytes than these, and never later than after this time.
 */
const BATCH = { pictures: 32, growth: 1 / 8, bytes: 128 * 1024 ** 2, ms: 3000, firstMs: 300 };
/** Between two lines about how far it is. */
const PROGRESS_MS = 100;

interface Work {
  readonly planned: PlannedPicture;
  readonly subset: string;
}

export class ImportSession implements ImportWorkerApi {
  readonly #services: ImportServices;
  readonly #limits: UnzipLimits | undefined;
  #isStopped = false;

  constructor(services: ImportServices, limits?: UnzipLimits) {
    this.#services = services;
    this.#limits = limits;
  }

  stop(): void {
    this.#isStopped = true;
  }

  async run(request: ImportRequest, observer: ImportObserver): Promise<ImportReport> {
    const begin = performance.now();
    await observer.progress({ phase: "listing", done: 0, total: 0, path: "" });
    const listed = await listSources(request.files, this.#limits);
    try {
      return { ...(await this.#take(request, listed, observer)), milliseconds: performance.now() - begin };
    } finally {
      await listed.close();
    }
  }

  async #take(request: ImportRequest, listed: ImportSources, observer: ImportObserver): Promise<Omit<ImportReport, "milliseconds">> {
    const { sources } = listed;
    const texts = await readTexts(sources);
    const plan = planImport(sources, texts, request.set.captionExtension);
    const places = placesOf(plan, request);
    const ledger = new ImportLedger(request, places.isReg);
    ledger.reserve(Object.values(plan.sidecar?.pictures ?? {}).map(({ id }) => id));
    for (const { path, spelled } of sources) {
      // Either it led out of its archive, or it was there twice.
      if (spelled !== null) ledger.note(insidePath(spelled) === spelled ? "renamed" : "unsafePath", path, { spelled, name: path });
    }
    const unreadable: UnreadableFile[] = [
      ...listed.problems.map(({ path, error }) => unreadableFile(path, error)),
      ...plan.problems.map((error) => unreadableFile("lorasmith.json", error)),
    ];
    if (places.change !== null && plan.subsets.length > 0) await observer.prepared(places.change);

    const bySpelling = new Map(sources.map((source) => [source.path, source]));
    const work = plan.subsets.flatMap(({ pictures }, at) => pictures.map((planned): Work => ({ planned, subset: places.of(planned, at) })));
    const store = new Batches(observer);
    const left: string[] = [];
    let [done, told] = [0, 0];
    const reading = inOrder(work, ({ planned }) => bySpelling.get(planned.path)?.size ?? 0, AT_ONCE, ({ planned }) => this.#read(planned, bySpelling, ledger, store));
    for await (const { item: { planned, subset }, result } of reading) {
      const { path } = planned;
      if (result.status === "rejected") {
        if (result.reason instanceof CancelledError) left.push(path);
        else if (result.reason instanceof LorasmithError) unreadable.push(unreadableFile(path, result.reason));
        else throw result.reason;
      } else if (this.#isStopped || store.isFull) left.push(path);
      else {
        const incoming = ledger.admit(planned, subset, result.value);
        if (incoming !== undefined) await store.add(incoming, path);
      }
      done++;
      if (performance.now() - told < PROGRESS_MS && done < work.length) continue;
      told = performance.now();
      // The page has better things to do than to answer this.
      void observer.progress({ phase: "reading", done, total: work.length, path });
    }
    await store.flush();
    const there = new Set([...request.known.map(({ id }) => id), ...store.added]);
    const isHere = (id: string | null): boolean => id === null || there.has(id);
    return {
      end: store.isFull ? "storageFull" : left.length > 0 ? "cancelled" : "complete",
      added: store.added,
      captions: [...ledger.captions.filter(({ pictureId }) => isHere(pictureId)), ...await captionsForKnown(plan, texts, bySpelling, request, ledger)],
      notes: ledger.notes.filter(({ pictureId }) => isHere(pictureId)),
      unreadable, ignored: plan.ignored,
      left: [...store.refused, ...left],
    };
  }

  async #read(
    planned: PlannedPicture, sources: ReadonlyMap<string, ImportSource>, ledger: ImportLedger, store: Batches,
  ): ReturnType<typeof readPicture> {
    if (this.#isStopped || store.isFull) throw new CancelledError();
    const source = sources.get(planned.path);
    if (source === undefined) throw new Error(`invariant: ${planned.path} is one of the sources`);
    const caption = planned.captionPath === null ? undefined : sources.get(planned.captionPath);
    return readPicture(source, caption, this.#services, (hash) => ledger.isKnown(hash));
  }
}

/** Pictures on their way into storage, some at a time. Where there is no more room, as many as fit. */
class Batches {
  readonly added: string[] = [];
  readonly refused: string[] = [];
  isFull = false;
  readonly #observer: ImportObserver;
  #waiting: { readonly incoming: IncomingPicture; readonly path: string }[] = [];
  #bytes = 0;
  #since = performance.now();

  constructor(observer: ImportObserver) {
    this.#observer = observer;
  }

  async add(incoming: IncomingPicture, path: string): Promise<void> {
    this.#waiting.push({ incoming, path });
    this.#bytes += incoming.file.size;
    const most = BATCH.pictures + this.added.length * BATCH.growth;
    const late = this.added.length === 0 ? BATCH.firstMs : BATCH.ms;
    if (this.#waiting.length >= most || this.#bytes >= BATCH.bytes || performance.now() - this.#since > late) await this.flush();
  }

  async flush(): Promise<void> {
    const batch = this.#waiting;
    this.#waiting = [];
    this.#bytes = 0;
    if (batch.length > 0 && !(await this.#store(batch))) {
      for (const one of batch) if (this.isFull || !(await this.#store([one]))) this.#refuse(one.path);
    }
    this.#since = performance.now();
  }

  #refuse(path: string): void {
    this.isFull = true;
    this.refused.push(path);
  }

  async #store(batch: readonly { readonly incoming: IncomingPicture }[]): Promise<boolean> {
    try {
      await this.#observer.arrived(batch.map(({ incoming }) => incoming));
    } catch (error) {
      if (error instanceof LorasmithError && error.code === "storage.full") return false;
      throw error;
    }
    this.added.push(...batch.map(({ incoming }) => incoming.picture.id));
    return true;
  }
}

async function readTexts(sources: readonly ImportSource[]): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  for (const source of sources) {
    if (!isPlanText(source.path) || source.size > largestText) continue;
    const bytes = await source.read().catch(() => undefined);
    const text = bytes === undefined ? undefined : decodeText(bytes)?.text;
    if (text !== undefined) texts.set(source.path, text);
  }
  return texts;
}

/** Captions that came without their pictures, where it is plain which pictures of the set they are for. */
async function captionsForKnown(
  plan: ImportPlan, texts: ReadonlyMap<string, string>, sources: ReadonlyMap<string, ImportSource>, request: ImportRequest,
  ledger: ImportLedger,
): Promise<FoundCaption[]> {
  const folders = new Map(request.set.subsets.map((subset) => [subset.id, folderNameOf(subset)]));
  const places = new Map(request.known.map((picture) => [`${folders.get(picture.subset) ?? ""}/${picture.name}`, picture]));
  const found = new Map<string, string>();
  if (plan.subsets.length === 0) {
    for (const text of texts.values()) {
      const metadata = readCaptionMetadata(text);
      if (metadata === undefined) continue;
      for (const [path, caption] of matchMetadata(metadata, [...places.keys()])) found.set(places.get(path)!.id, caption);
    }
  }
  for (const path of plan.captionsAlone) {
    const picture = ownerOf(path, request.known, folders);
    const bytes = picture === undefined ? undefined : await sources.get(path)?.read().catch(() => undefined);
    if (picture === undefined || bytes === undefined) continue;
    const decoded = decodeText(bytes);
    if (decoded === undefined) ledger.note("unreadableCaption", path);
    else found.set(picture.id, decoded.text);
  }
  return [...found].map(([pictureId, caption]) => ({ pictureId, caption }));
}

function ownerOf(path: string, known: readonly KnownPicture[], folders: ReadonlyMap<string, string>): KnownPicture | undefined {
  const parts = path.split("/");
  const stem = caseKey(stemOf(parts.at(-1) ?? ""));
  const alike = known.filter(({ name }) => caseKey(stemOf(name)) === stem);
  if (alike.length <= 1) return alike[0];
  const inFolder = alike.filter(({ subset }) => folders.get(subset) === parts.at(-2));
  return inFolder.length === 1 ? inFolder[0] : undefined;
}

function unreadableFile(path: string, error: LorasmithError): UnreadableFile {
  return { path, code: error.code, data: error.data, text: error.message };
}
