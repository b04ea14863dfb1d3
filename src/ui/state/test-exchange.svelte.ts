/** What goes in and out of the Test screen: dropped files, settings of earlier pictures, pictures for the dataset. */
import { serializeError } from "../../errors.ts";
import type { SerializedError } from "../../errors.ts";
import type { GenerationRequest } from "../../generation/request.ts";
import type { PictureRecord } from "../../storage/database.ts";
import { sendToDataset } from "../../storage/picture-to-dataset.ts";
import type { GenerateWorkerApi } from "../../workers/generate-protocol.ts";
import { promptLoras, withoutLoras } from "./prompt-loras.ts";
import type { Setup } from "./setup.svelte.ts";
import type { TestBench } from "./test-bench.svelte.ts";

/** What became of the last picture that was dropped or chosen. */
export interface Recalled {
  readonly name: string;
  /** LoRAs that it used and that are not open here. */
  readonly missing: readonly string[];
  /** The base model that it names, where it is another one than the opened. */
  readonly otherModel?: string;
  readonly hasSettings: boolean;
}

/** A picture as the dataset takes it, from the bench or from the history. */
export interface Sendable {
  readonly request: GenerationRequest;
  readonly infotext: string;
  readonly createdAt: number;
}

const picture = /\.(png|jpe?g|webp)$/i;
const adapter = /\.(safetensors|pt|ckpt)$/i;
const newDatasetName = "generated";

/** Name of the dataset that a picture went to, and where that is worked on. */
export interface SentTo {
  readonly name: string;
  readonly screen: "dataset" | "train";
}

/** The dataset studio, as far as it is this screen's matter. */
export interface StudioDoor {
  /** The name of the set that took the picture; undefined where no set is open. */
  readonly take: (sent: Sendable, png: Blob) => Promise<string | undefined>;
}

export class TestExchange {
  readonly #client: () => GenerateWorkerApi;
  readonly #bench: TestBench;
  readonly #setup: Setup;
  readonly #studio: StudioDoor;
  #recalled: Recalled | undefined = $state.raw();
  #sentTo: SentTo | undefined = $state.raw();
  #error: SerializedError | undefined = $state.raw();

  constructor(client: () => GenerateWorkerApi, bench: TestBench, setup: Setup, studio: StudioDoor) {
    this.#client = client;
    this.#bench = bench;
    this.#setup = setup;
    this.#studio = studio;
  }

  get recalled() {
    return this.#recalled;
  }
  /** Where the last picture went. */
  get sentTo() {
    return this.#sentTo;
  }
  get error() {
    return this.#error;
  }

  dismiss(): void {
    this.#recalled = undefined;
    this.#sentTo = undefined;
    this.#error = undefined;
  }

  /** Pictures give their settings, adapters are opened. Must be called in the drop event itself. */
  async takeDropped(transfer: DataTransfer): Promise<void> {
    const files = [...transfer.files];
    this.dismiss();
    const adapters = files.filter(({ name }) => adapter.test(name));
    if (adapters.length > 0) await this.#bench.adapters.addFiles(adapters);
    const shown = files.find(({ name }) => picture.test(name));
    if (shown !== undefined) await this.recallFile(shown);
  }

  /** The settings of a picture of the history, LoRA weights included. */
  usePicture({ request, adapters, model }: PictureRecord): void {
    this.dismiss();
    const missing = this.#bench.recall(request, adapters);
    const opened = this.#bench.models.model?.report.name;
    const isOther = opened !== undefined && model !== opened;
    if (missing.length > 0 || isOther) {
      this.#recalled = { name: "", missing, hasSettings: true, ...(isOther ? { otherModel: model } : {}) };
    }
  }

  /** Puts a picture with its prompt as caption into the studio's open set; where there is none, among those of the set-up. */
  async send(sent: Sendable, png: Blob): Promise<void> {
    this.dismiss();
    try {
      const name = await this.#studio.take(sent, png);
      if (name !== undefined) {
        this.#sentTo = { name, screen: "dataset" };
        return;
      }
      const { dataset } = this.#setup;
      const id = dataset?.isKept === true ? dataset.id : undefined;
      const record = await sendToDataset([{ picture: sent, png }], id, newDatasetName);
      await this.#setup.pictures.showStored(record.id);
      this.#sentTo = { name: record.name, screen: "train" };
    } catch (error) {
      this.#error = serializeError(error);
    }
  }

  /** Takes the settings that a picture has inside. */
  async recallFile(file: File): Promise<void> {
    this.dismiss();
    try {
      const found = await this.#client().readSettings(file);
      if (found === undefined) {
        this.#recalled = { name: file.name, missing: [], hasSettings: false };
        return;
      }
      // Tags become sliders: a tag and a slider of the same LoRA would add up.
      const { prompt = "", ...request } = found.request;
      const weights = promptLoras(prompt).map(({ name, unet, textEncoder }) => ({ name, unet, textEncoder }));
      const missing = this.#bench.recall({ ...request, prompt: withoutLoras(prompt) }, weights);
      const opened = this.#bench.models.model?.report.name;
      const isOther = found.model !== undefined && found.model !== opened;
      this.#recalled = { name: file.name, missing, hasSettings: true, ...(isOther ? { otherModel: found.model! } : {}) };
    } catch (error) {
      this.#error = serializeError(error);
    }
  }
}
