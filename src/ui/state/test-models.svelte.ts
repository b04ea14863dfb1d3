/** What pictures are drawn with besides LoRAs: the base model, another VAE, textual-inversion embeddings. */
import { serializeError } from "../../errors.ts";
import type { SerializedError } from "../../errors.ts";
import type { ModelRef } from "../../storage/database.ts";
import type { GenerateWorkerApi, ModelSource, OpenedEmbedding, OpenedModel } from "../../workers/generate-protocol.ts";
import type { PickedModel } from "../platform/file-access.ts";
import { referenceTo, reopenModel } from "./model-access.ts";
import type { ModelNeed } from "./model-access.ts";

export interface BaseModel {
  readonly ref: ModelRef;
  readonly report: OpenedModel;
}

export class TestModels {
  readonly #client: () => GenerateWorkerApi;
  #model: BaseModel | undefined = $state.raw();
  #busy: string | undefined = $state();
  #error: SerializedError | undefined = $state.raw();
  #missing: { readonly ref: ModelRef; readonly need: ModelNeed } | undefined = $state.raw();
  #vae: string | undefined = $state();
  #embeddings: readonly OpenedEmbedding[] = $state.raw([]);
  #extraError: SerializedError | undefined = $state.raw();

  constructor(client: () => GenerateWorkerApi) {
    this.#client = client;
  }

  get model() {
    return this.#model;
  }
  /** Name of what is being read. */
  get busy() {
    return this.#busy;
  }
  get error() {
    return this.#error;
  }
  /** The model of an earlier visit, where it cannot be read without the user. */
  get missing() {
    return this.#missing;
  }
  /** File name of the VAE that takes the place of the model's own. */
  get vae() {
    return this.#vae;
  }
  get embeddings() {
    return this.#embeddings;
  }
  /** About a VAE or an embedding. */
  get extraError() {
    return this.#extraError;
  }
  get ref(): ModelRef | undefined {
    return this.#model?.ref ?? this.#missing?.ref;
  }
  /** Everything here that a picture depends on. */
  get identity(): string {
    const { name = "", bytes = 0, lastModified = 0 } = this.#model?.ref ?? {};
    return [name, bytes, lastModified, this.#vae ?? "", ...this.#embeddings.map((embedding) => embedding.name)].join("|");
  }

  async pick(picked: PickedModel): Promise<void> {
    await this.open(referenceTo(picked), { kind: "file", file: picked.file });
  }

  /** Finds and opens a model that is known. `ask`: the user clicked, so the browser may ask for permission. */
  async reopen(ref: ModelRef, ask = false): Promise<void> {
    if (isSame(this.#model?.ref, ref)) return;
    const found = await reopenModel(ref, ask);
    if (typeof found === "string") {
      this.#model = undefined;
      this.#missing = { ref, need: found };
    } else await this.open(ref, found);
  }

  async open(ref: ModelRef, source: ModelSource): Promise<void> {
    this.#error = undefined;
    this.#busy = ref.name;
    try {
      const report = await this.#client().openModel(source);
      this.#model = { ref, report };
      this.#missing = undefined;
    } catch (error) {
      this.#error = serializeError(error);
    } finally {
      this.#busy = undefined;
    }
  }

  /** Undefined goes back to the model's own VAE. */
  async takeVae(file: File | undefined): Promise<void> {
    await this.#guard(async () => {
      await this.#client().openVae(file === undefined ? undefined : { kind: "file", file });
      this.#vae = file?.name;
    });
  }

  async addEmbeddings(files: readonly File[]): Promise<void> {
    for (const file of files) {
      await this.#guard(async () => {
        const opened = await this.#client().openEmbedding(file);
        this.#embeddings = [...this.#embeddings.filter(({ name }) => name !== opened.name), opened];
      });
    }
  }

  async removeEmbedding(name: string): Promise<void> {
    await this.#guard(async () => {
      await this.#client().removeEmbedding(name);
      this.#embeddings = this.#embeddings.filter((embedding) => embedding.name !== name);
    });
  }

  async #guard(work: () => Promise<void>): Promise<void> {
    this.#extraError = undefined;
    try {
      await work();
    } catch (error) {
      this.#extraError = serializeError(error);
    }
  }
}

function isSame(a: ModelRef | undefined, b: ModelRef): boolean {
  return a !== undefined && a.name === b.name && a.bytes === b.bytes && a.lastModified === b.lastModified;
}
