/** What the user chose for the page itself. Stored as a whole; anything unreadable falls back to its default. */
import * as v from "valibot";
import { readSetting, writeSetting } from "../../storage/settings-store.ts";
import { languages } from "../i18n/languages.ts";
import type { Language } from "../i18n/languages.ts";

export const themes = ["auto", "light", "dark"] as const;
export type Theme = (typeof themes)[number];

const captionModes = ["tags", "text"] as const;

const settingName = "preferences";

const schema = v.object({
  /** Absent: follow the browser. */
  language: v.fallback(v.optional(v.picklist(languages)), undefined),
  theme: v.fallback(v.picklist(themes), "auto"),
  /** Share of the old value in the smoothed loss. */
  smoothing: v.fallback(v.pipe(v.number(), v.minValue(0), v.maxValue(0.999)), 0.95),
  isLogScale: v.fallback(v.boolean(), false),
  hasSingleKeys: v.fallback(v.boolean(), true),
  showsAllSettings: v.fallback(v.boolean(), false),
  showsToml: v.fallback(v.boolean(), false),
  /** Side of a picture in the dataset studio's gallery, in pixels. */
  tileSide: v.fallback(v.pipe(v.number(), v.minValue(72), v.maxValue(320)), 144),
  /** How a caption is edited. */
  captionMode: v.fallback(v.picklist(captionModes), "tags"),
});
type Values = v.InferOutput<typeof schema>;

export class Preferences {
  #values: Values = $state.raw(v.parse(schema, {}));

  async load(): Promise<void> {
    const stored = await readSetting(settingName).catch(() => undefined);
    const parsed = v.safeParse(schema, stored ?? {});
    if (parsed.success) this.#values = parsed.output;
  }

  get language(): Language | undefined {
    return this.#values.language;
  }
  get theme(): Theme {
    return this.#values.theme;
  }
  get smoothing(): number {
    return this.#values.smoothing;
  }
  get isLogScale(): boolean {
    return this.#values.isLogScale;
  }
  get hasSingleKeys(): boolean {
    return this.#values.hasSingleKeys;
  }
  get showsAllSettings(): boolean {
    return this.#values.showsAllSettings;
  }
  get tileSide(): number {
    return this.#values.tileSide;
  }
  get captionMode(): (typeof captionModes)[number] {
    return this.#values.captionMode;
  }
  get showsToml(): boolean {
    return this.#values.showsToml;
  }

  /** Changes and stores; where storing fails the choice holds until the page is closed. */
  set(change: Partial<Values>): void {
    this.#values = { ...this.#values, ...change };
    void writeSetting(settingName, this.#values).catch(() => undefined);
  }
}
