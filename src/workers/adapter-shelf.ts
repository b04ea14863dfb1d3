/** The opened adapters by name: where each comes from, and how it fits the model. */
import { InputError, LorasmithError } from "../errors.ts";
import type { AdapterReport } from "../generation/request.ts";
import type { TrainedEntry, TrainedStore } from "../storage/trained-store.ts";
import { decodeState } from "../training/state-file.ts";
import { writeResult } from "../training/result.ts";
import { stepName } from "../training/save-schedule.ts";
import { UnknownLoraError } from "./generate-errors.ts";
import type { AdapterSource, TrainedAdapter } from "./generate-protocol.ts";

export type ReadAdapter = (file: File) => Promise<{ readonly report: AdapterReport; readonly hash: string }>;

interface ShelvedAdapter {
  readonly key: string;
  /** Called by the adapter's name. */
  readonly file: File;
  readonly hash: string;
  readonly report: AdapterReport;
  /** Why it cannot be used with this model. */
  readonly error?: LorasmithError;
}

export class AdapterShelf {
  readonly #store: TrainedStore;
  readonly #adapters = new Map<string, ShelvedAdapter>();

  constructor(store: TrainedStore) {
    this.#store = store;
  }

  get reports(): AdapterReport[] {
    return [...this.#adapters.values()].map(({ report }) => report);
  }

  /** Hashes by name. */
  get hashes(): Map<string, string> {
    return new Map([...this.#adapters].map(([name, { hash }]) => [name, hash]));
  }

  /** Files of adapters that are to act. Throws UnknownLoraError, or why one does not fit the model. */
  files(names: Iterable<string>): File[] {
    return [...new Set(names)].map((name) => {
      const adapter = this.#adapters.get(name);
      if (adapter === undefined) throw new UnknownLoraError(name);
      if (adapter.error !== undefined) throw adapter.error;
      return adapter.file;
    });
  }

  /** Puts an adapter here; one that does not fit stays outside. Throws `run.nothingStored`, `state.*` and as `read`. */
  async add(source: AdapterSource, read: ReadAdapter): Promise<AdapterReport> {
    const file = await this.#fetch(source);
    const { report, hash } = await read(file);
    this.#adapters.set(report.name, { key: keyOf(source), file, hash, report });
    return report;
  }

  remove(name: string): void {
    this.#adapters.delete(name);
  }

  /** Looks at everything again, for another model. What does not fit it stays here and is not usable. */
  async readAgain(read: ReadAdapter): Promise<void> {
    for (const [name, { key, file, hash, report }] of this.#adapters) {
      try {
        this.#adapters.set(name, { key, file, hash, report: (await read(file)).report });
      } catch (error) {
        if (!(error instanceof LorasmithError)) throw error;
        this.#adapters.set(name, { key, file, hash, report: { ...report, applied: 0 }, error });
      }
    }
  }

  /** Brings the file under the name that it will have here. */
  async #fetch(source: AdapterSource): Promise<File> {
    const file = source.kind === "file" ? source.file : await this.#fetchTrained(source.runId, source.step);
    const stem = file.name.replace(/\.[^.]+$/, "");
    const key = keyOf(source);
    let name = stem;
    for (let number = 2; (this.#adapters.get(name)?.key ?? key) !== key; number++) name = `${stem}-${number}`;
    return new File([file], `${name}.safetensors`, { lastModified: file.lastModified });
  }

  async trained(runId: string): Promise<TrainedAdapter[]> {
    const found = await this.#store.entries(runId);
    if (found === undefined) return [];
    return found.entries.map((entry) => ({
      name: nameOf(entry, found.runName),
      source: { kind: "run", runId, ...(entry.step === undefined ? {} : { step: entry.step }) },
      step: entry.updates,
      epoch: entry.epoch,
      isFinal: entry.step === undefined,
    }));
  }

  async #fetchTrained(runId: string, step: number | undefined): Promise<File> {
    const found = await this.#store.entries(runId);
    const entry = found?.entries.find((candidate) => candidate.step === step);
    const bytes = entry === undefined ? undefined : await this.#bytesOf(entry, runId);
    if (found === undefined || entry === undefined || bytes === undefined) {
      throw new InputError(
        "run.nothingStored",
        "This LoRA is no longer stored here: the run was deleted, or it has gone on since. Choose another one of the run.",
        { runId },
      );
    }
    return new File([bytes], `${nameOf(entry, found.runName)}.safetensors`);
  }

  async #bytesOf({ step, fileName }: TrainedEntry, runId: string): Promise<BlobPart | undefined> {
    if (step === undefined) return this.#store.result(runId);
    return fileName === undefined ? this.#snapshotFile(runId, step) : this.#store.saved(runId, step);
  }

  async #snapshotFile(runId: string, step: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const snapshot = await this.#store.snapshot(runId, step);
    return snapshot === undefined ? undefined : writeResult(await decodeState(snapshot), Math.floor(Date.now() / 1000));
  }
}

/** As kohya names the files of a run. */
function nameOf({ step, fileName }: TrainedEntry, runName: string): string {
  return fileName ?? (step === undefined ? runName : stepName(runName, step));
}

/** The same for the same file or training result. */
function keyOf(source: AdapterSource): string {
  if (source.kind === "run") return `run ${source.runId} ${source.step ?? "final"}`;
  const { name, size, lastModified } = source.file;
  return `file ${size} ${lastModified} ${name}`;
}
