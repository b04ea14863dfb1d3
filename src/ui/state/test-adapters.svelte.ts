/** The LoRAs on the Test screen: opened files and training results, and how strongly each one acts. */
import { serializeError } from "../../errors.ts";
import type { SerializedError } from "../../errors.ts";
import type { AdapterWeight } from "../../generation/request.ts";
import type { AdapterSource, GenerateWorkerApi, OpenedAdapter, TrainedAdapter } from "../../workers/generate-protocol.ts";

export const weightRange = { min: 0, max: 1.5, step: 0.05 } as const;
/** What may be typed: beyond the slider, for those who know why. */
const typedRange = { min: -2, max: 4 } as const;

export interface TestAdapter {
  readonly report: OpenedAdapter;
  readonly source: AdapterSource;
  readonly unet: number;
  readonly textEncoder: number;
  /** The two weights have a slider each. */
  readonly isSplit: boolean;
  /** What else the same run has to offer, oldest first; empty for files. */
  readonly snapshots: readonly TrainedAdapter[];
}

/** Where an adapter comes from and how it is set, as far as it can be found again after a reload. */
export interface StoredAdapter {
  readonly runId: string;
  readonly step?: number;
  readonly unet: number;
  readonly textEncoder: number;
}

export class TestAdapters {
  readonly #client: () => GenerateWorkerApi;
  readonly #onchange: () => void;
  #list: readonly TestAdapter[] = $state.raw([]);
  #busy: string | undefined = $state();
  #error: SerializedError | undefined = $state.raw();

  /** `onchange` hears of every change of what is drawn with. */
  constructor(client: () => GenerateWorkerApi, onchange: () => void) {
    this.#client = client;
    this.#onchange = onchange;
  }

  get list() {
    return this.#list;
  }
  get busy() {
    return this.#busy;
  }
  get error() {
    return this.#error;
  }
  /** Those that act, as a job takes them. One that fits nowhere would act on nothing. */
  get weights(): AdapterWeight[] {
    return this.#list
      .filter(({ report, unet, textEncoder }) => report.applied > 0 && (unet !== 0 || textEncoder !== 0))
      .map(({ report, unet, textEncoder }) => ({ name: report.name, unet, textEncoder }));
  }
  /** For storing. Picked files cannot be opened again without the user. */
  get stored(): StoredAdapter[] {
    return this.#list.flatMap(({ source, unet, textEncoder }) => {
      if (source.kind !== "run") return [];
      return [{ runId: source.runId, ...(source.step === undefined ? {} : { step: source.step }), unet, textEncoder }];
    });
  }

  async addFiles(files: readonly File[]): Promise<void> {
    for (const file of files) await this.#add({ kind: "file", file }, file.name);
  }

  /** Opens what a run has stored: its result, or the snapshot of a step. Returns whether it worked. */
  async addRun(runId: string, name: string, step?: number, weights = { unet: 1, textEncoder: 1 }): Promise<boolean> {
    const known = this.#list.find(({ source }) => source.kind === "run" && source.runId === runId && source.step === step);
    if (known !== undefined) return true;
    return this.#add({ kind: "run", runId, ...(step === undefined ? {} : { step }) }, name, weights);
  }

  /** Puts another snapshot of the same run in the place of an adapter, at the same weights. */
  async switchTo(adapter: TestAdapter, snapshot: TrainedAdapter): Promise<void> {
    await this.#guard(snapshot.name, async () => {
      const report = await this.#client().openAdapter(snapshot.source);
      this.#replace(adapter.report.name, { ...adapter, report, source: snapshot.source });
      if (report.name !== adapter.report.name) await this.#client().removeAdapter(adapter.report.name);
    });
  }

  async remove(name: string): Promise<void> {
    await this.#guard(name, async () => {
      await this.#client().removeAdapter(name);
      this.#list = this.#list.filter(({ report }) => report.name !== name);
      this.#onchange();
    });
  }

  /** Sets one weight, or both where they go together. */
  setWeight(name: string, part: "unet" | "textEncoder" | "both", value: number): void {
    if (!Number.isFinite(value)) return;
    const weight = Math.min(typedRange.max, Math.max(typedRange.min, Math.round(value * 1000) / 1000));
    const found = this.#list.find(({ report }) => report.name === name);
    if (found === undefined) return;
    this.#replace(name, {
      ...found,
      ...(part === "textEncoder" ? {} : { unet: weight }),
      ...(part === "unet" ? {} : { textEncoder: weight }),
    });
  }

  split(name: string, isSplit: boolean): void {
    const found = this.#list.find(({ report }) => report.name === name);
    if (found !== undefined) this.#replace(name, { ...found, isSplit, textEncoder: isSplit ? found.textEncoder : found.unet });
  }

  /** After another base model was opened: how much of each still fits. */
  async reportAgain(): Promise<void> {
    if (this.#list.length === 0) return;
    await this.#guard("", async () => {
      const reports = new Map((await this.#client().adapters()).map((report) => [report.name, report]));
      this.#list = this.#list.map((adapter) => ({ ...adapter, report: reports.get(adapter.report.name) ?? adapter.report }));
    });
  }

  /** Makes sure that snapshots of a run are open in the worker, for a grid; gives their names. */
  async openSnapshots(snapshots: readonly TrainedAdapter[]): Promise<string[]> {
    const names: string[] = [];
    for (const { source } of snapshots) names.push((await this.#client().openAdapter(source)).name);
    return names;
  }

  async #add(source: AdapterSource, name: string, weights = { unet: 1, textEncoder: 1 }): Promise<boolean> {
    return this.#guard(name, async () => {
      const report = await this.#client().openAdapter(source);
      const snapshots = source.kind === "run" ? await this.#client().trainedAdapters(source.runId) : [];
      const isSplit = weights.unet !== weights.textEncoder;
      const others = this.#list.filter((adapter) => adapter.report.name !== report.name);
      this.#list = [...others, { report, source, ...weights, isSplit, snapshots }];
      this.#onchange();
    });
  }

  #replace(name: string, adapter: TestAdapter): void {
    this.#list = this.#list.map((old) => (old.report.name === name ? adapter : old));
    this.#onchange();
  }

  async #guard(name: string, work: () => Promise<void>): Promise<boolean> {
    this.#error = undefined;
    this.#busy = name;
    try {
      await work();
      return true;
    } catch (error) {
      this.#error = serializeError(error);
      return false;
    } finally {
      this.#busy = undefined;
    }
  }
}
