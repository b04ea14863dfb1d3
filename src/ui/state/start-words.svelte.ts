/** The embedding that a textual inversion starts from: picked once, kept with the run. */
import { trainsWords } from "../../config/trained-words.ts";
import { serializeError } from "../../errors.ts";
import type { SerializedError } from "../../errors.ts";
import { blobSource } from "../../formats/byte-source.ts";
import { readEmbedding } from "../../formats/embedding-file.ts";
import { openTensorFile } from "../../formats/open-tensor-file.ts";
import type { RunRecord } from "../../storage/database.ts";
import type { Setup } from "./setup.svelte.ts";

type Words = NonNullable<RunRecord["startWords"]>;

export class StartWords {
  readonly #setup: Setup;
  #picked: Words | undefined = $state.raw();
  #error: SerializedError | undefined = $state.raw();

  constructor(setup: Setup) {
    this.#setup = setup;
  }

  get error() {
    return this.#error;
  }
  /** What the settings name, where it was picked. */
  get chosen(): Words | undefined {
    const { config } = this.#setup.form;
    return trainsWords(config) && config.weights !== "" && this.#picked?.name === config.weights ? this.#picked : undefined;
  }
  /** The settings name a file that was not picked here. */
  get isMissing(): boolean {
    const { config } = this.#setup.form;
    return trainsWords(config) && config.weights !== "" && this.chosen === undefined;
  }

  /** Reads the file, and takes its number of vectors. */
  async take(file: File): Promise<void> {
    this.#error = undefined;
    try {
      const { vectors, width, count } = await readEmbedding(await openTensorFile(blobSource(file, file.name)));
      this.#picked = { name: file.name, vectors, width };
      this.#setup.setParameter("num_vectors_per_token", count);
      this.#setup.setParameter("weights", file.name);
    } catch (error) {
      this.#error = serializeError(error);
    }
  }
}
