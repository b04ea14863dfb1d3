/**
 * The worker's side of the generation protocol: what lies on the bench, whose turn it is, and what a finished picture
 * carries. Knows files, runs and tabs; everything numeric is the engine's.
 */
import { CancelledError, InputError } from "../errors.ts";
import { readPngTexts, writePngText } from "../formats/png-text.ts";
import { planGrid } from "../generation/grid.ts";
import type { GridPlan, GridSpec } from "../generation/grid.ts";
import { describeGrid, describePicture, recallSettings } from "../generation/picture-text.ts";
import type { RecalledSettings } from "../generation/picture-text.ts";
import type {
  AdapterReport, AdapterWeight, GeneratedPicture, GenerationProgress, GenerationRequest,
} from "../generation/request.ts";
import { extractExtraNetworks, readLora } from "../text/prompt/extra-networks.ts";
import type { TrainedStore } from "../storage/trained-store.ts";
import { AdapterShelf } from "./adapter-shelf.ts";
import type { Bench, Extras, GenerateEngine } from "./generate-engine.ts";
import { NoModelError } from "./generate-errors.ts";
import { GeneratorHolder } from "./generate-holder.ts";
import type { HolderServices } from "./generate-holder.ts";
import type {
  AdapterSource, FinishedPicture, GenerateJob, GenerateObserver, GenerateWorkerApi, GenerationForecast, GeneratorState,
  GridJob, GridObserver, ModelSource, OpenedAdapter, OpenedEmbedding, OpenedModel, SheetCell, SheetTexts,
} from "./generate-protocol.ts";
import { GenerateQueue } from "./generate-queue.ts";

/** The webui's key in a PNG file. */
const infotextKey = "parameters";
/** Of an adapter for another kind of model, thousands of names would help nobody. */
const misfitsTold = 20;

export type PicturePixels = Pick<GeneratedPicture, "width" | "height" | "rgba">;
export type DrawSheet = (plan: GridPlan, cells: readonly SheetCell[], texts: SheetTexts) => Promise<Uint8Array<ArrayBuffer>>;

export interface GenerateServices extends HolderServices {
  readonly openCopy: (copyName: string) => Promise<File | undefined>;
  readonly trained: TrainedStore;
  readonly encodePng: (picture: PicturePixels) => Promise<Uint8Array<ArrayBuffer>>;
  readonly drawSheet: DrawSheet;
  /** This program and its version. */
  readonly program: string;
}

type Drawing = Pick<GenerateJob, "request" | "adapters" | "wantsPreviews" | "slot">;

export class GenerateSession implements GenerateWorkerApi {
  readonly #engine: GenerateEngine;
  readonly #services: GenerateServices;
  readonly #holder: GeneratorHolder;
  readonly #shelf: AdapterShelf;
  readonly #queue = new GenerateQueue();
  readonly #jobs = new Set<{ readonly id: string; readonly controller: AbortController }>();
  #bench: Bench | undefined;
  #embeddings: readonly File[] = [];
  #modelHash: string | undefined;

  constructor(engine: GenerateEngine, services: GenerateServices) {
    this.#engine = engine;
    this.#services = services;
    this.#holder = new GeneratorHolder(engine, services);
    this.#shelf = new AdapterShelf(services.trained);
  }

  async watch(onstate: (state: GeneratorState) => void): Promise<void> {
    this.#holder.watch(onstate);
  }

  async openModel(source: ModelSource): Promise<OpenedModel> {
    const model = await this.#file(source);
    const { report, hash } = await this.#engine.readModel(model);
    await this.#putOnBench({ ...this.#bench, model });
    this.#modelHash = hash;
    await this.#shelf.readAgain((file) => this.#engine.readAdapter(file, model));
    return { ...report, name: stemOf(model) };
  }

  async openVae(source: ModelSource | undefined): Promise<void> {
    const vae = source === undefined ? undefined : await this.#file(source);
    if (vae !== undefined) await this.#engine.checkVae(vae);
    const { model } = this.#benchOrThrow();
    await this.#putOnBench({ model, ...(vae === undefined ? {} : { vae }) });
  }

  trainedAdapters = (runId: string) => this.#shelf.trained(runId);

  async openAdapter(source: AdapterSource): Promise<OpenedAdapter> {
    const { model } = this.#benchOrThrow();
    return told(await this.#shelf.add(source, (file) => this.#engine.readAdapter(file, model)));
  }

  async adapters(): Promise<OpenedAdapter[]> {
    return this.#shelf.reports.map(told);
  }

  async removeAdapter(name: string): Promise<void> {
    this.#shelf.remove(name);
  }

  async openEmbedding(file: File): Promise<OpenedEmbedding> {
    const { model } = this.#benchOrThrow();
    const opened = await this.#engine.readEmbedding(file, model);
    await this.removeEmbedding(opened.name);
    this.#embeddings = [...this.#embeddings, file];
    return opened;
  }

  async removeEmbedding(name: string): Promise<void> {
    this.#embeddings = this.#embeddings.filter((file) => stemOf(file) !== name);
  }

  async forecast(request: GenerationRequest, adapters: readonly AdapterWeight[] = []): Promise<GenerationForecast> {
    return this.#engine.forecast(this.#benchOrThrow(), this.#extrasOf({ request, adapters }), request);
  }

  async generate(job: GenerateJob, observer: GenerateObserver): Promise<FinishedPicture> {
    return this.#asJob(job.id, (signal) => this.#draw(job, signal, observer));
  }

  async planGrid(spec: GridSpec): Promise<GridPlan> {
    return planGrid(spec);
  }

  async grid(job: GridJob, observer: GridObserver): Promise<void> {
    await this.#asJob(job.id, async (signal) => {
      for (const [index, cell] of job.plan.cells.entries()) {
        const { request, adapters } = cell;
        const { wantsPreviews = false } = job;
        // Each takes its own turn, so that single pictures asked for meanwhile come between.
        observer.cell(cell, await this.#draw({ request, adapters, wantsPreviews }, signal, observer), index + 1);
      }
    });
  }

  async gridSheet(plan: GridPlan, cells: readonly SheetCell[], texts: SheetTexts): Promise<Blob> {
    const png = await this.#services.drawSheet(plan, cells, texts);
    const [first] = cells;
    const text = first === undefined ? undefined : (await readPngTexts(await bytesOf(first.png))).get(infotextKey);
    return pngBlob(text === undefined ? png : writePngText(png, infotextKey, describeGrid(text, plan)));
  }

  async cancel(id?: string): Promise<void> {
    for (const job of this.#jobs) if (id === undefined || job.id === id) job.controller.abort(new CancelledError());
  }

  async release(): Promise<void> {
    await this.cancel();
    this.#holder.close();
  }

  async readSettings(picture: Blob): Promise<RecalledSettings | undefined> {
    const text = (await readPngTexts(await bytesOf(picture))).get(infotextKey);
    return text === undefined ? undefined : recallSettings(text);
  }

  async #asJob<T>(id: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const job = { id, controller: new AbortController() };
    this.#jobs.add(job);
    try {
      return await work(job.controller.signal);
    } finally {
      this.#jobs.delete(job);
    }
  }

  async #draw(drawing: Drawing, signal: AbortSignal, observer: GenerateObserver): Promise<FinishedPicture> {
    const { request, adapters, wantsPreviews: previews = false, slot } = drawing;
    const { picture, bench } = await this.#queue.run(async () => {
      const bench = this.#benchOrThrow();
      const extras = this.#extrasOf(drawing);
      const loading = (done: number, total: number): void => observer.loading(done, total);
      const onCompile = (done: number, total: number): void => observer.compiling(done, total);
      const onProgress = (progress: GenerationProgress): void => observer.progress(progress);
      const picture = await this.#holder.use(bench, extras, { signal, loading }, (generator, signal) =>
        generator.generate(request, adapters, { signal, previews, onCompile, onProgress }),
      );
      return { picture, bench };
    }, signal, slot);
    // The GPU is free for the next one.
    return this.#finish(picture, bench);
  }

  async #finish(drawn: GeneratedPicture, { model, vae }: Bench): Promise<FinishedPicture> {
    const png = await this.#services.encodePng(drawn);
    const { rgba: _, ...picture } = drawn;
    const infotext = describePicture(picture, {
      model: { name: stemOf(model), ...(this.#modelHash === undefined ? {} : { hash: this.#modelHash }) },
      ...(vae === undefined ? {} : { vae: vae.name }),
      adapterHashes: this.#shelf.hashes,
      program: this.#services.program,
    });
    return { ...picture, infotext, png: pngBlob(writePngText(png, infotextKey, infotext)) };
  }

  /** Adapters take memory: only those that act. Throws `generation.unknownLora`, and why one does not fit. */
  #extrasOf({ request, adapters }: Pick<Drawing, "request" | "adapters">): Extras {
    const names = [...adapters.map(({ name }) => name), ...namesInPrompt(request.prompt)];
    return { adapters: this.#shelf.files(names), embeddings: this.#embeddings };
  }

  #benchOrThrow(): Bench {
    if (this.#bench === undefined) throw new NoModelError();
    return this.#bench;
  }

  /** Pictures asked for with the files before would be of another kind than those to come. */
  async #putOnBench(bench: Bench): Promise<void> {
    this.#bench = bench;
    await this.release();
  }

  async #file(source: ModelSource): Promise<File> {
    if (source.kind === "file") return source.file;
    const copy = await this.#services.openCopy(source.copyName);
    if (copy === undefined) {
      throw new InputError("model.copyGone", "The browser deleted its copy of the model. Pick the file again.");
    }
    return copy;
  }
}

function told({ misfits, ...report }: AdapterReport): OpenedAdapter {
  return { ...report, misfits: misfits.slice(0, misfitsTold), misfitCount: misfits.length };
}

/** Of `<lora:…>` tags. */
function namesInPrompt(prompt: string): string[] {
  return extractExtraNetworks(prompt).networks.flatMap((network) => readLora(network)?.name ?? []);
}

function stemOf({ name }: File): string {
  return name.replace(/\.[^.]+$/, "");
}

async function bytesOf(blob: Blob): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await blob.arrayBuffer());
}

function pngBlob(bytes: Uint8Array<ArrayBuffer>): Blob {
  return new Blob([bytes], { type: "image/png" });
}
