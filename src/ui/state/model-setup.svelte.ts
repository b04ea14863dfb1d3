/** The base model of the run that is prepared: picked, found again after a reload, and copied where wanted. */
import { serializeError } from "../../errors.ts";
import type { SerializedError } from "../../errors.ts";
import type { ModelRef } from "../../storage/database.ts";
import { deleteCopiesExcept } from "../../storage/opfs.ts";
import { isUnfinished, runStore } from "../../storage/run-store.ts";
import type { TrainClient } from "../../workers/train-client.ts";
import type { ModelReport, ModelSource } from "../../workers/train-protocol.ts";
import type { PickedModel } from "../platform/file-access.ts";
import { referenceTo, reopenModel } from "./model-access.ts";
import type { ModelNeed } from "./model-access.ts";

export interface OpenedModel {
  readonly ref: ModelRef;
  readonly source: ModelSource;
  readonly report: ModelReport;
}

interface Surroundings {
  /** Called with each model that was opened. */
  readonly onopened: (model: OpenedModel) => void;
  /** Copies that something besides runs and this model needs. */
  readonly copiesNeeded: () => readonly (string | undefined)[];
}

export class ModelSetup {
  readonly #client: TrainClient;
  readonly #surroundings: Surroundings;
  #model: OpenedModel | undefined = $state.raw();
  #busy: string | undefined = $state();
  #error: SerializedError | undefined = $state.raw();
  #missing: { readonly ref: ModelRef; readonly need: ModelNeed } | undefined = $state.raw();
  #keepsCopy = $state(false);

  constructor(client: TrainClient, surroundings: Surroundings) {
    this.#client = client;
    this.#surroundings = surroundings;
  }

  get model() {
    return this.#model;
  }
  /** Name of the model that is being read. */
  get busy() {
    return this.#busy;
  }
  get error() {
    return this.#error;
  }
  /** A model of an earlier visit that cannot be read without the user. */
  get missing() {
    return this.#missing;
  }
  /** What to find again on the next visit. */
  get ref(): ModelRef | undefined {
    return this.#model?.ref ?? this.#missing?.ref;
  }
  get keepsCopy() {
    return this.#keepsCopy;
  }
  set keepsCopy(keeps: boolean) {
    this.#keepsCopy = keeps;
  }

  async pick(picked: PickedModel): Promise<void> {
    const ref = referenceTo(picked);
    this.#keepsCopy = await shouldCopy(ref);
    await this.#open(ref, { kind: "file", file: picked.file });
  }

  /** After the user's click: asks the browser to trust the stored handle again. */
  async allowMissing(): Promise<void> {
    const missing = this.#missing?.ref;
    if (missing === undefined) return;
    const found = await reopenModel(missing, true);
    if (typeof found === "string") this.#missing = { ref: missing, need: found };
    else await this.#open(missing, found);
  }

  /** Finds the model of an earlier visit, as far as that goes without the user. */
  async restore(ref: ModelRef | undefined): Promise<void> {
    if (ref === undefined) return;
    const found = await reopenModel(ref);
    this.#keepsCopy = ref.copyName !== undefined || (await shouldCopy(ref));
    if (typeof found === "string") this.#missing = { ref, need: found };
    else await this.#open(ref, found);
  }

  clear(): void {
    this.#model = undefined;
  }

  /** The model's reference once a copy of it is kept. */
  useCopy(copyName: string): void {
    if (this.#model !== undefined) this.#model = { ...this.#model, ref: { ...this.#model.ref, copyName } };
  }

  async #open(ref: ModelRef, source: ModelSource): Promise<void> {
    this.#error = undefined;
    this.#busy = ref.name;
    try {
      const model = { ref, source, report: await this.#client.openModel(source) };
      this.#model = model;
      this.#missing = undefined;
      this.#surroundings.onopened(model);
      void deleteUnusedCopies([ref.copyName, ...this.#surroundings.copiesNeeded()]).catch(() => undefined);
    } catch (error) {
      this.#error = serializeError(error);
    } finally {
      this.#busy = undefined;
    }
  }
}

/** A copy is the default where the browser could not reopen the file after a reload and there is ample room. */
async function shouldCopy(ref: ModelRef): Promise<boolean> {
  if (ref.handle !== undefined || ref.isDemo === true) return false;
  const { quota = 0, usage = 0 } = await navigator.storage.estimate().catch(() => ({ quota: 0, usage: 0 }));
  return quota - usage > 2 * ref.bytes;
}

/** Copies of models that neither the set-up nor a run that may continue needs. */
async function deleteUnusedCopies(current: readonly (string | undefined)[]): Promise<void> {
  const needed = (await runStore.runs()).filter(isUnfinished).map(({ model }) => model.copyName);
  await deleteCopiesExcept(new Set([...current, ...needed].filter((name) => name !== undefined)));
}
