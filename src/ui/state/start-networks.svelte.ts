/**
 * The LoRA files that a run starts from, `network_weights` and `base_weights`: picked once, remembered over reloads, and
 * kept with the run.
 */
import { startFileNames } from "../../config/start-files.ts";
import type { TrainingConfig } from "../../config/parameters.ts";
import { serializeError } from "../../errors.ts";
import type { SerializedError } from "../../errors.ts";
import type { StartFile } from "../../storage/database.ts";
import { readSetting, writeSetting } from "../../storage/settings-store.ts";
import type { TrainClient } from "../../workers/train-client.ts";

const settingName = "startNetworks";

/** What the settings' owner offers. */
interface Owner {
  readonly form: { readonly config: TrainingConfig };
  setParameter(key: "network_weights" | "base_weights" | "base_weights_multiplier", value: unknown): void;
}

export class StartNetworks {
  readonly #owner: Owner;
  readonly #client: Pick<TrainClient, "checkNetwork">;
  #files: readonly StartFile[] = $state.raw([]);
  #errors: Readonly<Partial<Record<"network" | "base", SerializedError>>> = $state.raw({});

  constructor(owner: Owner, client: Pick<TrainClient, "checkNetwork">) {
    this.#owner = owner;
    this.#client = client;
  }

  get errors() {
    return this.#errors;
  }
  /** Files that the settings name, where they are here. */
  get chosen(): readonly StartFile[] {
    const names = startFileNames(this.#owner.form.config);
    return this.#files.filter(({ name }) => names.includes(name));
  }
  /** Contents of a file by the settings' name for it, where it is here. */
  contents(name: string): Blob | undefined {
    return this.#files.find((file) => file.name === name)?.file;
  }
  has(name: string): boolean {
    return this.#files.some((file) => file.name === name);
  }
  /** Files to merge, with their strengths. */
  get base(): readonly { readonly name: string; readonly multiplier: string }[] {
    const { base_weights: names, base_weights_multiplier: multipliers } = this.#owner.form.config;
    return names.map((name, i) => ({ name, multiplier: multipliers[i] ?? "1" }));
  }

  /** Brings back the files of the last visit. */
  async restore(): Promise<void> {
    const stored = (await readSetting(settingName).catch(() => undefined)) as readonly StartFile[] | undefined;
    this.#files = [...this.#files, ...(stored ?? []).filter(({ name }) => !this.has(name))];
  }

  /** Takes the files of a run whose settings are taken. */
  adopt(files: readonly StartFile[]): void {
    for (const file of files) this.#put(file);
  }

  /** Takes the file to go on from. */
  async takeNetwork(file: File): Promise<void> {
    await this.#take("network", [file], () => this.#owner.setParameter("network_weights", file.name));
  }

  clearNetwork(): void {
    const { network: _, ...others } = this.#errors;
    this.#errors = others;
    this.#owner.setParameter("network_weights", "");
    this.#remember();
  }

  /** Adds files to those that are merged into the base; one that is there already takes the new contents. */
  async takeBase(files: readonly File[]): Promise<void> {
    await this.#take("base", files, () => {
      const known = this.base.map(({ name }) => name);
      const fresh = files.map(({ name }) => name).filter((name) => !known.includes(name));
      this.#setBase([...this.base, ...fresh.map((name) => ({ name, multiplier: "1" }))]);
    });
  }

  /** Text that is no number is left to the setting to refuse. */
  setMultiplier(index: number, text: string): void {
    this.#setBase(this.base.map((entry, i) => (i === index ? { ...entry, multiplier: text.trim() === "" ? "1" : text.trim() } : entry)));
  }

  removeBase(index: number): void {
    this.#setBase(this.base.filter((_, i) => i !== index));
    this.#remember();
  }

  #setBase(entries: StartNetworks["base"]): void {
    this.#owner.setParameter("base_weights", entries.map(({ name }) => name));
    const isPlain = entries.every(({ multiplier }) => multiplier === "1");
    this.#owner.setParameter("base_weights_multiplier", isPlain ? [] : entries.map(({ multiplier }) => multiplier));
  }

  async #take(place: "network" | "base", files: readonly File[], name: () => void): Promise<void> {
    const { [place]: _, ...others } = this.#errors;
    this.#errors = others;
    try {
      // Something else is refused here, not when the run starts.
      for (const file of files) await this.#client.checkNetwork({ name: file.name, file });
    } catch (error) {
      this.#errors = { ...others, [place]: serializeError(error) };
      return;
    }
    for (const file of files) this.#put({ name: file.name, file });
    name();
    this.#remember();
  }

  #put(file: StartFile): void {
    this.#files = [...this.#files.filter(({ name }) => name !== file.name), file];
  }

  /** What the settings name no longer is forgotten with the next visit. A browser without room asks for the files again. */
  #remember(): void {
    void writeSetting(settingName, this.chosen).catch(() => undefined);
  }
}
