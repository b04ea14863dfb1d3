/** Text of the file of kohya's that the settings came from: what is foreign in it, and its comments, go back out. */
import { readSetting, writeSetting } from "../../storage/settings-store.ts";

const settingName = "configFile";

export class ConfigOrigin {
  #text: string | undefined = $state.raw();

  get text(): string | undefined {
    return this.#text;
  }

  /** Brings back the text of the last visit. */
  async wake(): Promise<void> {
    const stored = await readSetting(settingName).catch(() => undefined);
    this.#text = typeof stored === "string" ? stored : undefined;
  }

  set(text: string | undefined): void {
    this.#text = text;
    void writeSetting(settingName, text ?? null).catch(() => undefined);
  }
}
