/** What comes to the Test screen from elsewhere: results of runs, earlier pictures, the demo's model. */
import { fileEnding } from "../../config/file-ending.ts";
import { trainsModel } from "../../config/trained-model.ts";
import { trainsWords } from "../../config/trained-words.ts";
import type { PictureRecord, RunRecord } from "../../storage/database.ts";
import { runStore } from "../../storage/run-store.ts";
import { dataset as storedDataset, datasetFiles } from "../../storage/dataset-store.ts";
import type { TrainClient } from "../../workers/train-client.ts";
import type { Demo } from "./demo.ts";
import type { TestBench } from "./test-bench.svelte.ts";
import type { TestExchange } from "./test-exchange.svelte.ts";
import type { RequestChange } from "./test-request.ts";

interface Surroundings {
  /** The demo of this build, once it is known that there is one. */
  readonly demo: () => Demo | undefined;
  /** Shows the Test screen. */
  readonly go: () => void;
  readonly onerror: (error: unknown) => void;
}

export class TestArrivals {
  readonly #client: TrainClient;
  readonly #bench: TestBench;
  readonly #exchange: TestExchange;
  readonly #surroundings: Surroundings;

  constructor(client: TrainClient, bench: TestBench, exchange: TestExchange, surroundings: Surroundings) {
    this.#client = client;
    this.#bench = bench;
    this.#exchange = exchange;
    this.#surroundings = surroundings;
  }

  /** A trained LoRA or word, with a prompt that suits it. */
  async tryRun(run: RunRecord): Promise<void> {
    this.#surroundings.go();
    await this.#guard(async () => {
      const suggestion = await this.#firstRequestOf(run);
      if (trainsModel(run.config)) return this.#tryModel(run, suggestion);
      if (!trainsWords(run.config)) return this.#bench.tryRun(run, suggestion);
      const file = await this.#wordFile(run);
      if (file !== undefined) await this.#bench.tryWord(run, suggestion, file);
    });
  }

  /** The embedding of a run beside the others: the result, or what was saved under a name on the way to it. */
  async addTrainedWord(run: RunRecord, savedAs?: string): Promise<void> {
    await this.#guard(async () => {
      const file = savedAs === undefined ? await this.#wordFile(run) : await savedFile(run, savedAs);
      if (file !== undefined) await this.#bench.models.addEmbeddings([file]);
    });
  }

  /** Names of the embeddings that runs saved on the way, by the run's id, oldest first. */
  async savedWords(runs: readonly RunRecord[]): Promise<ReadonlyMap<string, readonly string[]>> {
    const names = new Map<string, readonly string[]>();
    await this.#guard(async () => {
      for (const { id, config } of runs) {
        if (trainsWords(config)) names.set(id, (await runStore.saves(id)).map(({ name }) => name));
      }
    });
    return names;
  }

  /** The settings of an earlier picture. */
  async usePicture(picture: PictureRecord): Promise<void> {
    this.#surroundings.go();
    await this.#bench.wake();
    this.#exchange.usePicture(picture);
  }

  async openDemoModel(): Promise<void> {
    const demo = this.#surroundings.demo();
    if (demo === undefined) return;
    await this.#guard(async () => {
      const file = await demo.model();
      await this.#bench.pickModel(() => this.#bench.models.pick({ file, isDemo: true }));
      this.#bench.suggest(demo.firstRequest());
    });
  }

  /** A model that was trained itself takes the place of the base model. */
  async #tryModel(run: RunRecord, suggestion: RequestChange): Promise<void> {
    const bytes = await this.#client.result(run.id);
    if (bytes === undefined) return;
    const file = new File([bytes], `${run.name}${fileEnding(run.config)}`, { lastModified: run.createdAt });
    await this.#bench.pickModel(() => this.#bench.models.pick({ file, trained: { runId: run.id } }));
    this.#bench.suggest(suggestion);
  }

  async #firstRequestOf(run: RunRecord): Promise<RequestChange> {
    if (run.datasetId === "") return {};
    const record = await storedDataset(run.datasetId);
    if (run.model.isDemo === true) return this.#surroundings.demo()?.firstRequest(record?.name) ?? {};
    return record === undefined ? {} : { prompt: await firstCaption(run.datasetId, run.config.caption_extension) };
  }

  /** A run's embedding under the name by which prompts call it. */
  async #wordFile(run: RunRecord): Promise<File | undefined> {
    const bytes = await this.#client.result(run.id);
    return bytes === undefined ? undefined : new File([bytes], `${run.name}${fileEnding(run.config)}`);
  }

  async #guard(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#surroundings.onerror(error);
    }
  }
}

async function savedFile(run: RunRecord, name: string): Promise<File | undefined> {
  const save = (await runStore.saves(run.id)).find((candidate) => candidate.name === name);
  return save && new File([save.bytes], `${name}${fileEnding(run.config)}`);
}

/** What the dataset's first caption says: a prompt that a LoRA of it understands. */
async function firstCaption(datasetId: string, extension: string): Promise<string | undefined> {
  const files = await datasetFiles(datasetId);
  const caption = files.find(({ path }) => path.endsWith(extension) || path.endsWith(".txt"));
  return (await caption?.file.text())?.trim();
}
